"""FX normalisation of files: one stem, the stems of a song, or targets from a folder of songs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from stito.audio import check_writable, is_silent, is_stem_file, keep_inputs, to_stereo, write_audio
from stito.console.strips import CEILING_DBTP, gain, headroom_db
from stito.data.fxnorm.normalize import Targets, fit_targets, normalize
from stito.data.songs import SAMPLE_RATE, Song, find_songs, read_stems
from stito.errors import OutputError, SettingsError
from stito.mix import Layout, read_mix

__all__ = ["Normalized", "fit_songs", "normalize_files"]


@dataclass(frozen=True)
class Normalized:
    """One stem that was written: its name, the kind it counted as, its loudness, and the gain against clipping."""

    stem: str
    kind: str
    path: Path
    loudness_lufs: float
    gain_db: float

    def __str__(self) -> str:
        kind = "" if self.stem == self.kind else f" as {self.kind}"
        gain = (
            f", turned down by {-self.gain_db:.1f} dB for a true peak of {CEILING_DBTP:g} dBTP" if self.gain_db else ""
        )
        return f"{self.stem}{kind}: {self.loudness_lufs:.1f} LUFS{gain}: {self.path}"


def normalize_files(
    source: Path, out: Path, *, stem: str | None = None, targets: Targets | None = None, force: bool = False
) -> Iterator[Normalized]:
    """Normalise a file that is a stem of the kind `stem`, or each stem of a folder (or stem file) as its own kind.

    A file goes to the file `out`, a folder's stems to `<out>/<stem>.wav`; of a folder, `stem` picks one. Stems whose
    name is no kind count as `other`, and silent ones are left out. Everything is written in stereo, at the rate and
    depth that it came in; in an integer format, no louder than -1 dBTP. Nothing is written before all can be.
    """
    targets = targets or Targets.shipped()
    many = source.is_dir() or is_stem_file(source)
    if many:
        _check_folder(source, out)
    else:
        _check_file(source, out, stem, targets, force)
    mix = read_mix(source, stem=stem)
    paths = {name: out / f"{name}.wav" if many else out for name, x in mix.stems.items() if not is_silent(x)}
    keep_inputs(paths.values(), source)
    for path in paths.values():
        check_writable(path, overwrite=force)
    return _written(dict(mix.stems), mix.layout, paths, targets, force)


def _check_folder(source: Path, out: Path) -> None:
    if out.suffix.lower() == ".wav" or out.is_file():
        raise OutputError(f"{out} is a file, and the stems of {source} need a folder.", hint="Name one with -o.")


def _check_file(source: Path, out: Path, stem: str | None, targets: Targets, force: bool) -> None:
    if stem is None:
        kinds = ", ".join(targets.stems)
        raise SettingsError(f"What kind of stem is {source}?", hint=f"Say it with --stem: {kinds}.")
    targets.of(stem)
    if out.suffix.lower() != ".wav" or out.is_dir():
        raise OutputError(f"{out} would hold WAV.", hint="Name a file that ends in .wav with -o.")
    check_writable(out, overwrite=force)


def _written(
    stems: dict[str, Tensor], layout: Layout, paths: dict[str, Path], targets: Targets, force: bool
) -> Iterator[Normalized]:
    for name, path in paths.items():
        kind = name if name in targets.stems or "other" not in targets.stems else "other"
        subtype, rate = layout.format_of(name).subtype, layout.sample_rate
        x = normalize(to_stereo(stems.pop(name)), kind, sample_rate=rate, targets=targets)  # held once
        gain_db = 0.0 if subtype == "FLOAT" else headroom_db([x], rate)
        write_audio(path, x * gain(gain_db), rate, subtype=subtype, overwrite=force)
        yield Normalized(name, kind, path, targets.of(kind).loudness_lufs + gain_db, gain_db)


def fit_songs(root: Path, out: Path, *, force: bool = False, on_song: Callable[[str], None] | None = None) -> Targets:
    """Targets from the songs in a folder (see `find_songs`), written to a JSON file; `on_song` gets each name."""
    if out.suffix.lower() != ".json" or out.is_dir():
        raise OutputError(f"{out} would hold JSON.", hint="Name it targets.json, for example.")
    check_writable(out, overwrite=force)
    songs = find_songs(root)
    source = f"{len(songs)} {'song' if len(songs) == 1 else 'songs'} in {root.resolve().name}"
    targets = fit_targets(_tracks(songs, on_song), SAMPLE_RATE, source=source)
    targets.save(out, overwrite=force)
    return targets


def _tracks(songs: list[Song], on_song: Callable[[str], None] | None) -> Iterator[tuple[str, Tensor]]:
    for song in songs:
        if on_song:
            on_song(song.name)
        for stem, x in read_stems(song):
            yield stem, to_stereo(x)
