"""Build an open multitrack set: an album of stems, band songs rendered from MIDI, voices.

    python recipes/open_multitrack/build.py --midi DIR --album DIR --voices DIR --soundfont SF2 -o songs/

writes `songs/<song>/<stem>.flac` and `songs/split.json`; README.md lists the sources. A rerun goes on where the
last one stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from arrange import excerpt
from midi import read_midi
from rendering import INSTEAD, Band, levelled, render_stems
from sampled import instruments
from torch import Tensor

from stito import streams
from stito.audio import AUDIO_SUFFIXES, read_audio, resample
from stito.audio.compressed import write_compressed
from stito.data.songs import SAMPLE_RATE, SPLIT_FILE, find_songs, read_splits
from stito.errors import StitoError
from stito.files.atomic import replacing_folder, write_atomic
from stito.stems import STEMS
from stito.streams import Purpose

ABOUT = "song.json"
"""Written last into each song's folder: what it was made of. A folder without it is made again."""
SHORT_S = 10.0
"""Recordings shorter than this are words or notes, and are strung together."""
VALID_PERCENT = 8


def main() -> None:
    """Build all that was named, then print how much there is."""
    options = parse()
    out: Path = options.output
    out.mkdir(parents=True, exist_ok=True)
    for root in options.album:
        link_album(root, out)
    voices = {name for root in options.voices for name in string_voices(root, out, options.seed)}
    held_out = options.hold_out | (voices if options.sing else set())
    render_all(list(midi_files(options.midi))[: options.limit], options, held_out)
    write_split(out, held_out)
    report(out)


def parse() -> argparse.Namespace:
    """The options: sampled basses as SFZ files, what is held out as names of songs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--midi", type=Path, nargs="+", default=[], metavar="DIR", help="folders of MIDI files, searched through")
    add("--soundfont", type=Path, nargs="+", default=[], metavar="SF2", help="what to render them with")
    add("--album", type=Path, nargs="+", default=[], metavar="DIR", help="folders of songs as stems, linked to")
    add("--voices", type=Path, nargs="+", default=[], metavar="DIR", help="folders of recorded voices")
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="where the songs go")
    add("--seconds", type=float, default=60.0, help="how much of each MIDI song (default: 60)")
    add("--limit", type=int, default=None, metavar="N", help="at most so many MIDI songs, chosen by hash")
    add(
        "--sing",
        type=share,
        nargs="?",
        const=1.0,
        default=0.0,
        metavar="SHARE",
        help="melodies are sung, by an HMM "
        "singer made into many, in this share of the MIDI songs (default: none; without a number: all)",
    )
    add("--sfz-bass", type=Path, nargs="+", default=[], metavar="DIR", help="folders of sampled basses (SFZ)")
    add("--sfz-share", type=share, default=0.5, metavar="SHARE", help="how many MIDI songs they play in (default: 0.5)")
    add(
        "--hold-out",
        nargs="+",
        default=[],
        metavar="SONG",
        help="songs that are for validation, by name, or split files that name them",
    )
    add("--seed", type=int, default=0, help="same seed, same songs (default: 0)")
    add("--workers", type=int, default=2, help="renderers side by side (default: 2)")
    options = parser.parse_args()
    if options.midi and not (options.soundfont and shutil.which("fluidsynth")):
        parser.error("MIDI needs --soundfont, and fluidsynth on the PATH")
    for wanted, modules in ((options.sing, ("pysinsy", "pyworld", "pkg_resources")), (options.sfz_bass, ("pysfizz",))):
        if wanted and (missing := [module for module in modules if not find_spec(module)]):
            parser.error(f"{' and '.join(missing)} cannot be found: README.md says how to install what sings and plays")
    folders = options.sfz_bass
    try:
        options.sfz_bass, options.hold_out = instruments(folders), {*named(options.hold_out)}
    except (StitoError, ValueError) as error:
        parser.error(str(error))
    if folders and not options.sfz_bass:
        parser.error("there is no SFZ file in the folders of --sfz-bass")
    return options


def share(text: str) -> float:
    """A number from 0 to 1."""
    if not 0 <= (number := float(text)) <= 1:
        raise ValueError(text)
    return number


def named(held_out: Iterable[str]) -> Iterator[str]:
    """The names of songs that are held out, those in split files among them."""
    for name in held_out:
        if name.endswith(".json"):
            yield from (song for song, split in read_splits(Path(name)).items() if split != "train")
        else:
            yield name


def hashed(text: str) -> int:
    """A number that depends on a text alone, on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


