"""Audio that is at hand, arranged as song folders: each file a song with one stem, or each folder of short files.

    python recipes/open_multitrack/collect.py -o songs/ --files other "music/*.ogg" --folders vocals "speech/*/"

Released mixes serve as `other`: for an encoder of effects they are one more instrumentation. Speech and single sung
notes serve as `vocals`: short files of one folder, thus of one speaker or session, are strung together.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from glob import glob
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stito.audio import read_audio, resample, write_audio
from stito.errors import StitoError

RATE = 44_100
SHORTEST_S = 10.0
SUFFIXES = (".ogg", ".wav", ".flac", ".mp3", ".opus")


def stretch(x: Tensor, seconds: float, generator: np.random.Generator) -> Tensor:
    """A stretch of that length from anywhere in audio (2, t); all of it if it is shorter."""
    length = round(seconds * RATE)
    start = int(generator.integers(max(1, x.shape[-1] - length + 1)))
    return x[:, start : start + length]


def stereo(path: Path) -> Tensor:
    """The audio of a file, (2, t) at 44.1 kHz."""
    audio = read_audio(path)
    return resample(audio.stereo(), audio.sample_rate, RATE)


def joined(folder: Path, seconds: float) -> Tensor:
    """The files of a folder one after the other, until there is enough."""
    parts, length = [torch.zeros(2, 0)], 0
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES):
        parts.append(stereo(path))
        length += parts[-1].shape[-1]
        if length > seconds * RATE:
            break
    return torch.cat(parts, dim=-1)


def songs(arguments: argparse.Namespace) -> Iterator[tuple[str, str, Path]]:
    """Kind of stem, name and place of every song that was asked for."""
    for stem, *patterns in [*arguments.files, *arguments.folders]:
        for place in sorted(Path(found) for pattern in patterns for found in glob(pattern, recursive=True)):
            if place.is_dir() or place.suffix.lower() in SUFFIXES:
                yield stem, re.sub(r"[^\w-]+", "-", "-".join(place.parts[-2:])), place


def main(argv: Sequence[str] | None = None) -> None:
    """Write the song folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--files", nargs="+", action="append", default=[], metavar=("STEM", "GLOB"))
    parser.add_argument("--folders", nargs="+", action="append", default=[], metavar=("STEM", "GLOB"))
    parser.add_argument("--seconds", type=float, default=60.0, help="as much of each song, from anywhere")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    for index, (stem, name, place) in enumerate(songs(arguments)):
        target = arguments.output / name / f"{stem}.wav"
        if target.exists():
            continue
        try:
            x = joined(place, arguments.seconds) if place.is_dir() else stereo(place)
        except StitoError as error:
            print(f"left out {place}: {error.message}")
            continue
        x = stretch(x, arguments.seconds, np.random.default_rng([arguments.seed, index]))
        if x.shape[-1] < SHORTEST_S * RATE:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        write_audio(target, x / max(1.0, float(x.abs().max())), RATE, subtype="PCM_16")
        print(f"{target}: {x.shape[-1] / RATE:.0f} s", flush=True)


if __name__ == "__main__":
    main()
