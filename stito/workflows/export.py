"""A preset, or the folder of a result, to a file of another tool."""

from __future__ import annotations

from pathlib import Path

from stito.audio import keep_inputs, read_audio
from stito.console.preset import Preset
from stito.errors import MissingFileError, StitoError
from stito.exporters import Exported, Session, load_exporter
from stito.exporters.session import Wet
from stito.mix import Mix, read_mix
from stito.workflows.explain import Source, read_source

__all__ = ["run_export", "session_of"]


def run_export(
    source: Path,
    out: Path,
    exporter: str,
    *,
    audio: Path | None = None,
    stem: str | None = None,
    rate: int | None = None,
    force: bool = False,
) -> Exported:
    """Write a preset, or what is in the folder of a result, in the format of an exporter.

    Args:
        source: the preset, or the folder.
        out: what is written.
        exporter: its registered name.
        audio: the input, a file or a folder of stems; by default the one that the result was made of.
        stem: what a single file is.
        rate: of what is written, where the format leaves it open, in Hz.
        force: overwrite what is there.
    """
    to = load_exporter(exporter)
    found = read_source(source)
    ours = [source] if found.folder is None else [source / name for name in ("preset.json", "mix.wav", "stems")]
    heard = [Path(path) for path in (audio, found.result.get("input")) if path]
    keep_inputs([out], *ours, *heard)
    return to.export(session_of(found, source, audio=audio, stem=stem, rate=rate), out, force=force)


def session_of(
    source: Source, path: Path, *, audio: Path | None = None, stem: str | None = None, rate: int | None = None
) -> Session:
    """All that is known of a preset: its audio is read when it is asked for."""
    recorded = source.result.get("input")

    def read_input() -> Mix | None:
        if audio is not None:
            return _read_input(audio, source.preset, stem)
        if not isinstance(recorded, str) or not recorded:
            return None
        try:
            return _read_input(Path(recorded), source.preset, stem)
        except StitoError:  # it was moved since, or taken apart for the transfer: the rendered stems are there
            return None

    def read_result() -> Wet | None:
        # what was rendered of other audio does not belong beside this
        return None if source.folder is None or audio is not None else _rendered(source, source.folder)

    name = source.folder.absolute().name if source.folder else path.stem
    return Session(name, source.preset, source.reductions, read_input, read_result, rate)


def _read_input(path: Path, preset: Preset, stem: str | None) -> Mix:
    """The input of a preset; `StitoError` if it has none of its stems."""
    only = next(iter(preset.stems))
    named = stem or (only if path.is_file() and only != "mix" and len(preset.stems) == 1 else None)
    mix = read_mix(path, stem=named)
    if not set(mix.stems) & set(preset.stems):
        raise MissingFileError(
            f"{path} has {', '.join(mix.stems)}, and the preset {', '.join(preset.stems)}.",
            hint="Say what the file is with --stem, or give the folder of stems that the preset was made for.",
        )
    return mix


def _rendered(source: Source, folder: Path) -> Wet | None:
    """What a result left in its folder, if it is all there."""
    stems = list(source.preset.stems)
    places = {stem: folder / "stems" / f"{stem}.wav" for stem in stems}
    if len(stems) == 1 and source.preset.master is None and not places[stems[0]].is_file():
        places = {stems[0]: folder / "mix.wav"}
    if not all(place.is_file() for place in places.values()):
        return None
    read = {stem: read_audio(place) for stem, place in places.items()}
    rate = next(iter(read.values())).sample_rate
    samples = {stem: audio.samples for stem, audio in read.items()}
    return Wet(samples, rate, source.preset.output_gain_db, source.preset.master is not None)
