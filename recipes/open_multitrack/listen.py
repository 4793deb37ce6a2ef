"""Listen to what was sung, by measuring: is it in tune, in time, as bright as people are, by different singers?

    python recipes/open_multitrack/listen.py songs/ --encoder features fxencoder

takes the vocals of a folder that `build.py` made: those that were sung, the stand-ins of SoundFonts, and people's.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from arrange import Note
from build import about_of, maker
from frames import FRAME_S, Array
from intonation import cents_off
from singing import read
from torch import Tensor

import stito
from stito.audio import read_audio, resample
from stito.data.fxnorm.normalize import normalize
from stito.data.silence import sounding
from stito.data.songs import SAMPLE_RATE, find_songs
from stito.demo.synth import hertz
from stito.dsp.stft import stereo_bands
from stito.features.spectrum import spectrum

BANDS = 9
LEAP = 2
"""Notes that are so many semitones apart show when the second begins."""
NEAR_S = 0.2
"""How far from where it should be a beginning is looked for."""
HALF_S = 12.0
"""How much of each voice is embedded, twice."""

Voices = Mapping[str, Mapping[str, Tensor]]
"""Vocals without their rests, (2, t), by what made them and song."""


def main() -> None:
    """Print all there is to say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("songs", type=Path, help="what build.py made")
    parser.add_argument("--encoder", nargs="+", default=[], metavar="NAME", help="encoders that compare singers")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many of a kind (default: 20)")
    options = parser.parse_args()
    voices, sung = found(options.songs, options.limit)
    pitch_and_time(sung)
    spectra(voices)
    for encoder in options.encoder:
        singers(voices, encoder)


def found(root: Path, limit: int) -> tuple[Voices, list[tuple[Tensor, list[Note]]]]:
    """Vocals by kind, and those that one voice sang, (2, t) as they are, with their melodies."""
    voices: dict[str, dict[str, Tensor]] = defaultdict(dict)
    sung = []
    for song in find_songs(root):
        about = about_of(root / song.name).get("vocals", {})
        kind = maker(about)
        if "vocals" not in song.stems or len(voices[kind]) >= limit:
            continue
        audio = read_audio(song.stems["vocals"])
        x = resample(audio.stereo(), audio.sample_rate, SAMPLE_RATE)
        if stretches := sounding(x, SAMPLE_RATE):
            voices[kind][song.name] = torch.cat([x[:, start:end] for start, end in stretches], -1)
        if about.get("cast") == "one":
            register = about["singers"][0]["register"]
            sung.append((x, [replace(note, key=note.key + register) for note, _ in map(read, about["notes"])]))
    return voices, sung


def pitch_and_time(sung: Sequence[tuple[Tensor, Sequence[Note]]]) -> None:
    """How far notes sung by one voice (2, t) are from the melody."""
    cents, late = [], []
    for x, line in sung:
        import pyworld  # optional

        mono = x.mean(0).double().numpy()
        f0, _ = pyworld.harvest(mono, SAMPLE_RATE, f0_floor=60.0, f0_ceil=1000.0, frame_period=1000 * FRAME_S)
        cents += [off for off in cents_off(f0, line) if not np.isnan(off)]
        late += list(beginnings(f0, line))
    if not cents:
        print("pitch and time: there is nothing that one voice sings alone")
        return
    away = np.abs(cents)
    middle, most = np.quantile(away, [0.5, 0.95])
    print(
        f"pitch: {len(away)} notes, {middle:.0f} cents off in the median, {most:.0f} in the 95th percentile, ", end=""
    )
    print(f"{100 * np.mean(away < 50):.0f} % within 50")
    if late:
        early, middle, most = 1000 * np.quantile(late, [0.25, 0.5, 0.75])
        print(f"time: {len(late)} leaps, {middle:+.0f} ms late in the median, half of them {early:+.0f} to {most:+.0f}")


def beginnings(f0: Array, line: Sequence[Note]) -> Iterator[float]:
    """By how many seconds each note after a leap is late: where the pitch has come half the way."""
    for before, note in pairwise(line):
        if before.end < note.start or abs(note.key - before.key) < LEAP:
            continue
        near = min(NEAR_S, (note.end - note.start) / 2, (before.end - before.start) / 2)
        first, last = round((note.start - near) / FRAME_S), round((note.start + near) / FRAME_S)
        stretch = f0[first:last]
        between = np.sqrt(hertz(before.key) * hertz(note.key))
        there = (stretch > between) == (note.key > before.key)
        arrived = np.nonzero(there & (stretch > 0))[0]
        if len(arrived):
            yield (first + arrived[0]) * FRAME_S - note.start


def spectra(voices: Voices) -> None:
    """The levels of bands against the whole, in dB: the medians over voices."""
    for kind, of in voices.items():
        bands = [spectrum(stereo_bands(x[None], SAMPLE_RATE, count=BANDS)) for x in of.values()]
        levels = torch.cat([one["band_db"] for one in bands]).median(0).values
        told = (f"{hz:.0f} Hz {level:.0f}" for hz, level in zip(bands[0]["band_hz"][0], levels, strict=True))
        print(f"levels in dB, {kind} ({len(of)}): {', '.join(told)}")


def singers(voices: Voices, encoder: str) -> None:
    """How far voices of a kind are from each other, once normalised, and how far from themselves at another place."""
    of, length = stito.load_encoder(encoder), round(HALF_S * SAMPLE_RATE)
    for kind, sounds in voices.items():
        long = [normalize(x, "vocals") for x in sounds.values() if x.shape[-1] >= 2 * length]
        if len(long) < 2:
            print(f"{encoder}, {kind}: fewer than two voices of {2 * HALF_S:.0f} s")
            continue
        first, second = [x[:, :length] for x in long], [x[:, -length:] for x in long]
        apart = stito.distances(of, first, second, sample_rate=SAMPLE_RATE)
        others, same = apart[~torch.eye(len(long), dtype=torch.bool)], apart.diagonal()
        print(f"{encoder}, {kind} ({len(long)}): {others.mean():.3f} to others, {same.mean():.3f} to themselves")


if __name__ == "__main__":
    main()