# --- MIDI


def midi_files(roots: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """MIDI files with a name for the song of each, in an order that mixes the folders; copies are left out."""
    found, seen = {}, set()
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.suffix.lower() not in (".mid", ".midi"):
                continue
            digest = hashlib.sha256(path.read_bytes()).digest()
            if digest not in seen:
                seen.add(digest)
                place = "-".join([root.name, *path.relative_to(root).with_suffix("").parts])
                found[re.sub(r"[^A-Za-z0-9]+", "-", place).strip("-").lower()] = path
    yield from sorted(found.items(), key=lambda item: hashed(item[0]))


def render_all(files: Sequence[tuple[str, Path]], options: argparse.Namespace, held_out: Container[str]) -> None:
    """Render the songs that are not there yet, some at a time.

    Songs that are held out have neither made singing nor sampled basses: they measure the same as before.
    """
    plain = Band(options.soundfont, options.seed)
    band = replace(plain, sing_share=options.sing, basses=options.sfz_bass, bass_share=options.sfz_share)
    todo = [(name, path) for name, path in files if not (options.output / name / ABOUT).is_file()]
    print(f"{len(files)} MIDI songs, {len(files) - len(todo)} of them there already", flush=True)
    began = time.monotonic()
    with ThreadPoolExecutor(options.workers) as pool:

        def render(song: tuple[str, Path]) -> str:
            return render_song(*song, options, plain if is_held_out(song[0], held_out) else band)

        for at, line in enumerate(pool.map(render, todo), 1):
            left = (time.monotonic() - began) / at * (len(todo) - at) / 60
            print(f"{at}/{len(todo)} {line} ({left:.0f} min left)", flush=True)


def render_song(name: str, path: Path, options: argparse.Namespace, band: Band) -> str:
    """Render the stems of one song into its folder; a line about it."""
    generator = streams.generator(options.seed, Purpose.RENDERED_SONG, name)
    try:
        events = read_midi(path.read_bytes())
        speed, semitones = 1 + generator.uniform(-0.08, 0.08), int(generator.integers(-3, 4))
        length = max((event.time for event in events), default=0.0)
        start = generator.uniform(0, max(0.0, length - speed * options.seconds))
        seconds = min(options.seconds, length / speed)
        events = excerpt(events, start, seconds, speed=speed)
        with replacing_folder(options.output / name) as part:
            stems = render_stems(events, seconds, semitones, part, band, generator, name)
            about = {"source": path.name, "start_s": start, "speed": speed, "semitones": semitones, "stems": stems}
            write_atomic(part / ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    except ValueError as error:
        return f"{name}: left out, {error}"
    told = (f"{stem} (instead of {of[INSTEAD]})" if INSTEAD in of else stem for stem, of in stems.items())
    return f"{name}: {' '.join(told) or 'silence'}"


# --- Albums and voices


def link_album(root: Path, out: Path) -> None:
    """Take over songs that are stems already, by links."""
    for song in find_songs(root):
        folder = out / song.name
        folder.mkdir(exist_ok=True)
        for stem, path in song.stems.items():
            link = folder / f"{stem}{path.suffix.lower()}"
            link.unlink(missing_ok=True)
            link.symlink_to(path.resolve())


def string_voices(root: Path, out: Path, seed: int) -> list[str]:
    """One song for each folder of recordings, or for each first word of their names if they lie side by side.

    Words and notes follow each other in random order, as close as in a phrase; longer recordings stay as they are.
    Copies of a recording are left out.

    Returns:
        The names of the songs, those that were there already among them.
    """
    groups: dict[str, list[Path]] = defaultdict(list)
    seen = set()
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in AUDIO_SUFFIXES or (digest := hashlib.sha256(path.read_bytes()).digest()) in seen:
            continue
        seen.add(digest)
        inside = path.relative_to(root)
        groups[inside.parts[0] if len(inside.parts) > 1 else inside.stem.split("-")[0]].append(path)
    songs = {f"voice-{root.name}-{group}": paths for group, paths in groups.items()}
    for name, paths in songs.items():
        folder = out / name
        if (folder / ABOUT).is_file():
            continue
        x = torch.cat(list(phrases(paths, streams.generator(seed, Purpose.STRUNG_VOICES, name))), -1)
        folder.mkdir(exist_ok=True)
        write_compressed(folder / "vocals.flac", x, SAMPLE_RATE, overwrite=True)
        seconds = x.shape[-1] / SAMPLE_RATE
        about = {"source": [path.name for path in paths], "stems": {"vocals": {"seconds": seconds}}}
        write_atomic(folder / ABOUT, json.dumps(about, indent=1) + "\n", overwrite=True)
        print(f"{name}: {seconds:.0f} s of {len(paths)} recordings", flush=True)
    return list(songs)


def phrases(paths: Sequence[Path], generator: np.random.Generator) -> Iterator[Tensor]:
    """Recordings (2, t) and the gaps between them."""
    for number in generator.permutation(len(paths)):
        audio = read_audio(paths[number])
        x = levelled(resample(audio.stereo(), audio.sample_rate, SAMPLE_RATE))
        if x is not None:
            yield trimmed(x) if audio.duration_s < SHORT_S else x
            yield torch.zeros(2, round(generator.uniform(0.02, 0.25) * SAMPLE_RATE))


def trimmed(x: Tensor) -> Tensor:
    """Audio (2, t) from where it first to where it last exceeds 40 dB below its peak."""
    loud = (x.abs().amax(0) > 0.01 * x.abs().max()).nonzero().flatten()
    margin = round(0.02 * SAMPLE_RATE)
    return x[:, max(0, int(loud[0]) - margin) : int(loud[-1]) + margin]


# --- What there is


def is_held_out(name: str, held_out: Container[str]) -> bool:
    """Whether a rendered song is for validation: if it is named, and about 8 % of the others by a hash of their names.

    Songs whose names differ in a last number only are variations of one, and stay together.
    """
    return name in held_out or hashed(re.sub(r"-\d+$", "", name)) % 100 < VALID_PERCENT


def write_split(out: Path, held_out: Collection[str]) -> None:
    """Write down what is held out: songs that are named, and rendered ones by a hash of their names.

    What a split file there says already is kept.
    """
    path = out / SPLIT_FILE
    split: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    valid = {*split.get("valid", [])}
    for song in out.iterdir():
        rendered = (song / ABOUT).is_file() and not song.name.startswith("voice-")
        if song.name in held_out or (rendered and is_held_out(song.name, held_out)):
            valid.add(song.name)
    valid -= {*split.get("train", []), *split.get("test", [])}
    write_atomic(path, json.dumps(split | {"valid": sorted(valid)}, indent=1) + "\n", overwrite=True)


def report(out: Path) -> None:
    """Print the minutes of each stem, pauses included, by what made them."""
    minutes: dict[tuple[str, str, str], float] = defaultdict(float)
    songs = find_songs(out)
    for song in songs:
        stems = about_of(out / song.name)
        for stem, path in song.stems.items():
            seconds = stems[stem]["seconds"] if stem in stems else read_audio(path).duration_s
            minutes[song.split or "train", stem, maker(stems.get(stem, {}))] += seconds / 60
    for split in ("train", "valid"):
        print(f"{split}: {sum((song.split or 'train') == split for song in songs)} songs, minutes:")
        for stem in STEMS:
            of = {made: m for (where, what, made), m in sorted(minutes.items()) if (where, what) == (split, stem)}
            print(f"  {stem}: {', '.join(f'{made} {m:.1f}' for made, m in of.items()) or 'none'}")


def about_of(song: Path) -> dict[str, dict[str, Any]]:
    """What is written down of each stem in a song's folder: nothing, where the song was only linked to."""
    path = song / ABOUT
    about: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return about.get("stems", {})


def maker(about: Mapping[str, object]) -> str:
    """What made a stem, from what is written down of it."""
    kinds = {"sung": "sung", "sfz": "sampled bass", "soundfont": "SoundFont"}
    return next((kind for key, kind in kinds.items() if key in about), "recorded")


if __name__ == "__main__":
    main()
