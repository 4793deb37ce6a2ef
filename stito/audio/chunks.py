"""The chunks of WAV, RF64 and AIFF files: what the decoder does not report."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["Header", "read_header"]

_BYTE_ORDER = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"FORM": ">", b"RIFX": ">"}
_SEE_DS64 = 0xFFFFFFFF
_TIME_REFERENCE_AT = 338  # EBU Tech 3285, bext: after description, originator, reference, date and time


@dataclass(frozen=True)
class Header:
    """What the chunks hold: bytes of sound promised but absent, and the Broadcast-WAV time reference in samples."""

    missing_bytes: int = 0
    time_reference: int | None = None


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    start: int
    size: int


def read_header(path: Path) -> Header:
    """Walk the chunks of a RIFF, RF64, BW64 or AIFF file; any other file has an empty header."""
    missing, reference = 0, None
    end = path.stat().st_size
    with path.open("rb") as file:
        for chunk in _chunks(file, end):
            if chunk.name in (b"data", b"SSND") and not _is_open_ended(chunk.size):
                missing = max(missing, chunk.start + chunk.size - end)
            elif chunk.name == b"bext" and chunk.size >= _TIME_REFERENCE_AT + 8:
                file.seek(chunk.start + _TIME_REFERENCE_AT)
                low_then_high = file.read(8)
                reference = struct.unpack("<Q", low_then_high)[0] if len(low_then_high) == 8 else None
    return Header(missing, reference)


def _chunks(file: BinaryIO, end: int) -> Iterator[_Chunk]:
    order = _BYTE_ORDER.get(file.read(12)[:4])
    at, data_size = 12, _SEE_DS64
    while order and at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"ds64":
            data_size = struct.unpack("<8xQ", file.read(16))[0]
        elif name == b"data" and size == _SEE_DS64:
            size = data_size
        elif name == b"\0\0\0\0":
            return
        yield _Chunk(name, at + 8, size)
        at += 8 + size + size % 2


def _is_open_ended(size: int) -> bool:
    """Whether a program that wrote into a pipe, and so never knew the size, left its largest number there."""
    return size == _SEE_DS64 or 0x7FFF0000 <= size <= 0x7FFFFFFF
