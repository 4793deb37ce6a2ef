"""Folders that one process at a time writes to: two would overwrite each other's work without a word."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stito.errors import OutputError

__all__ = ["sole_writer"]

LOCK = ".lock"
"""A file that stays behind, empty; what counts is who holds it, and a process that ends holds nothing."""


@contextmanager
def sole_writer(folder: Path, *, traceless: bool = False) -> Iterator[None]:
    """Be the only one to write to a folder, which is made if need be; `OutputError` at once if another is.

    With `traceless` the lock lies among the machine's temporary files: nothing but results is left in the folder, and
    processes of other machines are not kept out.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(_elsewhere(folder) if traceless else folder / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"Another process is writing to {folder}.", hint="Wait for it, end it, or name another folder."
        ) from None
    except NotImplementedError:  # a file system without locks
        yield
        return
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error}.", hint="Choose a folder of yours.") from error
    try:
        yield
    finally:
        lock.release()


def _elsewhere(folder: Path) -> Path:
    """A file of this user's that stands for the folder."""
    try:
        home = str(Path.home())
    except RuntimeError:  # of a user whom the system does not know
        home = ""
    names = f"{home}\n{folder.resolve()}".encode(errors="surrogateescape")
    return Path(tempfile.gettempdir()) / f"stito-{hashlib.sha256(names).hexdigest()[:16]}.lock"
