"""Audio files as song folders of one stem each: more content for songs that were built.

    python recipes/open_multitrack/collect.py -o songs/ other "music/**/*.ogg"

Released mixes serve as `other`: for an encoder of effects they are one more instrumentation. The stretch that is
taken of a song follows from the seed and its name.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from glob import glob
from pathlib import Path

import numpy as np
from torch import Tensor

from stito import streams
from stito.audio import AUDIO_SUFFIXES, read_audio, resample
from stito.audio.compressed import write_compressed
from stito.errors import StitoError
from stito.stems import STEMS
from stito.streams import Purpose

RATE = 44_100
SHORTEST_S = 10.0


def stretch(x: Tensor, seconds: float, generator: np.random.Generator) -> Tensor:
    """A stretch of that length from anywhere in audio (2, t); all of it if it is shorter."""
    length = round(seconds * RATE)
    start = int(generator.integers(max(1, x.shape[-1] - length + 1)))
    return x[:, start : start + length]


def stereo(path: Path) -> Tensor:
    """The audio of a file, (2, t) at 44.1 kHz."""
    audio = read_audio(path)
    return resample(audio.stereo(), audio.sample_rate, RATE)


def songs(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Name and place of every song that was asked for."""
    for place in sorted(Path(found) for pattern in arguments.files for found in glob(pattern, recursive=True)):
        if place.suffix.lower() in AUDIO_SUFFIXES:
            yield re.sub(r"[^\w-]+", "-", "-".join(place.parts[-2:])), place


def main(argv: Sequence[str] | None = None) -> None:
    """Write the song folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("stem", choices=STEMS, help="what the files are")
    parser.add_argument("files", nargs="+", metavar="GLOB", help="which files, quoted; ** stands for any folders")
    parser.add_argument("--seconds", type=float, default=60.0, help="as much of each song, from anywhere")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    for name, place in songs(arguments):
        target = arguments.output / name / f"{arguments.stem}.ogg"
        if target.exists():
            continue
        try:
            x = stereo(place)
        except StitoError as error:
            print(f"left out {place}: {error.message}")
            continue
        x = stretch(x, arguments.seconds, streams.generator(arguments.seed, Purpose.TAKEN_STRETCH, name))
        if x.shape[-1] < SHORTEST_S * RATE:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        write_compressed(target, x / max(1.0, float(x.abs().max())), RATE)
        print(f"{target}: {x.shape[-1] / RATE:.0f} s", flush=True)


if __name__ == "__main__":
    main()
