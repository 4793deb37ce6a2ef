"""What an exporter is: it writes a session in one format, and says what does not fit in there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from stito import registry
from stito.errors import OutputError
from stito.exporters.session import Session

__all__ = ["Exported", "Exporter", "load_exporter", "require_suffix"]


@dataclass(frozen=True)
class Exported:
    """What was written, and what a person has to know of it.

    Attributes:
        files: all of them.
        notes: what was mapped how, and what was left out, in sentences.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@runtime_checkable
class Exporter(Protocol):
    """A format into which settings, and their audio, are written.

    `stito.testing.check_exporter` is the contract in code.

    Attributes:
        name: the registered name.
        suffix: what the output's name ends in, such as `.csv`; "" for a folder.
    """

    name: str
    suffix: str

    def export(self, session: Session, out: Path, *, force: bool = False) -> Exported:
        """Write a session.

        Args:
            session: settings, words, and the audio that is there.
            out: a file of this suffix, or a folder, which is made if need be.
            force: overwrite what is there.

        Returns:
            The files and notes; the same session gives the same files, byte for byte.

        Raises:
            OutputExistsError: something is there, and may not be overwritten.
            StitoError: this session cannot be written in this format; the hint says what it lacks.
        """
        ...


def load_exporter(name: str) -> Exporter:
    """The installed exporter of that name; `UnknownNameError` with what there is."""
    exporter: Exporter = registry.load("exporter", name)
    return exporter


def require_suffix(out: Path, suffix: str) -> None:
    """`OutputError` if a file would be written that nobody recognises by its name."""
    if out.suffix.lower() != suffix:
        raise OutputError(f"{out} would hold {suffix[1:]}.", hint=f"Name it {out.with_suffix(suffix).name}.")
