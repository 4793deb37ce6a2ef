"""What is taken where nothing is named: words alone, so that `--help` need not wait for torch."""

from __future__ import annotations

__all__ = ["DEFAULT_CONVERTER", "DEFAULT_ENCODER", "MEASURED_ENCODER", "TRAINED_ENCODER"]

MEASURED_ENCODER = "features"
"""Hears any effect; but the music as well."""

TRAINED_ENCODER = "fxencoder"
"""Hears the effects that it has learnt, whatever is played."""

DEFAULT_ENCODER = "auto"
"""The metric of style: of these two the one to trust."""

DEFAULT_CONVERTER = "mixfxcloner"
"""What `neural` means."""
