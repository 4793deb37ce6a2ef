"""The chunks of WAV, RF64, BW64, AIFF and AU files: what the decoder does not report, and headers nobody finished."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["Header", "Repaired", "read_header"]

_BYTE_ORDER = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"FORM": ">", b"RIFX": ">"}
_SEE_DS64 = 0xFFFFFFFF
_UNKNOWN_64 = (1 << 63) - 1
"""Sizes of 64 bits from here on stand for one that is unknown."""

_WRAP = 1 << 32
"""Where the sizes of files begin at zero again if the program that wrote them did not know better."""

_TIME_REFERENCE_AT = 338  # EBU Tech 3285, bext: after description, originator, reference, date and time
_UNFINISHED = "Its header was never finished (it states no length), so it was read to the end of the file."
_WRAPPED = "Its header states a length beyond which the sound goes on (more than 4 GB), so it was read to its end."


_LEAST_LEFT, _SHARE_LEFT = 1 << 17, 0.1
"""Bytes behind the sound, and their share of it, that are more than a tag."""
_OUTDATED = (
    "Behind the sound that its header states lies {:.0%} as much again, which was left out. If the recording breaks "
    "off, its header is out of date: an audio editor that imports raw data reads all of it."
)


@dataclass(frozen=True)
class Header:
    """What the chunks hold.

    Attributes:
        missing_bytes: of sound, promised but absent.
        time_reference: of Broadcast-WAV, in samples.
        repairs: bytes by their place, which make an unfinished header a finished one.
        notes: what was repaired.
    """

    missing_bytes: int = 0
    time_reference: int | None = None
    repairs: tuple[tuple[int, bytes], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    start: int
    size: int


class Repaired(io.FileIO):
    """A file to read from, in which some bytes are other ones than on the disk."""

    def __init__(self, path: Path, repairs: tuple[tuple[int, bytes], ...]) -> None:
        super().__init__(path)
        self._repairs = repairs

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as there is something; the number of bytes."""
        begin = self.tell()
        count = super().readinto(buffer) or 0
        for at, data in self._repairs:
            first, last = max(at, begin), min(at + len(data), begin + count)
            if first < last:
                memoryview(buffer)[first - begin : last - begin] = data[first - at : last - at]
        return count


def read_header(path: Path) -> Header:
    """Walk the chunks of a RIFF, RF64, BW64, AIFF or AU file; any other file has an empty header."""
    missing, reference = 0, None
    repairs: tuple[tuple[int, bytes], ...] = ()
    notes: tuple[str, ...] = ()
    end = path.stat().st_size
    with path.open("rb") as file:
        if (head := file.read(12))[:4] == b".snd":
            return _of_au(head, end)
        order = _BYTE_ORDER.get(head[:4], "")
        for chunk in _chunks(file, order, end):
            if chunk.name in (b"data", b"SSND"):
                size = _real_size(file, chunk, order, end)
                missing = max(missing, chunk.start + size - end)
                if size != chunk.size and (chunk.size < size or head[:4] in (b"RF64", b"BW64")):
                    repairs += _repairs(file, chunk, order, size)
                    notes = (_WRAPPED if 8 < chunk.size < size else _UNFINISHED,)
                    break
                behind = end - chunk.start - size
                if behind > max(_LEAST_LEFT, _SHARE_LEFT * size) and not _ends_in_chunks(file, chunk, order, end):
                    notes = (_OUTDATED.format(behind / (size or 1)),)
                    break
            elif chunk.name == b"bext" and chunk.size >= _TIME_REFERENCE_AT + 8:
                file.seek(chunk.start + _TIME_REFERENCE_AT)
                low_then_high = file.read(8)
                reference = struct.unpack("<Q", low_then_high)[0] if len(low_then_high) == 8 else None
    return Header(missing, reference, repairs, notes)


def _chunks(file: BinaryIO, order: str, end: int) -> Iterator[_Chunk]:
    at, data_size = 12, _SEE_DS64
    while order and at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"ds64" and at + 24 <= end:
            data_size = struct.unpack("<8xQ", file.read(16))[0]
        elif name == b"data" and size == _SEE_DS64:
            size = data_size
        elif name == b"\0\0\0\0":
            return
        yield _Chunk(name, at + 8, size)
        at += 8 + size + size % 2


def _real_size(file: BinaryIO, chunk: _Chunk, order: str, end: int) -> int:
    """The bytes of a chunk of sound: as stated, or up to the end of the file where that is no size."""
    there = end - chunk.start
    offset = 8 if chunk.name == b"SSND" else 0  # two numbers before the samples
    if _is_open_ended(chunk.size):
        return there
    if chunk.size <= offset and there > offset and not _ends_in_chunks(file, chunk, order, end):
        return there
    if there - chunk.size >= _WRAP:
        return chunk.size + (there - chunk.size) // _WRAP * _WRAP
    return chunk.size


def _ends_in_chunks(file: BinaryIO, chunk: _Chunk, order: str, end: int) -> bool:
    """Whether nothing but other chunks follow, up to the end of the file: a recording without sound."""
    at = chunk.start + chunk.size
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        if not (name.isascii() and name.decode().isprintable()):
            return False
        at += 8 + size + size % 2
    return at - 1 <= end <= at + 1


def _repairs(file: BinaryIO, chunk: _Chunk, order: str, size: int) -> tuple[tuple[int, bytes], ...]:
    """The sizes that the header would have, where its program had come to its end."""
    repairs = [(chunk.start - 4, struct.pack(f"{order}I", min(size, _SEE_DS64)))]
    end = chunk.start + size
    width = 1
    for other in _chunks(file, order, chunk.start):
        if other.name == b"fmt ":
            width = max(1, struct.unpack("<H", _read(file, other.start + 12, 2))[0])
        elif other.name == b"ds64":
            repairs += [(other.start, struct.pack("<QQQ", end - 8, size, size // width))]
            repairs += [(0, b"RF64")]  # libsndfile knows BW64 by no name
        elif other.name == b"COMM":
            channels, _, bits = struct.unpack(">HIH", _read(file, other.start, 8))
            frames = (size - 8) // max(1, channels * -(-bits // 8))
            repairs += [(other.start + 2, struct.pack(">I", min(frames, _SEE_DS64)))]
    if order == ">":
        repairs += [(4, struct.pack(">I", min(end - 8, _SEE_DS64)))]
    return tuple(repairs)


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    place = file.tell()
    file.seek(at)
    data = file.read(count)
    file.seek(place)
    return data.ljust(count, b"\0")


def _of_au(head: bytes, end: int) -> Header:
    """Of Sun's and NeXT's format: the offset of the sound, and its size, which a program may have left at zero."""
    offset, size = struct.unpack(">II", head[4:].ljust(8, b"\0"))
    if size or end <= offset:
        return Header()
    return Header(repairs=((8, struct.pack(">I", _SEE_DS64)),), notes=(_UNFINISHED,))


def _is_open_ended(size: int) -> bool:
    """Whether a program that wrote into a pipe, and so never knew the size, left its largest number there."""
    return 0xFFFF0000 <= size <= _SEE_DS64 or 0x7FFF0000 <= size <= 0x7FFFFFFF or size >= _UNKNOWN_64
