"""The four kinds of stems that the field separates, normalises and trains on."""

from __future__ import annotations

__all__ = ["STEMS"]

STEMS = ("vocals", "drums", "bass", "other")
