"""The length that an MP3 states in its first frame (Xing, Info, VBRI): FFmpeg guesses it anew where tags follow."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

__all__ = ["stated_samples"]

_HEAD = 2048
"""The first frame, whose largest size is 1441 bytes, is in so many."""

_SAMPLES = {0b11: 1152, 0b10: 576, 0b00: 576}
"""Samples in a frame of layer III, by the version of MPEG: 1, 2, 2.5."""


def stated_samples(path: Path) -> int | None:
    """The length in samples, free of encoder delay and padding; None if the first frame states none."""
    with path.open("rb") as file:
        frame = _first_frame(file)
    if len(frame) < 4 or frame[0] != 0xFF:
        return None
    per_frame = _SAMPLES.get(frame[1] >> 3 & 3)
    if per_frame is None:
        return None
    if (vbri := frame.find(b"VBRI")) >= 0:
        return _number(frame, vbri + 14, 4) * per_frame or None
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if at < 0 or not _number(frame, at + 4, 4) & 1:
        return None
    return _number(frame, at + 8, 4) * per_frame - _trimmed(frame, at) or None


def _first_frame(file: BinaryIO) -> bytes:
    """The bytes after any ID3v2 tags."""
    start = 0
    while (head := file.read(10))[:3] == b"ID3" and len(head) == 10:
        start += 10 + sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        file.seek(start)
    return (head + file.read(_HEAD)).lstrip(b"\0")


def _trimmed(frame: bytes, at: int) -> int:
    """Encoder delay and padding after LAME's extension of the Xing frame: 12 bits each, 141 bytes behind its name."""
    if not frame[at + 120 : at + 124].strip(b"\0"):
        return 0
    both = _number(frame, at + 141, 3)
    return (both >> 12) + (both & 0xFFF)


def _number(frame: bytes, at: int, length: int) -> int:
    return int.from_bytes(frame[at : at + length], "big")
