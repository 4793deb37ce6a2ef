"""One MIDI song to stems: played from SoundFonts, or with singing and sampled basses."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from arrange import VOICES, Note, Part, only, parts_of, stems_of, substitutes
from hmm_singer import SingingError
from melody import sung_line, sung_part
from midi import Event, write_midi
from sampled import keys_of, play
from singing import sing
from torch import Tensor

from stito import streams
from stito.audio import read_audio
from stito.audio.compressed import write_compressed
from stito.data.songs import SAMPLE_RATE
from stito.stems import STEMS
from stito.streams import Purpose

__all__ = ["INSTEAD", "Band", "levelled", "render_stems"]

SILENT = 10 ** (-60 / 20)
PEAK = 10 ** (-3 / 20)
LEAST_NOTES = 8
TAIL_S = 1.0
STRINGS = 48
"""What plays the choirs that are not sung, beside a singer."""
INSTEAD = "instead of"

About = dict[str, object]
Take = tuple[Tensor | None, About]
"""A stem as it is played, (2, t), and what is to be known of it; None where that came to nothing, and why."""


@dataclass(frozen=True)
class Band:
    """Who plays: SoundFonts, and for a share of the songs a singer, or one of some sampled basses (SFZ files)."""

    soundfonts: Sequence[Path]
    seed: int = 0
    sing_share: float = 0.0
    basses: Sequence[Path] = ()
    bass_share: float = 0.0

    def sings(self, name: str) -> bool:
        """Whether there is singing in a song."""
        return self._draws(name, Purpose.SINGING, self.sing_share)

    def bass_of(self, name: str) -> Path | None:
        """The sampled bass that plays in a song, if one does: one that has keys in tune."""
        if not self.basses or not self._draws(name, Purpose.SAMPLED_BASS, self.bass_share):
            return None
        order = streams.generator(self.seed, Purpose.SAMPLED_BASS, name, "which").permutation(len(self.basses))
        return next((self.basses[at] for at in order if keys_of(self.basses[at], SAMPLE_RATE)), None)

    def _draws(self, name: str, purpose: Purpose, share: float) -> bool:
        return bool(streams.generator(self.seed, purpose, name).random() < share)


def render_stems(
    events: Sequence[Event],
    seconds: float,
    semitones: int,
    folder: Path,
    band: Band,
    generator: np.random.Generator,
    name: str,
) -> dict[str, About]:
    """Write the stems of a stretch of a song; what each was rendered with, and how long it is.

    The other stems of a song are the same whether it is sung or not, but for lead instruments: they join `other`. Where
    the singer fails, or a sampled bass is silent, SoundFonts play as in any song, and what is written says `instead of`
    what.
    """
    parts = parts_of(events)
    stems = stems_of(parts)
    programs = substitutes(stems, generator)
    takes: dict[str, Take] = {}
    voice, line = melody_of(parts, stems, semitones) if band.sings(name) else (None, [])
    if voice is not None:
        takes["vocals"] = sung(line, seconds + TAIL_S, band.seed, name)
        if takes["vocals"][0] is not None:
            moved = [part for part, stem in stems.items() if stem == "vocals" and part != voice]
            stems = {**stems, **dict.fromkeys(moved, "other")}
            programs = {**programs, **{part: STRINGS for part in moved if programs[part] in VOICES}}
    written: dict[str, About] = {}
    for stem in STEMS:
        font = band.soundfonts[int(generator.integers(len(band.soundfonts)))]
        chosen = {part: programs[part] for part in stems if stems[part] == stem}
        notes = sorted((note for part in chosen for note in parts[part]), key=lambda note: note.start)
        if len(notes) < LEAST_NOTES:
            continue
        if stem == "bass" and (bass := band.bass_of(name)):
            takes[stem] = sampled_bass(bass, notes, semitones, seconds + TAIL_S)
        audio, about = takes.get(stem, (None, {}))
        if audio is None:
            midi = write_midi(only(events, chosen, semitones=semitones), seconds + TAIL_S)
            audio, about = synthesise(midi, font), {"soundfont": font.name, **about}
        if audio is not None:
            write_compressed(folder / f"{stem}.flac", audio, SAMPLE_RATE)
            written[stem] = {**about, "seconds": audio.shape[-1] / SAMPLE_RATE}
    return written


def melody_of(
    parts: Mapping[Part, Sequence[Note]], stems: Mapping[Part, str], semitones: int
) -> tuple[Part | None, list[Note]]:
    """The part that is sung and its line; None if there is too little to sing."""
    part = sung_part(parts, stems)
    line = sung_line(parts[part], semitones=semitones) if part else []
    return (part, line) if len(line) >= LEAST_NOTES else (None, [])


def sung(line: Sequence[Note], seconds: float, seed: int, name: str) -> Take:
    """A line sung by the singers of that song."""
    try:
        audio, about = sing(line, seconds, SAMPLE_RATE, streams.generator(seed, Purpose.SINGING, name, "who"))
    except SingingError as error:
        return None, {INSTEAD: f"singing: {error}"}
    return taken(audio, about, "singing")


def sampled_bass(path: Path, notes: Sequence[Note], semitones: int, seconds: float) -> Take:
    """Notes on a sampled bass."""
    name = f"{path.parent.name}/{path.name}"
    line = [replace(note, key=note.key + semitones) for note in notes]
    return taken(play(path, line, seconds, SAMPLE_RATE), {"sfz": name}, name)


def taken(x: Tensor, about: About, what: str) -> Take:
    """Audio as a take, levelled, of something that may have been silent."""
    audio = levelled(x)
    return (None, {INSTEAD: f"{what}: silent"}) if audio is None else (audio, about)


def synthesise(song: bytes, soundfont: Path) -> Tensor | None:
    """A MIDI file as audio (2, t) that peaks at -3 dBFS, without reverb and chorus; None if it is silent."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "song.mid").write_bytes(song)
        wav = Path(folder) / "song.wav"
        command = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", "0.6", "-r", str(SAMPLE_RATE)]
        command += ["-T", "wav", "-O", "float", "-o", "synth.dynamic-sample-loading=1", "-F", str(wav)]
        subprocess.run([*command, str(soundfont), str(wav.with_suffix(".mid"))], check=True, capture_output=True)
        return levelled(read_audio(wav).stereo())


def levelled(x: Tensor) -> Tensor | None:
    """Audio that peaks at -3 dBFS; None if it is as good as silent."""
    peak = x.abs().max().item()
    return None if peak < SILENT else x * (PEAK / peak)
