"""What is taken where nothing is named: words alone, so that `--help` need not wait for torch."""

from __future__ import annotations

__all__ = ["DEFAULT_CONVERTER", "DEFAULT_ENCODER"]

DEFAULT_ENCODER = "features"
"""The metric of style."""

DEFAULT_CONVERTER = "mixfxcloner"
"""What `neural` means."""
