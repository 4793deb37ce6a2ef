"""A mix: one file, or stems at one rate and of one length, ready to be worked on and given back as they came."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

from stito.audio import (
    SUBTYPES,
    Audio,
    AudioFormat,
    digest_of,
    is_audio_file,
    is_silent,
    is_stem_file,
    peak_of,
    read_audio,
    read_stem_file,
    require_sane_peak,
    require_sound,
    resample,
    to_stereo,
)
from stito.dsp.levels import Levels
from stito.errors import AudioError, MissingFileError, UnknownNameError
from stito.stems import check_stem_name

__all__ = ["ArrayLike", "Kind", "Layout", "Mix", "add_up", "levels_of", "read_mix"]

ArrayLike = NDArray[Any] | Tensor
"""Samples as numpy or torch have them."""

Kind = Literal["mix", "stem", "stems"]
"""A released mix, one stem alone, or the stems of a song."""

RELEASED = frozenset({"mixture", "mix", "master"})
"""Beside stems, a file of one of these names is their mix, not one of them."""

PADDING_SHARE, PADDING_S = 0.1, 10.0
MAX_OFFSET_S = 600.0


@dataclass(frozen=True)
class Layout:
    """How a mix came in, so that it goes out the same: without its audio."""

    kind: Kind
    sample_rate: int
    format: AudioFormat
    formats: Mapping[str, AudioFormat]

    def format_of(self, stem: str) -> AudioFormat:
        """The format in which a stem came in."""
        return self.formats.get(stem, self.format)


@dataclass(frozen=True, eq=False, repr=False)
class Mix:
    """One or more stems at one sample rate and of one shape, by name.

    A released mix has one entry, `mix`; a single stem has one under its name.

    Attributes:
        stems: audio (channels, t) by name.
        sample_rate: of all of them, in Hz.
        format: of the sum, when it is written.
        name: of the whole, such as the file's or the folder's.
        notes: sentences on what was converted, left out or silent.
        kind: `mix`, `stem` or `stems`.
        formats: of the stems, as they were read.
        widened: whether it came in mono, and goes out in stereo.
        also: of a reference, further ones and their weights; its own is 1.
    """

    stems: Mapping[str, Tensor]
    sample_rate: int
    format: AudioFormat
    name: str
    notes: tuple[str, ...] = ()
    kind: Kind = "mix"
    formats: Mapping[str, AudioFormat] = field(default_factory=dict)
    widened: bool = False
    also: tuple[tuple[Mix, float], ...] = ()

    def __post_init__(self) -> None:
        shapes = {name: tuple(samples.shape) for name, samples in self.stems.items()}
        if len(set(shapes.values())) != 1 or any(len(shape) != 2 for shape in shapes.values()):
            raise AudioError(
                f"{self.name}: the stems have the shapes {shapes}.", hint="All must be (channels, t) and agree."
            )
        if self.kind != "stems" and len(shapes) != 1:
            raise AudioError(f"{self.name}: a {self.kind} has one entry, not {len(shapes)}.", hint="Use kind 'stems'.")

    @classmethod
    def of(cls, audio: Audio, stem: str | None = None) -> Mix:
        """One piece of audio as a mix, or as the stem of that name."""
        name = _stem_name(stem) if stem else "mix"
        kind: Kind = "stem" if stem else "mix"
        formats = {name: audio.format}
        return cls({name: audio.samples}, audio.sample_rate, audio.format, audio.name, audio.notes, kind, formats)

    @classmethod
    def from_arrays(
        cls,
        stems: Mapping[str, ArrayLike] | ArrayLike,
        sample_rate: int,
        *,
        stem: str | None = None,
        name: str = "mix",
        subtype: str = "FLOAT",
    ) -> Mix:
        """A mix from arrays in memory.

        >>> import numpy as np
        >>> Mix.from_arrays({"drums": np.zeros((2, 48_000)), "bass": np.ones((1, 48_000))}, sample_rate=48_000)
        Mix('mix': drums, bass; 1.0 s at 48000 Hz, stereo)

        Args:
            stems: by name, numpy arrays or torch tensors (channels, samples) or (samples,), usually within ±1; or one
                array, which is a released mix. Mono stems join stereo ones, shorter stems end in silence.
            sample_rate: of all of them, in Hz.
            stem: what a single array is, if it is a stem and not a mix.
            name: what the whole is called.
            subtype: how samples are stored when results are written: `PCM_16`, `PCM_24`, `PCM_32` or `FLOAT`.

        Raises:
            AudioError: no audio, values that are not finite, or shapes that do not fit together.
        """
        if subtype not in SUBTYPES:
            raise AudioError(f"There is no subtype '{subtype}'.", hint=f"Use one of {', '.join(SUBTYPES)}.")
        if not isinstance(stems, Mapping):
            return cls.of(_from_array(stems, name, sample_rate, subtype), stem)
        if not stems:
            raise AudioError(f"{name}: there are no stems.", hint="Give at least one array.")
        audios = {_stem_name(key): _from_array(x, key, sample_rate, subtype) for key, x in stems.items()}
        return _assembled(name, audios)

    @property
    def blended(self) -> tuple[tuple[Mix, float], ...]:
        """It and those beside it, with weights that add up to 1."""
        both = ((self, 1.0), *self.also)
        total = sum(weight for _, weight in both)
        return tuple((one, weight / total) for one, weight in both)

    @property
    def duration_s(self) -> float:
        """The length in seconds, the same for all stems."""
        return next(iter(self.stems.values())).shape[-1] / self.sample_rate

    def format_of(self, stem: str) -> AudioFormat:
        """The format in which a stem came in."""
        return self.layout.format_of(stem)

    def sum(self) -> Tensor:
        """All stems together (channels, t); of a single entry the entry itself, so do not modify it."""
        return add_up(self.stems.values())

    def stereo(self, stem: str) -> Tensor:
        """One stem as two channels (2, t), for analysis; `UnknownNameError` if there is none of that name."""
        if stem not in self.stems:
            raise UnknownNameError.of("stem", stem, self.stems)
        return to_stereo(self.stems[stem])

    def stereo_sum(self) -> Tensor:
        """All stems together as two channels (2, t), for analysis."""
        return to_stereo(self.sum())

    def levels(self, stem: str | None = None) -> Levels:
        """How loud a stem is as it sounds in stereo, or all of them together; measured when it is first asked."""
        name = next(iter(self.stems)) if stem is None and len(self.stems) == 1 else stem
        if name not in self._levels:
            self._levels[name] = levels_of(self.sum() if name is None else self.stems[name], self.sample_rate)
        return self._levels[name]

    @property
    def layout(self) -> Layout:
        """How it came in, without its audio."""
        return Layout(self.kind, self.sample_rate, self.format, self.formats)

    def at(self, rate: int) -> Mix:
        """The same mix at another sample rate; the formats in which it goes out do not change."""
        if rate == self.sample_rate:
            return self
        stems = {name: resample(samples, self.sample_rate, rate) for name, samples in self.stems.items()}
        return replace(self, stems=stems, sample_rate=rate)

    @property
    def numbers(self) -> int:
        """How many samples a stem has, all channels together."""
        return next(iter(self.stems.values())).numel()

    @property
    def is_mono(self) -> bool:
        """Whether it has one channel."""
        return next(iter(self.stems.values())).shape[0] == 1

    def in_stereo(self, *notes: str) -> Mix:
        """Mono on both sides, to be rendered and written as stereo; `notes` say why."""
        stems = {name: samples.expand(2, -1).clone() for name, samples in self.stems.items()}
        formats = {name: replace(form, channels=2) for name, form in self.formats.items()}
        form = replace(self.format, channels=2)
        return replace(self, stems=stems, format=form, formats=formats, notes=(*self.notes, *notes), widened=True)

    def digests(self) -> dict[str, str]:
        """A fingerprint of each stem's samples and rate, by name."""
        return dict(self._digests)

    def __repr__(self) -> str:
        channels = next(iter(self.stems.values())).shape[0]
        width = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
        stems = ", ".join(self.stems)
        return f"Mix('{self.name}': {stems}; {self.duration_s:.1f} s at {self.sample_rate} Hz, {width})"

    @cached_property
    def _levels(self) -> dict[str | None, Levels]:
        return {}

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {name: digest_of(samples, self.sample_rate) for name, samples in self.stems.items()}


