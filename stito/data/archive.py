"""Caches on the way to another machine: pieces as Ogg Vorbis in archives below a size, and back to a cache.

An archive is a plain zip that holds whole songs, each piece a file at full scale, and `pack.json`, the list of them.
Each stands alone: a cache can be made of any of them, and grows with those that come later.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel

from stito.audio import check_writable, read_audio
from stito.audio.compressed import write_compressed
from stito.data.cache import FULL_SCALE, Cache, CacheWriter, Cut, Piece
from stito.errors import AudioError, OutputError
from stito.files.atomic import replacing
from stito.files.documents import parse_json
from stito.files.locks import sole_writer

__all__ = ["Packed", "choose", "pack", "unpack"]

INDEX = "pack.json"
ROOM, OVERHEAD = 1 << 16, 512
"""Bytes kept free in an archive, and counted for each piece: the index and the zip's directory."""
HEADROOM = 0.9
"""Vorbis overshoots: pieces are written with so much of full scale."""

_Encoded = tuple[int, bytes]
"""The number of a piece in its cache, and its file."""


@dataclass(frozen=True)
class Packed:
    """An archive that was written or read, and the seconds of audio in it."""

    path: Path
    seconds: float


class _Entry(BaseModel):
    file: str
    piece: Piece


class _PackIndex(BaseModel):
    version: int = 1
    sample_rate: int
    prepared: str
    entries: list[_Entry]


def choose(cache: Cache, hours: float | None) -> list[int]:
    """The numbers of the pieces to take: all, or up to `hours` of each stem and split, from as many songs as possible.

    Songs take turns, so that a bound takes from each song rather than whole songs.
    """
    turns: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, piece in enumerate(cache.pieces):
        turns[piece.split, piece.stem][piece.song].append(number)
    chosen: list[int] = []
    for songs in turns.values():
        left = float("inf") if hours is None else hours * 3600
        for number in _in_turns(list(songs.values())):
            seconds = cache.pieces[number].samples / cache.sample_rate
            if seconds <= left:
                chosen.append(number)
                left -= seconds
    return sorted(chosen)


def _in_turns(queues: Sequence[Sequence[int]]) -> Iterator[int]:
    """The first of each, then the second of each that has one, and so on."""
    for turn in range(max(map(len, queues))):
        yield from (queue[turn] for queue in queues if turn < len(queue))


def pack(
    cache: Cache,
    out: Path,
    *,
    megabytes: float = 60.0,
    quality: float = 0.4,
    hours: float | None = None,
    overwrite: bool = False,
    on_progress: Callable[[Packed], None] | None = None,
) -> list[Path]:
    """Write the pieces of a cache into `out/pack-000.zip`, ..., each of `megabytes` (2^20 bytes) at most.

    `quality` is Vorbis's, 0 to 1; `hours` bounds the length of each stem and split (see `choose`). Archives that
    are there are replaced if `overwrite` is set.

    Raises `OutputExistsError` if there are some and it is not, `OutputError` if a song alone is larger than an archive
    may be, or it cannot be written.
    """
    _clear(out, overwrite)
    largest = int(megabytes * (1 << 20)) - ROOM
    paths: list[Path] = []
    waiting: list[_Encoded] = []
    for song, encoded in _songs(cache, choose(cache, hours), quality):
        if _size(encoded) > largest:
            raise OutputError(
                f"{song} takes {_size(encoded) / (1 << 20):.1f} MiB and does not fit into {megabytes:g} MiB.",
                hint="Allow larger archives, lower the quality, or take fewer hours.",
            )
        if _size(waiting + encoded) > largest:
            paths.append(_archive(cache, out / f"pack-{len(paths):03}.zip", waiting, on_progress))
            waiting = []
        waiting += encoded
    paths.append(_archive(cache, out / f"pack-{len(paths):03}.zip", waiting, on_progress))
    return paths


