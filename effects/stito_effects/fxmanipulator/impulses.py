"""Banks of room responses: recorded ones from a folder, or ones that the code makes up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from stito.audio import AUDIO_SUFFIXES, resample, to_stereo
from stito.audio.read import check_file
from stito.audio.sndfile import decode_sndfile
from stito.dsp.impulse import faded_out, from_first_sound, ring_s, unit_energy
from stito.errors import AudioError, MissingFileError
from stito_effects.fxmanipulator.rooms import ROOM_RATE, synthesise_rooms

__all__ = ["Impulses"]

LENGTH_S = 2.5
"""What comes later is cut: it is 50 dB down even in a room that rings for three seconds."""


@dataclass(frozen=True, eq=False)
class Impulses:
    """Answers of rooms to a click, from the driest to the one that rings longest.

    Attributes:
        audio: (n, 2, samples) float32, silent after each one's end, at most 2.5 s. Each leaves the level of noise as it
            is: its energy, mean of both channels and counted at 44.1 kHz, is one.
        decay_s: (n,), times to -60 dB as measured.
        names: what each is called.
    """

    audio: Tensor
    decay_s: Tensor
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Samples up to the last one that sounds, for each impulse."""
        sounding = self.audio.ne(0).any(dim=1)
        last = sounding.shape[-1] - sounding.flip(-1).int().argmax(dim=-1)
        return tuple(last.tolist())

    @classmethod
    def synthetic(cls, sample_rate: int = ROOM_RATE, *, count: int = 64, seed: int = 0) -> Impulses:
        """Rooms that nobody has entered, with times to -60 dB from about 0.15 to 3 s; same seed, same rooms."""
        rooms = [resample(room, ROOM_RATE, sample_rate) for room in synthesise_rooms(count, seed)]
        return cls._of(rooms, [f"room {number}" for number in range(1, count + 1)], sample_rate)

    @classmethod
    def read(cls, folder: Path, sample_rate: int = ROOM_RATE) -> Impulses:
        """The recordings in a folder and its subfolders, each from its first sound on.

        `MissingFileError` or `AudioError` if there is no folder, no audio in it, or a file that is silent or broken.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise MissingFileError(f"{folder} is not a folder.", hint="Name a folder of impulse responses.")
        files = [
            file
            for file in sorted(folder.rglob("*"))
            if file.suffix.lower() in AUDIO_SUFFIXES and not file.name.startswith(".")
        ]
        if not files:
            raise AudioError(f"{folder} holds no audio.", hint="Name a folder of impulse responses as .wav.")
        names = [str(file.relative_to(folder).with_suffix("")) for file in files]
        return cls._of([_recorded(file, sample_rate) for file in files], names, sample_rate)

    @classmethod
    def _of(cls, rooms: list[Tensor], names: list[str], sample_rate: int) -> Impulses:
        """A bank of responses (2, t): cut, brought to unit energy and sorted by their time to -60 dB."""
        decays = torch.tensor([ring_s(room, sample_rate) for room in rooms])
        kept = [unit_energy(_cut(room, sample_rate), sample_rate) for room in rooms]
        longest = max(room.shape[-1] for room in kept)
        order = torch.argsort(decays, stable=True)
        audio = torch.stack([torch.nn.functional.pad(kept[i], (0, longest - kept[i].shape[-1])) for i in order])
        return cls(audio, decays[order], tuple(names[i] for i in order))

    def to(self, device: torch.device | str) -> Impulses:
        """The same bank on a device."""
        return replace(self, audio=self.audio.to(device), decay_s=self.decay_s.to(device))


def _recorded(file: Path, sample_rate: int) -> Tensor:
    """A recording (2, t), which may be shorter than what counts as audio elsewhere: a cabinet rings for 20 ms."""
    check_file(file)
    decoded = decode_sndfile(file)
    samples = to_stereo(decoded.samples)
    if not samples.isfinite().all():
        raise AudioError(f"{file} has samples that are NaN or infinite.", hint="Export it again.")
    return resample(from_first_sound(samples, str(file)), decoded.sample_rate, sample_rate)


def _cut(impulse: Tensor, sample_rate: int) -> Tensor:
    """The first 2.5 seconds of a response (2, t); what goes on beyond is faded out."""
    length = round(LENGTH_S * sample_rate)
    if impulse.shape[-1] <= length:
        return impulse
    return faded_out(impulse[:, :length], sample_rate)