def _from_array(x: ArrayLike, name: str, sample_rate: int, subtype: str) -> Audio:
    """Samples (channels, t) of any number type as audio."""
    samples = torch.as_tensor(x).detach().to("cpu", torch.float32)
    samples = samples[None] if samples.dim() == 1 else samples
    if samples.dim() != 2 or samples.shape[-1] == 0:
        raise AudioError(f"{name} has shape {tuple(samples.shape)}.", hint="An array is (channels, samples).")
    if not math.isfinite(peak_of(samples)):
        raise AudioError(f"{name} holds values that are not finite.", hint="Look for NaN and infinity in the array.")
    require_sane_peak(name, samples)
    form = AudioFormat(sample_rate, samples.shape[0], subtype)
    return Audio(samples.contiguous(), sample_rate, form, name)


def add_up(stems: Iterable[Tensor]) -> Tensor:
    """The sum of stems of one shape; of a single one the stem itself, so do not modify it."""
    first, *others = stems
    if not others:
        return first
    total = first.clone(memory_format=torch.contiguous_format)
    for samples in others:
        total += samples
    return total


def levels_of(x: Tensor, sample_rate: int) -> Levels:
    """The levels of audio (channels, t) as it sounds in stereo; its true peak is that of any channel."""
    if x.shape[0] <= 2:
        return Levels.of(x, sample_rate)
    return Levels.of(to_stereo(x), sample_rate, written=x)


