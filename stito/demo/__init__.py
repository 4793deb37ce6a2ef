"""Short multitrack songs that the code composes and plays itself: something to hear before any file of your own."""

from __future__ import annotations

from stito.demo.songs import SONGS, STEMS, compose

__all__ = ["SONGS", "STEMS", "compose"]
