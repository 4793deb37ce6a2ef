"""Where work runs: all cores of this machine, other processes, a cluster."""

__all__ = ["THREADS"]

THREADS = "stito-core"
"""How the names of threads begin that work on what may be given up."""