def _clear(out: Path, overwrite: bool) -> None:
    """Make room for archives: those of a larger cache before would be taken for this one's."""
    for path in [out / "pack-000.zip", *out.glob("pack-*.zip")]:
        check_writable(path, overwrite)
        path.unlink(missing_ok=True)


def _size(encoded: Sequence[_Encoded]) -> int:
    return sum(len(content) + OVERHEAD for _, content in encoded)


def _songs(cache: Cache, numbers: Sequence[int], quality: float) -> Iterator[tuple[str, list[_Encoded]]]:
    """Songs with their pieces as Ogg Vorbis, each at full scale whatever its level."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece.ogg"
        for song, own in groupby(numbers, key=lambda number: cache.pieces[number].song):
            encoded = []
            for number in own:
                piece = cache.pieces[number]
                audio = cache.read(number, 0, piece.samples) * np.float32(HEADROOM / (piece.gain * FULL_SCALE))
                write_compressed(path, torch.from_numpy(audio), cache.sample_rate, quality=quality, overwrite=True)
                encoded.append((number, path.read_bytes()))
            yield song, encoded


def _archive(
    cache: Cache, path: Path, encoded: Sequence[_Encoded], on_progress: Callable[[Packed], None] | None
) -> Path:
    entries = [_Entry(file=f"{number:06}.ogg", piece=cache.pieces[number]) for number, _ in encoded]
    index = _PackIndex(sample_rate=cache.sample_rate, prepared=cache.prepared, entries=entries)
    with replacing(path, overwrite=True) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for entry, (_, content) in zip(entries, encoded, strict=True):
            archive.writestr(entry.file, content)
        archive.writestr(INDEX, json.dumps(index.model_dump()), zipfile.ZIP_DEFLATED)
    if on_progress:
        on_progress(Packed(path, sum(entry.piece.samples for entry in entries) / cache.sample_rate))
    return path


def unpack(archives: Sequence[Path], out: Path, *, on_progress: Callable[[Packed], None] | None = None) -> Cache:
    """Make a cache of archives, or add archives to one; those that it has already are passed over.

    Raises `AudioError` for an archive that cannot be read, or was prepared differently from the first, and what
    `build_cache` does of the cache.
    """
    if not archives:
        raise AudioError("There is nothing to unpack.", hint="Give the .zip files that `stito data pack` wrote.")
    prepared = _index_of(archives[0]).prepared
    with sole_writer(out), closing(CacheWriter(out, prepared)) as writer:
        for path in archives:
            index = _index_of(path)
            if index.prepared != prepared:
                raise AudioError(
                    f"{path} was prepared with {index.prepared!r}, {archives[0]} with {prepared!r}.",
                    hint="Unpack them into caches of their own.",
                )
            _unpack_one(path, index, writer)
            if on_progress:
                on_progress(Packed(path, sum(entry.piece.samples for entry in index.entries) / index.sample_rate))
    return Cache.open(out)


def _index_of(path: Path) -> _PackIndex:
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(INDEX).decode("utf-8")
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise AudioError(f"{path} is no archive of a cache.", hint="Make one with `stito data pack`.") from error
    return parse_json(text, _PackIndex, source=f"{path}: {INDEX}", error=AudioError)


def _unpack_one(path: Path, index: _PackIndex, writer: CacheWriter) -> None:
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        for song, group in groupby(index.entries, key=lambda entry: entry.piece.song):
            entries = list(group)
            source, split = " ".join(str(archive.getinfo(entry.file).CRC) for entry in entries), entries[0].piece.split
            if not writer.holds(song, source, split):
                cuts = [_decoded(Path(archive.extract(entry.file, folder)), entry.piece) for entry in entries]
                writer.add(song, source, split, cuts)


def _decoded(path: Path, piece: Piece) -> Cut:
    audio = read_audio(path).samples[:, : piece.samples]
    path.unlink()
    return Cut.of(piece.stem, piece.start, audio * (piece.gain * FULL_SCALE / HEADROOM))