def read_mix(path: str | os.PathLike[str], *, stem: str | None = None) -> Mix:
    """Read an audio file, a folder of stems, or a `.stem.mp4`.

    In a folder each audio file is a stem, named in small letters after the file; `mix`, `master` or `mixture` beside
    other stems is left out. Stems of different rates, channel counts, lengths and Broadcast-WAV time references are
    brought to one; `Mix.notes` describes how.

    Args:
        path: the file or folder.
        stem: what a single file is; of a folder or stem file, the only stem to read.

    Raises:
        MissingFileError, AudioError: as `read_audio`; no audio in the folder, two files for one stem, lengths or
            offsets too far apart to be one song, nothing but silence.
        UnknownNameError: the folder or stem file has no such stem, or the name is a slip away from a well-known one.
    """
    if not os.fspath(path):
        raise MissingFileError("The name of the audio is empty.", hint="Name a file or a folder.")
    path = Path(path)
    if path.is_dir():
        return _read_folder(path, stem)
    if is_stem_file(path):
        stems = read_stem_file(path)
        name = path.name.rsplit(".", 2)[0]
        return _assembled(name, stems) if stem is None else _single(stems[_pick(stem, stems)], name, stem)
    if stem is not None:
        check_stem_name(_stem_name(stem))
    return _single(read_audio(path), _printable(path.stem), stem)


def _single(audio: Audio, name: str, stem: str | None) -> Mix:
    require_sound(audio)
    return Mix.of(replace(audio, name=name), stem)


def _stem_name(text: str) -> str:
    """Names that differ in case, or in how an accent is encoded, are one name."""
    return unicodedata.normalize("NFC", _printable(text)).strip().lower()


def _printable(text: str) -> str:
    """A name whose bytes are no UTF-8, as old archives and shares have them, with a mark where they are not."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _pick(stem: str, names: Iterable[str]) -> str:
    names, name = list(names), _stem_name(stem)
    if name not in names:
        raise UnknownNameError.of("stem", name, names)
    return name


def _read_folder(folder: Path, stem: str | None) -> Mix:
    files, notes = _stem_files(folder)
    name = _printable(folder.resolve().name)
    if stem is not None:
        return _single(read_audio(files[_pick(stem, files)]), name, stem)
    if len(files) == 1 and RELEASED.issuperset(files):
        audio = read_audio(next(iter(files.values())))
        return _single(replace(audio, notes=audio.notes + notes), name, None)
    stems = {stem_name: replace(read_audio(file), name=stem_name) for stem_name, file in files.items()}
    return _assembled(name, stems, notes)


def _stem_files(folder: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The audio files of a folder by stem name, and notes on what was left out."""
    found: dict[str, Path] = {}
    ignored: list[str] = []
    for file in _listed(folder):
        if not _is_stem_candidate(file):
            ignored.append(_printable(file.name))
            continue
        name = _stem_name(file.stem)
        if name in found:
            raise AudioError(
                f"{folder}: {found[name].name} and {file.name} are both the stem '{name}'.",
                hint="Rename one or move it away.",
            )
        found[name] = file
    if not found:
        raise AudioError(
            f"{folder} holds no audio; found: {_enumerated(ignored) if ignored else 'nothing'}.",
            hint="Give a folder of stems, such as vocals.wav and drums.wav, or one file.",
        )
    notes = [f"Ignored in {folder.name}: {_enumerated(ignored)}."] if ignored else []
    released = [name for name in found if name in RELEASED]
    if len(released) < len(found):
        left_out = [found.pop(name).name for name in released]
        notes += [f"{file} is taken for the released mix of these stems and left out." for file in left_out]
    elif len(released) > 1:
        names = " and ".join(found[name].name for name in released)
        raise AudioError(f"{folder} holds {names} and no stems.", hint="Give one of these files itself.")
    return found, tuple(notes)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise AudioError(f"{folder} cannot be listed: {error.strerror}.", hint="Check its permissions.") from error


def _is_stem_candidate(file: Path) -> bool:
    return is_audio_file(file) and not is_stem_file(file)


