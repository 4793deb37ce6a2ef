"""Standard MIDI files (RP-001, formats 0 and 1): events of a file with their times in seconds, and back to a file."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mido

__all__ = ["Event", "MidiError", "read_midi", "write_midi"]

META, SYSEX, SYSEX_MORE = 0xFF, 0xF0, 0xF7
DEFAULT_TEMPO = 500_000
"""Microseconds per quarter note, until a file says otherwise."""
WRITTEN_DIVISION = 960
"""Ticks per quarter note of what is written: at the default tempo, 1920 a second."""


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
    if content[:4] == b"RIFF" and content[8:12] == b"RMID":
        content = content[content.index(b"MThd") :]
    if content[:4] != b"MThd":
        raise MidiError("there is no MIDI header")
    try:
        form, _, division = struct.unpack(">HHH", content[8:14])
        if form not in (0, 1) or division & 0x8000 or not division:
            raise MidiError(f"format {form} with division {division:#x} is not read")
        file = mido.MidiFile(file=io.BytesIO(content), clip=True)
        return list(_in_seconds(file))
    except (EOFError, struct.error) as error:
        raise MidiError("the file is cut short") from error
    except (OSError, ValueError, LookupError, mido.KeySignatureError) as error:
        raise error if isinstance(error, MidiError) else MidiError(str(error)) from error


def _in_seconds(file: mido.MidiFile) -> Iterator[Event]:
    time, tempo = 0.0, DEFAULT_TEMPO
    for message in mido.merge_tracks([_ended(track) for track in file.tracks]):
        time += mido.tick2second(message.time, file.ticks_per_beat, tempo)
        if message.type == "set_tempo":
            tempo = message.tempo or tempo
        else:
            yield Event(time, *_raw(message))


def _ended(track: mido.MidiTrack) -> mido.MidiTrack:
    """A track without what stands behind its end."""
    ends = (at for at, message in enumerate(track, 1) if message.type == "end_of_track")
    return mido.MidiTrack(track[: next(ends, len(track))])


def _raw(message: mido.Message | mido.MetaMessage) -> tuple[int, bytes]:
    """Status and data; of a meta event its type and content, without the length between them."""
    status, *data = message.bytes()
    if not message.is_meta:
        return status, bytes(data)
    kind, *rest = data
    length = next(at for at, byte in enumerate(rest) if byte < 0x80) + 1
    return status, bytes([kind, *rest[length:]])


def write_midi(events: Sequence[Event], end: float) -> bytes:
    """A file of format 0 with the channel events in order, ending `end` seconds after its beginning."""
    track, before = mido.MidiTrack(), 0
    for event in events:
        tick = round(mido.second2tick(event.time, WRITTEN_DIVISION, DEFAULT_TEMPO))
        track.append(mido.Message.from_bytes([event.status, *event.data], time=tick - before))
        before = tick
    last = round(mido.second2tick(end, WRITTEN_DIVISION, DEFAULT_TEMPO))
    track.append(mido.MetaMessage("end_of_track", time=max(0, last - before)))
    written = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=WRITTEN_DIVISION, tracks=[track]).save(file=written)
    return written.getvalue()
