"""Listen to what was sung, by measuring: is it in tune, in time, as bright as people are, by different singers?

    python recipes/open_multitrack/listen.py songs/ --encoder features fxencoder

takes the vocals of a folder that `build.py` made: those that were sung, the stand-ins, and people's.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyworld
import torch
from arrange import Note
from frames import FRAME_S, Array
from intonation import cents_off, hz_of
from singing import read

import stito
from stito.analysis.embeddings import pairwise as pairwise_distances
from stito.audio import read_audio, resample
from stito.data.fxnorm.normalize import normalize
from stito.data.songs import find_songs

RATE = 44_100
EDGES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 11_000, 16_000, 20_000)
BLOCK_S = 2.0
QUIET = 10 ** (-25 / 20)
LEAP = 2
"""Notes that are so many semitones apart show when the second begins."""
NEAR_S = 0.2
"""How far from where it should be a beginning is looked for."""
HALF_S = 12.0
"""How much of each voice is embedded, twice."""

Voices = Mapping[str, Mapping[str, torch.Tensor]]


def main() -> None:
    """Print all there is to say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("songs", type=Path, help="what build.py made")
    parser.add_argument("--encoder", nargs="+", default=[], metavar="NAME", help="encoders that compare singers")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many of a kind (default: 20)")
    options = parser.parse_args()
    voices, abouts = found(options.songs, options.limit)
    pitch_and_time(voices["sung"], abouts)
    spectra(voices)
    for encoder in options.encoder:
        singers(voices, encoder)


def found(root: Path, limit: int) -> tuple[Voices, dict[str, dict[str, Any]]]:
    """Vocals (2, t) by kind and song, and what is known of each song."""
    voices: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    abouts = {}
    for song in find_songs(root):
        if "vocals" not in song.stems:
            continue
        file = root / song.name / "song.json"
        about = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        of = about.get("stems", {}).get("vocals", {})
        kind = "sung" if "sung" in of else "stand-ins" if "soundfont" in of else "people"
        if len(voices[kind]) < limit:
            audio = read_audio(song.stems["vocals"])
            voices[kind][song.name] = resample(audio.stereo(), audio.sample_rate, RATE)
            abouts[song.name] = of
    return voices, abouts


def pitch_and_time(sung: Mapping[str, torch.Tensor], abouts: Mapping[str, dict[str, Any]]) -> None:
    """How far notes sung by one voice are from the melody."""
    cents, late = [], []
    for name, x in sung.items():
        about = abouts[name]
        if about["cast"] != "one":
            continue
        register = about["singers"][0]["register"]
        line = [read(text)[0] for text in about["notes"]]
        line = [Note(note.start, note.end, note.key + register) for note in line]
        f0, _ = pyworld.harvest(x.mean(0).double().numpy(), RATE, f0_floor=60.0, f0_ceil=1000.0)
        cents += [off for off in cents_off(f0, line) if not np.isnan(off)]
        late += list(beginnings(f0, line))
    if cents:
        away, ms = np.abs(cents), 1000 * np.array(late)
        print(
            f"pitch: {len(away)} notes, {np.median(away):.0f} cents off in the median, {np.quantile(away, 0.95):.0f} "
            f"in the 95th percentile, {100 * np.mean(away < 50):.0f} % within 50"
        )
        print(
            f"time: {len(ms)} leaps, {np.median(ms):+.0f} ms late in the median, half of them from "
            f"{np.quantile(ms, 0.25):+.0f} to {np.quantile(ms, 0.75):+.0f}"
        )


def beginnings(f0: Array, line: Sequence[Note]) -> Iterator[float]:
    """By how many seconds each note after a leap is late: where the pitch has come half the way."""
    for before, note in pairwise(line):
        if before.end < note.start or abs(note.key - before.key) < LEAP:
            continue
        near = min(NEAR_S, (note.end - note.start) / 2, (before.end - before.start) / 2)
        first, last = round((note.start - near) / FRAME_S), round((note.start + near) / FRAME_S)
        stretch = f0[first:last]
        between = np.sqrt(hz_of(before.key) * hz_of(note.key))
        there = (stretch > between) == (note.key > before.key)
        arrived = np.nonzero(there & (stretch > 0))[0]
        if len(arrived):
            yield (first + arrived[0]) * FRAME_S - note.start


def spectra(voices: Voices) -> None:
    """The levels of bands against the whole, in dB: the median over voices of the median over sounding blocks."""
    print("bands in Hz:", " ".join(f"{low}-{high}" for low, high in pairwise(EDGES_HZ)))
    for kind, of in voices.items():
        levels = np.median([bands(x.mean(0).double().numpy()) for x in of.values()], 0)
        print(f"{kind} ({len(of)}):", " ".join(f"{level:.0f}" for level in levels))


def bands(x: Array) -> Array:
    """The levels of bands of audio (t,) against the whole, in dB."""
    length = round(BLOCK_S * RATE)
    blocks = [x[at : at + length] for at in range(0, max(1, len(x) - length + 1), length)]
    loud = max(np.sqrt(np.mean(block**2)) for block in blocks)
    out = []
    for block in blocks:
        if np.sqrt(np.mean(block**2)) < QUIET * loud:
            continue
        power, hz = np.abs(np.fft.rfft(block * np.hanning(len(block)))) ** 2, np.fft.rfftfreq(len(block), 1 / RATE)
        inside = [power[(hz >= low) & (hz < high)].sum() for low, high in pairwise(EDGES_HZ)]
        out.append(10 * np.log10(np.array(inside) / sum(inside) + 1e-12))
    return np.asarray(np.median(out, 0))


def singers(voices: Voices, encoder: str) -> None:
    """How far voices of a kind are from each other, once normalised, and how far from themselves at another place."""
    of = stito.load_encoder(encoder)
    for kind, sounds in voices.items():
        halves = [both for x in sounds.values() if len(both := list(halved(normalize(x, "vocals")))) == 2]
        first, second = (stito.embed(of, [both[at] for both in halves], sample_rate=RATE) for at in (0, 1))
        apart = pairwise_distances(of, first, second)
        others = apart[~torch.eye(len(halves), dtype=torch.bool)]
        same = apart.diagonal()
        print(f"{encoder}, {kind} ({len(halves)}): {others.mean():.3f} to others, {same.mean():.3f} to themselves")


def halved(x: torch.Tensor) -> Iterator[torch.Tensor]:
    """Two stretches of a voice (2, t) without its rests."""
    length = round(HALF_S * RATE)
    block = RATE // 10
    blocks = x[:, : x.shape[-1] // block * block].reshape(2, -1, block)
    level = blocks.square().mean((0, 2))
    sounding = blocks[:, level > 1e-3 * level.max()].flatten(1)
    for start in (0, sounding.shape[-1] - length):
        if start >= 0 and sounding.shape[-1] >= 2 * length:
            yield sounding[:, start : start + length]


if __name__ == "__main__":
    main()
