"""A tiny folder in the layout of FMA: two genres that sound different, as MP3."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile

TRACKS = {2: "Rock", 3: "Electronic", 5: "Rock", 10: "Electronic", 999: "Rock", 145_000: "Electronic"}
"""The genre of each number."""
SPLITS = ("training", "validation", "test")
RATE = 44_100


def write_fma(folder: Path, *, third_row: bool = True, seconds: float = 1.0) -> Path:
    """The folder: `fma_small` with noise for rock and tones for electronic, and `fma_metadata/tracks.csv`."""
    for number, genre in TRACKS.items():
        path = folder / "fma_small" / f"{number // 1000:03d}" / f"{number:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        generator, t = np.random.default_rng(number), np.arange(round(seconds * RATE)) / RATE
        noise, tone = generator.standard_normal((2, len(t))), np.sin(2 * np.pi * generator.uniform(200, 300) * t)
        soundfile.write(path, (0.1 * noise if genre == "Rock" else 0.3 * np.stack([tone, tone])).T, RATE, format="MP3")
    table = folder / "fma_metadata" / "tracks.csv"
    table.parent.mkdir()
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["", "album", "artist", "set", "set", "track", "track", "track"])
        rows.writerow(["", "comments", "name", "split", "subset", "genre_top", "license", "title"])
        if third_row:
            rows.writerow(["track_id", *[""] * 7])
        for place, (number, genre) in enumerate(TRACKS.items()):
            split = SPLITS[place % 3]
            rows.writerow([number, 0, "Artist, with a comma", split, "small", genre, "CC BY", f"Track\n{number}"])
        rows.writerow([7, 0, "Nobody", "training", "small", "", "CC BY", "Not in the folder"])
    return folder
