"""A preset laid out on a mixing desk: tracks with devices that every DAW has, faders, pans and audio.

Sessions of all formats are made of this. What has no such device (a reverb, saturation) is only in the rendered stem,
which stands muted beside its input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from torch import Tensor

from stito.audio import peak_of, write_audio
from stito.console.preset import MASTER, StripPreset
from stito.console.strips import as_rendered
from stito.console.words import placed
from stito.effects.devices import Balance, Device, Equalizer, Gate, Limiter, Trim
from stito.exporters.session import Session
from stito.files.names import file_names

__all__ = ["Desk", "DeskDevice", "Track", "audio_names", "desk_of", "write_track"]

FLAT_DB = 0.005
"""A band, or a gain, of less is none."""


@dataclass(frozen=True)
class DeskDevice:
    """A device in its place, named after the effect that it stands for."""

    label: str
    device: Device
    enabled: bool = True
    input_gain_db: float = 0.0


@dataclass(frozen=True, eq=False)
class Track:
    """A channel of the desk; `pan` goes from -1 to 1, `audio` is (channels, t) or None."""

    name: str
    devices: tuple[DeskDevice, ...] = ()
    volume_db: float = 0.0
    pan: float = 0.0
    muted: bool = False
    audio: Tensor | None = None
    sample_rate: int = 0
    subtype: str = "PCM_24"

    @property
    def input_gains_db(self) -> float:
        """What is turned up inside its devices: where these are left out, it belongs to the fader."""
        return sum(device.input_gain_db for device in self.devices)

    @property
    def seconds(self) -> float:
        """How long it plays; 0 without audio."""
        return 0.0 if self.audio is None else self.audio.shape[-1] / self.sample_rate


@dataclass(frozen=True, eq=False)
class Desk:
    """All tracks, the master, and what has to be known of them, and of their devices, in sentences."""

    tracks: tuple[Track, ...]
    master: Track
    notes: tuple[str, ...] = ()
    device_notes: tuple[str, ...] = ()

    @cached_property
    def seconds(self) -> float:
        """The length of the session."""
        return max((track.seconds for track in self.tracks), default=0.0)


@dataclass
class _Channel:
    """A channel while it is laid out: gains wait for the next device that takes one, or for the fader."""

    devices: list[DeskDevice] = field(default_factory=list)
    waiting_db: float = 0.0
    pan: float = 0.0
    notes: list[str] = field(default_factory=list)
    device_notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class _Notes:
    """Sentences, each with the tracks that it is about."""

    def __init__(self) -> None:
        self._tracks: dict[str, list[str]] = {}

    def add(self, track: str, notes: Iterable[str]) -> None:
        for note in notes:
            self._tracks.setdefault(note, []).append(track)

    def __iter__(self) -> Iterator[str]:
        return (f"{', '.join(tracks)}: {note}." for note, tracks in self._tracks.items())


def desk_of(session: Session) -> Desk:
    """Lay out a session: for each stem its input with devices and fader, and what was rendered of it, muted."""
    preset, wet = session.preset, session.wet
    dry = as_rendered(session.dry, preset) if session.dry is not None else None
    output_gain_db = preset.output_gain_db if wet is None else wet.output_gain_db
    tracks: list[Track] = []
    notes, device_notes = _Notes(), _Notes()
    others = dry.stems if dry is not None else {}
    for name in [*preset.stems, *(stem for stem in others if stem not in preset.stems)]:
        strip = preset.stems.get(name, StripPreset(chain=[]))
        channel = _laid_out(strip)
        track = Track(name, tuple(channel.devices), strip.fader_db + channel.waiting_db, channel.pan)
        if dry is not None and name in dry.stems:
            subtype = dry.format_of(name).subtype
            pan = 0.0 if dry.is_mono else track.pan  # what stays mono has none
            track = replace(track, audio=dry.stems[name], sample_rate=dry.sample_rate, subtype=subtype, pan=pan)
        tracks.append(track)
        rendered = wet.stems.get(name) if wet is not None else None
        if wet is not None and rendered is not None:
            muted = track.audio is not None
            # the master has the output gain; into a preset's own master stems are rendered without it
            level_db = 0.0 if wet.mastered else -output_gain_db
            tracks.append(Track(f"{name} (rendered)", (), level_db, 0.0, muted, rendered, wet.sample_rate))
        where = "it is missing" if rendered is None else "it is only in the rendered track"
        notes.add(name, [*channel.notes, *_left_out(channel, strip, where)])
        device_notes.add(name, channel.device_notes)
    master = _laid_out(preset.master or StripPreset(chain=[]))
    fader_db = (preset.master.fader_db if preset.master else 0.0) + output_gain_db + master.waiting_db
    if preset.master is not None:
        left_out = _left_out(master, preset.master, "set it by hand, or use the rendered mix")
        notes.add(MASTER, [*master.notes, *left_out])
        device_notes.add(MASTER, master.device_notes)
    missing = [] if dry is not None else ["There is no input audio in it: name it with --input."]
    the_master = Track(MASTER, tuple(master.devices), fader_db, master.pan)
    return Desk(tuple(tracks), the_master, (*notes, *missing), tuple(device_notes))


def _left_out(channel: _Channel, strip: StripPreset, where: str) -> Iterator[str]:
    if channel.left_out:
        have = "has" if len(channel.left_out) == 1 else "have"
        yield f"{', '.join(channel.left_out)} {have} no device that all DAWs share, {where}"
    if strip.conversion is not None:
        yield f"a network renders it, {where}"


def _laid_out(strip: StripPreset) -> _Channel:
    """The effects of a strip as devices."""
    channel = _Channel()
    for each in placed(strip):
        devices = each.slot.effect.devices(each.settings)
        if devices is None:
            if not each.bypass and each.slot.effect.describe(each.settings):
                channel.left_out.append(each.slot.label)
            continue
        for device in devices:
            _add(channel, each.slot.label, device, enabled=not each.bypass)
    return channel


def _add(channel: _Channel, label: str, device: Device, *, enabled: bool) -> None:
    """One more device; nothing for one that does nothing."""
    told = [f"{label}: {note}" for note in device.notes] if enabled else []
    match device:
        case Trim():
            channel.waiting_db += device.gain_db if enabled else 0.0
        case Balance():
            if enabled:
                channel.pan = device.pan
            if enabled and device.moves():
                channel.notes += [f"{label}: here it is the channel's pan, behind all devices", *told]
        case Equalizer():
            bands = tuple(band for band in device.bands if abs(band.gain_db) > FLAT_DB or "pass" in band.shape)
            if bands:  # a gain before an equalizer may as well come after it
                channel.devices.append(DeskDevice(label, replace(device, bands=bands), enabled))
                channel.device_notes += told
        case _ if not device.moves() and not (enabled and isinstance(device, Limiter)):  # one at 0 dBFS may work
            pass
        case Gate() if enabled:  # in the formats a gate takes no gain: its threshold goes down instead
            shifted = replace(device, threshold_db=device.threshold_db - channel.waiting_db)
            channel.devices.append(DeskDevice(label, shifted, enabled))
            channel.device_notes += told
            if abs(channel.waiting_db) > FLAT_DB:
                channel.device_notes.append(f"{label}: its threshold is moved by the gain before it, now in the fader")
        case _ if enabled:
            channel.devices.append(DeskDevice(label, device, enabled, channel.waiting_db))
            channel.waiting_db = 0.0
            channel.device_notes += told
        case _:
            channel.devices.append(DeskDevice(label, device, enabled))


def audio_names(desk: Desk) -> list[str]:
    """For each track the name of a WAV file, all different."""
    return file_names((track.name for track in desk.tracks), ".wav")


def write_track(path: Path, track: Track) -> None:
    """The audio of a track as WAV, in the format that it came in; as float where it goes beyond full scale."""
    assert track.audio is not None
    subtype = track.subtype if float(peak_of(track.audio)) <= 1 else "FLOAT"
    write_audio(path, track.audio, track.sample_rate, subtype=subtype, overwrite=True)
