"""Native Instruments stem files (`.stem.mp4`): a mixture and its four stems in one file, as in MUSDB18."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stito.audio.ffmpeg import decode_ffmpeg
from stito.audio.model import Audio
from stito.audio.read import as_audio, check_file

__all__ = ["is_stem_file", "read_stem_file"]

_ORDER = ("drums", "bass", "other", "vocals")


def is_stem_file(path: str | os.PathLike[str]) -> bool:
    """Whether the name says that a file holds stems."""
    return Path(path).name.lower().endswith((".stem.mp4", ".stem.m4a"))


def read_stem_file(path: str | os.PathLike[str]) -> dict[str, Audio]:
    """The four stems of a stem file by name, aligned; its first stream, the mixture, is not decoded.

    The names are `drums`, `bass`, `other` and `vocals`. If the file's own `stem` atom names the first, second and last
    of these in another order, that order counts; the remaining stem, whatever it is called there, is `other`.

    Raises `AudioError` as `read_audio` does, and if there are fewer than five streams.
    """
    path = Path(path)
    check_file(path)
    decoded = decode_ffmpeg(path, streams=(1, 2, 3, 4))
    return {name: as_audio(path, name, stem) for name, stem in zip(_stem_names(path), decoded, strict=True)}


def _stem_names(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        written = [name.strip().lower() for name in _names_in_atom(file, path.stat().st_size)]
    named = [name if name in ("drums", "bass", "vocals") else "other" for name in written]
    return tuple(named) if sorted(named) == sorted(_ORDER) else _ORDER


def _names_in_atom(file: BinaryIO, size: int) -> list[str]:
    """The names in `moov/udta/stem`, JSON after the Stems specification; none if it is absent or unreadable."""
    places = [(0, size)]
    for name in (b"moov", b"udta", b"stem"):
        places = [(first, last) for place in places for kind, first, last in _boxes(file, *place) if kind == name]
    if not places:
        return []
    start, end = places[0]
    file.seek(start)
    try:
        return [str(stem["name"]) for stem in json.loads(file.read(end - start))["stems"]]
    except (ValueError, KeyError, TypeError):
        return []


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes between two places of an MP4 file (ISO/IEC 14496-12, 4.2): type, and where the content lies."""
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1 and start + 16 <= end:
            size, head = struct.unpack(">Q", file.read(8))[0], 16
        stop = end if size == 0 else start + size
        if stop < start + head or stop > end:
            return
        yield kind, start + head, stop
        start = stop
