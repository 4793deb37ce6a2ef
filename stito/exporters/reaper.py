"""REAPER: a project file with the same tracks, and their audio in a folder beside it. Through `rppxml`, an extra."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stito.audio import check_writable
from stito.console.strips import gain
from stito.errors import MissingDependencyError, OutputExistsError
from stito.exporters.desk import Desk, Track, audio_names, desk_of, write_track
from stito.exporters.exporter import Exported, require_suffix
from stito.exporters.session import Session, written
from stito.files.atomic import write_atomic
from stito.version import __version__

if TYPE_CHECKING:
    import rppxml

    Line = rppxml.RPPXML | list[str | int | float | bytes]

__all__ = ["REAPER", "Reaper"]

NAMESPACE = uuid.UUID("5f0b2d4e-3f34-4f6e-9d0e-6a1f0c6b7a11")
"""Identities of tracks follow from their places and names, so that the same session makes the same file."""
NO_BREAK = "\N{NO-BREAK SPACE}"
NOTE = "Devices are not part of it: the project's notes have them in words."


@dataclass(frozen=True)
class Reaper:
    """Writes a `.rpp`: inputs with faders and pans, rendered stems muted beside them, and the words as its notes."""

    name: str = "reaper"
    suffix: str = ".rpp"

    def export(self, session: Session, out: Path, *, force: bool = False) -> Exported:
        """Write it, and `<name>-audio/` beside it where there is audio."""
        try:
            import rppxml
        except ImportError as error:
            raise MissingDependencyError(
                "REAPER projects need the package rppxml.", hint="pip install 'stito[reaper]', or pip install rppxml"
            ) from error
        require_suffix(out, self.suffix)
        check_writable(out, overwrite=force)
        desk = desk_of(session)
        folder = out.with_name(f"{out.stem}-audio")
        if folder.exists() and not force:
            raise OutputExistsError(f"{folder} exists.", hint="Choose another name, or overwrite with --force.")
        files = [
            None if track.audio is None else file for track, file in zip(desk.tracks, audio_names(desk), strict=True)
        ]
        for track, file in zip(desk.tracks, files, strict=True):
            if file is not None:
                write_track(folder / file, track)
        project = _project(session, desk, [file and f"{folder.name}/{file}" for file in files])
        write_atomic(out, rppxml.dumps(project), overwrite=force)
        return Exported((out, *(folder / file for file in files if file)), (NOTE, *desk.notes))


def _project(session: Session, desk: Desk, files: Sequence[str | None]) -> rppxml.RPPXML:
    from rppxml import RPPXML

    master, rates = desk.master, [track.sample_rate for track in desk.tracks if track.audio is not None]
    told = [written(f"{name}: {strip.text}") for name, strip in session.words.items()]
    lines: list[Line] = [[f"|{line}".replace(" ", NO_BREAK)] for line in told]  # or they would be quoted
    notes = RPPXML("NOTES", [0, 2], lines)
    return RPPXML(
        "REAPER_PROJECT",
        [0.1, f"7.0/stito-{__version__}", 0],
        [
            notes,
            ["SAMPLERATE", rates[0] if rates else 48_000, 1 if rates else 0, 0],
            ["TEMPO", 120, 4, 4],
            ["MASTER_NCH", 2, 2],
            [
                "MASTER_VOLUME",
                round(gain(master.volume_db + master.input_gains_db), 9),
                round(master.pan, 9),
                -1,
                -1,
                1,
            ],
            *(_track(number, track, file) for number, (track, file) in enumerate(zip(desk.tracks, files, strict=True))),
        ],
    )


def _track(number: int, track: Track, file: str | None) -> rppxml.RPPXML:
    from rppxml import RPPXML

    identity = f"{{{str(uuid.uuid5(NAMESPACE, f'{number} {track.name}')).upper()}}}"
    lines: list[Line] = [
        ["NAME", written(track.name)],
        ["VOLPAN", round(gain(track.volume_db + track.input_gains_db), 9), round(track.pan, 9), -1, -1, 1],
        ["MUTESOLO", int(track.muted), 0, 0],
        ["NCHAN", 2],
        ["TRACKID", identity],
    ]
    if file is not None:
        source = RPPXML("SOURCE", ["WAVE"], [["FILE", file]])
        item: list[Line] = [
            ["POSITION", 0],
            ["LENGTH", round(track.seconds, 9)],
            ["LOOP", 0],
            ["NAME", written(track.name)],
            source,
        ]
        lines.append(RPPXML("ITEM", [], item))
    return RPPXML("TRACK", [identity], lines)


REAPER = Reaper()
