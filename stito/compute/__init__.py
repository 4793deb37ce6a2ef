"""Where work runs: all cores of this machine, other processes, a cluster."""
