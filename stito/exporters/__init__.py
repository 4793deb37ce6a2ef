"""Settings for other tools: each format an exporter, installed by name like everything else."""

from stito.exporters.exporter import Exported, Exporter, load_exporter
from stito.exporters.session import Session

__all__ = ["Exported", "Exporter", "Session", "load_exporter"]