def _enumerated(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _assembled(name: str, audios: dict[str, Audio], notes: tuple[str, ...] = ()) -> Mix:
    """Stems brought to one rate, channel count and length; takes them out of `audios`, so that none is held twice."""
    remarks = [*notes, *(note for audio in audios.values() for note in audio.notes)]
    formats = {stem: audio.format for stem, audio in audios.items()}
    rate, rate_notes = _common_rate(formats)
    channels, channel_notes = _common_channels(name, formats)
    starts, start_notes = _offsets(name, {stem: audio.start_s for stem, audio in audios.items()}, rate)
    stems: dict[str, Tensor] = {}
    for stem in list(audios):
        audio = audios.pop(stem)
        stems[stem] = resample(audio.samples, audio.sample_rate, rate).expand(channels, -1).contiguous()
    length, length_notes = _common_length(name, {stem: starts[stem] + stems[stem].shape[1] for stem in stems}, rate)
    silent = [stem for stem, samples in stems.items() if is_silent(samples)]
    if len(silent) == len(stems):
        raise AudioError(f"{name}: all stems are silent ({_enumerated(silent)}).", hint="Export the stems again.")
    for stem, samples in stems.items():
        stems[stem] = _placed(samples, starts[stem], length)
    remarks += [*rate_notes, *channel_notes, *start_notes, *length_notes, *(f"{stem} is silent." for stem in silent)]
    subtype = max((item.subtype for item in formats.values()), key=SUBTYPES.index)
    return Mix(stems, rate, AudioFormat(rate, channels, subtype), name, tuple(remarks), "stems", formats)


def _common_rate(formats: Mapping[str, AudioFormat]) -> tuple[int, list[str]]:
    """The highest rate."""
    highest = max(item.sample_rate for item in formats.values())
    lower = [f"{stem} {item.sample_rate} Hz" for stem, item in formats.items() if item.sample_rate != highest]
    return highest, [f"Converted to {highest} Hz: {', '.join(lower)}."] if lower else []


def _common_channels(name: str, formats: Mapping[str, AudioFormat]) -> tuple[int, list[str]]:
    """The channel count, where mono may join anything in stereo."""
    most = max(item.channels for item in formats.values())
    mono = [stem for stem, item in formats.items() if item.channels == 1]
    if most <= 2:
        return most, [f"Made stereo from mono: {', '.join(mono)}."] if most == 2 and mono else []
    if any(item.channels != most for item in formats.values()):
        counts = ", ".join(f"{stem} {item.channels}" for stem, item in formats.items())
        raise AudioError(f"{name}: the stems' channel counts differ: {counts}.", hint="Export all in one layout.")
    return most, []


def _offsets(name: str, starts_s: Mapping[str, float | None], rate: int) -> tuple[dict[str, int], list[str]]:
    """Where each stem begins, in samples after the earliest; a stem that does not say begins with the earliest."""
    stated = {stem: start for stem, start in starts_s.items() if start is not None}
    earliest = min(stated.values(), default=0.0)
    offsets_s = {stem: stated.get(stem, earliest) - earliest for stem in starts_s}
    if max(offsets_s.values()) == 0:
        return dict.fromkeys(starts_s, 0), []
    described = ", ".join(f"{stem} +{offset:.3f} s" for stem, offset in offsets_s.items() if offset)
    if max(offsets_s.values()) > MAX_OFFSET_S:
        raise AudioError(
            f"{name}: the time references of the stems are more than {MAX_OFFSET_S / 60:g} minutes apart: {described}.",
            hint="Export all stems of one song from the same start, or remove their time references.",
        )
    notes = [f"Placed by Broadcast-WAV time reference: {described}."]
    unstated = [stem for stem, start in starts_s.items() if start is None]
    if unstated:
        notes.append(f"Placed at the start, without time reference: {', '.join(unstated)}.")
    return {stem: round(offset * rate) for stem, offset in offsets_s.items()}, notes


def _common_length(name: str, ends: Mapping[str, int], rate: int) -> tuple[int, list[str]]:
    """The length of the longest stem, unless others end so early that they are hardly of the same song."""
    longest = max(ends.values())
    if longest - min(ends.values()) > max(PADDING_SHARE * longest, PADDING_S * rate):
        described = ", ".join(f"{stem} {end / rate:.2f} s" for stem, end in ends.items())
        raise AudioError(
            f"{name}: the stems' lengths differ too much: {described}.",
            hint="Export all stems from the same start to the same end.",
        )
    padded = [f"{stem} by {(longest - end) / rate:.3f} s" for stem, end in ends.items() if longest - end >= rate / 1000]
    return longest, [f"Padded with silence at the end: {', '.join(padded)}."] if padded else []


def _placed(samples: Tensor, start: int, length: int) -> Tensor:
    """The samples with silence before and after; themselves if they fill the length."""
    if start == 0 and samples.shape[1] == length:
        return samples
    placed = samples.new_zeros(samples.shape[0], length)
    placed[:, start : start + samples.shape[1]] = samples
    return placed
