"""Standard MIDI files (RP-001, formats 0 and 1): events of a file with their times in seconds, and back to a file."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge

__all__ = ["Event", "MidiError", "read_midi", "write_midi"]

META, SYSEX, SYSEX_MORE = 0xFF, 0xF0, 0xF7
TEMPO, END_OF_TRACK = 0x51, 0x2F
DEFAULT_TEMPO = 500_000
"""Microseconds per quarter note, until a file says otherwise."""
WRITTEN_DIVISION = 960
"""Ticks per quarter note of what is written: at the default tempo, 1920 a second."""
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


class MidiError(ValueError):
    """Not a MIDI file that can be read."""


@dataclass(frozen=True)
class Event:
    """One message at a time in seconds; `data` are the data bytes, of a meta event its type and content."""

    time: float
    status: int
    data: bytes

    @property
    def kind(self) -> int:
        """The upper half of the status: 9 is a note on, 12 a program change."""
        return self.status >> 4

    @property
    def channel(self) -> int:
        """The channel, counted from 0; the drums are on 9."""
        return self.status & 15


def read_midi(content: bytes) -> list[Event]:
    """All events of a file in the order of their times, tracks merged; tempo is worked into the times and left out.

    Raises `MidiError` for what is no MIDI file, for format 2 and for time counted in film frames.
    """
    try:
        division, tracks = _chunks(content)
        return list(_in_seconds(merge(*tracks, key=lambda event: event[0]), division))
    except (IndexError, struct.error) as error:
        raise MidiError("the file is cut short") from error


def _chunks(content: bytes) -> tuple[int, list[list[tuple[int, int, bytes]]]]:
    """The ticks per quarter note, and each track as (tick, status, data)."""
    if content[:4] == b"RIFF" and content[8:12] == b"RMID":
        content = content[content.index(b"MThd") :]
    if content[:4] != b"MThd":
        raise MidiError("there is no MIDI header")
    size, form, count, division = struct.unpack(">IHHH", content[4:14])
    if form not in (0, 1) or division & 0x8000 or not division:
        raise MidiError(f"format {form} with division {division:#x} is not read")
    tracks: list[list[tuple[int, int, bytes]]] = []
    at = 8 + size
    while len(tracks) < count and at + 8 <= len(content):
        name, length = struct.unpack(">4sI", content[at : at + 8])
        if name == b"MTrk":
            tracks.append(list(_track(content[at + 8 : at + 8 + length])))
        at += 8 + length
    return division, tracks


def _track(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    at, tick, running = 0, 0, 0
    while at < len(content):
        wait, at = _number(content, at)
        tick += wait
        status = content[at]
        if status >= 0x80:
            at += 1
        elif running:
            status = running
        else:
            raise MidiError("data without a status")
        if status == META:
            size, start = _number(content, at + 1)
            yield tick, status, content[at : at + 1] + content[start : start + size]
            if content[at] == END_OF_TRACK:
                return
            at = start + size
        elif status in (SYSEX, SYSEX_MORE):
            size, start = _number(content, at)
            yield tick, status, content[start : start + size]
            at = start + size
        elif status >> 4 in DATA_BYTES:
            running, size = status, DATA_BYTES[status >> 4]
            if at + size > len(content):
                raise MidiError("the file is cut short")
            yield tick, status, content[at : at + size]
            at += size
        else:
            raise MidiError(f"status {status:#x} has no place in a file")


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, seven bits to the byte, and the place after it."""
    value = 0
    while True:
        value = value << 7 | content[at] & 0x7F
        at += 1
        if content[at - 1] < 0x80:
            return value, at


def _in_seconds(events: Iterator[tuple[int, int, bytes]], division: int) -> Iterator[Event]:
    time, before, tempo = 0.0, 0, DEFAULT_TEMPO
    for tick, status, data in events:
        time += (tick - before) * tempo / division / 1e6
        before = tick
        if status == META and data[0] == TEMPO:
            tempo = int.from_bytes(data[1:], "big") or tempo
        else:
            yield Event(time, status, data)


def write_midi(events: Sequence[Event], end: float) -> bytes:
    """A file of format 0 with the channel events in order, ending `end` seconds after its beginning."""
    body, before = bytearray(), 0
    ticks_per_second = WRITTEN_DIVISION * 1_000_000 / DEFAULT_TEMPO
    for event in events:
        tick = round(event.time * ticks_per_second)
        body += _written(tick - before) + bytes([event.status]) + event.data
        before = tick
    body += _written(max(0, round(end * ticks_per_second) - before)) + bytes([META, END_OF_TRACK, 0])
    head = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, WRITTEN_DIVISION)
    return head + struct.pack(">4sI", b"MTrk", len(body)) + bytes(body)


def _written(value: int) -> bytes:
    """A number of variable length."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))
