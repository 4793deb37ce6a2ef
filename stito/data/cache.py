"""What training reads: the sounding stretches of all stems in one memory-mapped file.

A cache is a folder with `audio.i16`, the audio of one piece after another (left channel, right channel), and
`index.json`, which lists what lies where. A piece has a gain of its own, so that 16 bits serve audio of any level.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from stito.audio import check_writable, is_silent, write_atomic
from stito.compute.processes import processes
from stito.data.released import separated_stems
from stito.data.silence import faded, sounding
from stito.data.songs import SAMPLE_RATE, Song, check_names, read_stems
from stito.errors import AudioError, MissingFileError, OutputExistsError, SettingsError
from stito.files.documents import parse_json, read_document
from stito.files.locks import sole_writer

__all__ = ["Built", "Cache", "CacheWriter", "Piece", "build_cache"]

INDEX, AUDIO = "index.json", "audio.i16"
FULL_SCALE = 32_767
BYTES_PER_FRAME = 4

Prepare = Callable[[Tensor, str], Tensor]
"""What is done to a whole stem (2, t) of a kind before it is cut: FX normalisation, for one."""


@dataclass(frozen=True)
class Piece:
    """A stretch of one stem without silence.

    `start` is its place in the song and `samples` its length, in samples at the cache's rate; `offset` is its place in
    the cache's file, in frames; a sample is an integer times `gain`.
    """

    song: str
    stem: str
    split: str
    start: int
    samples: int
    offset: int = 0
    gain: float = 1 / FULL_SCALE


@dataclass(frozen=True)
class Cut:
    """A piece on its way into a cache: its audio as integers (2, samples), of which one is worth `gain`."""

    stem: str
    start: int
    audio: np.ndarray
    gain: float

    @classmethod
    def of(cls, stem: str, start: int, x: Tensor) -> Cut:
        """Audio (2, t) as integers that use the whole range of 16 bits."""
        gain = max(x.abs().max().item(), 1e-9) / FULL_SCALE
        return cls(stem, start, (x / gain).round().to(torch.int16).numpy(), gain)


@dataclass(frozen=True)
class Built:
    """How far a cache is: the song just done, its number of how many, the seconds kept of each stem, and a remark."""

    song: str
    index: int
    count: int
    seconds: Mapping[str, float]
    note: str = ""


class _SongEntry(BaseModel):
    split: str
    source: str
    pieces: list[Piece] = []


class _Index(BaseModel):
    version: int = 1
    sample_rate: int = SAMPLE_RATE
    prepared: str = "none"
    songs: dict[str, _SongEntry] = {}


def _read_index(folder: Path) -> _Index:
    path = folder / INDEX
    if not path.is_file() or not (folder / AUDIO).is_file():
        raise MissingFileError(f"{folder} is not a cache of songs.", hint="Make one with `stito data build`.")
    index = parse_json(read_document(path, error=AudioError), _Index, source=str(path), error=AudioError)
    if index.version != 1:
        raise AudioError(f"{path} has version {index.version}.", hint="A newer stito wrote it: build the cache again.")
    return index


class Cache:
    """The pieces of a cache, read without loading it; may be sent to other processes."""

    def __init__(self, folder: Path, pieces: tuple[Piece, ...], sample_rate: int, prepared: str) -> None:
        self.folder = folder
        self.pieces = pieces
        self.sample_rate = sample_rate
        self.prepared = prepared

    @classmethod
    def open(cls, folder: str | Path) -> Cache:
        """The cache in a folder; `MissingFileError` or `AudioError` if there is none, or it is empty or cut short."""
        folder = Path(folder)
        index = _read_index(folder)
        pieces = tuple(piece for song in index.songs.values() for piece in song.pieces)
        if not pieces:
            raise AudioError(f"{folder} holds no audio.", hint="Were all stems silent, or shorter than 2 s?")
        needed = max(piece.offset + piece.samples for piece in pieces) * BYTES_PER_FRAME
        if (folder / AUDIO).stat().st_size < needed:
            raise AudioError(f"{folder / AUDIO} is cut short.", hint="Delete the folder and build the cache again.")
        return cls(folder, pieces, index.sample_rate, index.prepared)

    @property
    def preparation(self) -> str:
        """What was done to its audio, in words."""
        return f"prepared by {self.prepared}" if self.prepared != "none" else "not normalised"

    def read(self, piece: int, start: int, samples: int) -> np.ndarray:
        """Some of a piece as float32 (2, samples), as loud as it was prepared; `SettingsError` beyond its ends."""
        here = self.pieces[piece]
        if not 0 <= start <= start + samples <= here.samples:
            raise SettingsError(f"Samples {start} to {start + samples} of a piece of {here.samples} cannot be read.")
        stored = self._audio[2 * here.offset : 2 * (here.offset + here.samples)].reshape(2, here.samples)
        audio = stored[:, start : start + samples].astype(np.float32)
        audio *= np.float32(here.gain)
        return audio

    def seconds(self) -> dict[str, dict[str, float]]:
        """How much there is, in seconds by split and stem."""
        total: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for piece in self.pieces:
            total[piece.split][piece.stem] += piece.samples / self.sample_rate
        return {split: dict(stems) for split, stems in total.items()}

    @cached_property
    def _audio(self) -> np.ndarray:
        return np.memmap(self.folder / AUDIO, dtype="<i2", mode="r")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_audio"}  # else it would be copied


class CacheWriter:
    """A cache in the making: songs are appended one by one, each whole or not at all; a rerun goes on after them.

    `prepared` names what was done to the audio; `OutputExistsError` for a cache of audio to which something else was.
    """

    def __init__(self, folder: Path, prepared: str) -> None:
        check_writable(folder / INDEX, overwrite=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.note = ""
        there = (folder / INDEX).is_file() and (folder / AUDIO).is_file()
        self._index = _read_index(folder) if there else _Index(prepared=prepared)
        if self._index.prepared != prepared:
            raise OutputExistsError(
                f"{folder} was prepared with {self._index.prepared!r}, not {prepared!r}.",
                hint="Name another folder, or delete this one.",
            )
        self._end = max((p.offset + p.samples for song in self._index.songs.values() for p in song.pieces), default=0)
        self._save()
        self._file = (folder / AUDIO).open("r+b" if there else "w+b")
        self._file.truncate(self._end * BYTES_PER_FRAME)  # what a broken-off run left
        self._file.seek(0, 2)

    def holds(self, name: str, source: str, split: str) -> bool:
        """Whether a song is there as it is now; a song that changed is forgotten, one that changed split is moved."""
        entry = self._index.songs.get(name)
        if entry is None:
            return False
        if entry.source != source:
            self.note = f"{name} has changed: caching it again."
            del self._index.songs[name]
            return False
        if entry.split != split:
            entry.split = split
            entry.pieces = [Piece(**asdict(piece) | {"split": split}) for piece in entry.pieces]
            self._save()
        return True

    def seconds(self, name: str) -> dict[str, float]:
        """What there is of a song, in seconds by stem."""
        total: dict[str, float] = defaultdict(float)
        for piece in self._index.songs[name].pieces:
            total[piece.stem] += piece.samples / self._index.sample_rate
        return dict(total)

    def add(self, name: str, source: str, split: str, cuts: Sequence[Cut]) -> None:
        """Append the pieces of a song; the index knows of them when all are on the disk."""
        entry = _SongEntry(split=split, source=source)
        end = self._end
        for cut in cuts:
            samples = cut.audio.shape[1]
            self._file.write(cut.audio.astype("<i2", copy=False).tobytes())
            entry.pieces.append(Piece(name, cut.stem, split, cut.start, samples, end, cut.gain))
            end += samples
        self._file.flush()
        self._index.songs[name], self._end = entry, end
        self._save()

    def _save(self) -> None:
        text = json.dumps(self._index.model_dump(), separators=(",", ":"))
        write_atomic(self.folder / INDEX, text, overwrite=True)

    def close(self) -> None:
        """Close the file; what was added is there already."""
        self._file.close()


def build_cache(
    songs: Sequence[Song],
    out: Path,
    *,
    prepare: Prepare | None = None,
    prepared: str | None = None,
    separator: str | None = None,
    workers: int = 1,
    on_progress: Callable[[Built], None] | None = None,
) -> Cache:
    """Cache the sounding stretches of all stems, at 44.1 kHz in stereo; a rerun does only what is new or changed.

    `prepare` is applied to each whole stem before its silence is cut away; `prepared` names it in the cache (its
    `__name__`, else). With several `workers`, processes, it must be a function of a module. A song without a split is
    for training. Songs of `find_released` are taken apart by a `separator`; of these, files that cannot be read are
    kept as songs without audio, and a remark.

    Raises `AudioError` for a file that cannot be read, `OutputError` while another process builds the same cache,
    `OutputExistsError` for one that was prepared differently, and as `Cache.open` does.
    """
    check_names(songs)
    prepared = prepared or ("none" if prepare is None else str(getattr(prepare, "__name__", "custom")))
    if separator:
        prepared = f"{prepared}, separated by {separator}"
    with sole_writer(out), closing(CacheWriter(out, prepared)) as writer:
        todo = [song for song in songs if not writer.holds(song.name, song.fingerprint(), song.split or "train")]
        for at, (song, made) in enumerate(_each(todo, prepare, separator, workers), len(songs) - len(todo)):
            writer.add(song.name, song.fingerprint(), song.split or "train", made.cuts)
            if on_progress:
                note = " ".join(filter(None, (writer.note, made.note)))
                on_progress(Built(song.name, at, len(songs), writer.seconds(song.name), note))
            writer.note = ""
    return Cache.open(out)


def _each(
    songs: Sequence[Song], prepare: Prepare | None, separator: str | None, workers: int
) -> Iterator[tuple[Song, _Made]]:
    """What is kept of songs in order, by several processes if there are `workers`."""
    make = partial(_made, prepare=prepare, separator=separator)
    if workers <= 1:
        for song in songs:
            yield song, make(song)
        return
    with processes(workers) as pool:
        yield from zip(songs, pool.map(make, songs), strict=True)


@dataclass(frozen=True)
class _Made:
    """The sounding stretches of all stems of a song, and a remark."""

    cuts: Sequence[Cut]
    note: str = ""


def _made(song: Song, prepare: Prepare | None, separator: str | None) -> _Made:
    if separator is None:
        return _Made(_cuts(read_stems(song), prepare))
    try:
        return _Made(_cuts(separated_stems(song, separator), prepare))
    except AudioError as error:
        return _Made([], f"{song.name} is left out: {error}")


def _cuts(stems: Iterable[tuple[str, Tensor]], prepare: Prepare | None) -> list[Cut]:
    cuts = []
    for stem, x in stems:
        if is_silent(x):
            continue
        x = prepare(x, stem) if prepare else x
        for start, end in sounding(x, SAMPLE_RATE):
            cuts.append(Cut.of(stem, start, faded(x[:, start:end], SAMPLE_RATE)))
    return cuts
