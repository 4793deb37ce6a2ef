"""Writing so that a file, or a folder, is there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stito.errors import OutputError, OutputExistsError, StitoError

__all__ = ["check_writable", "replacing", "replacing_folder", "write_atomic"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def check_writable(path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Make sure, before a long search, that a file can be written at `path`, or files into it if it is a folder.

    Folders that do not exist yet are fine if they can be made. Nothing is left behind.

    Raises `OutputExistsError` if a file is there and may not be overwritten, `OutputError` if writing is impossible.
    """
    path = Path(path)
    try:
        folder = path if path.is_dir() else path.parent
        if folder != path:
            _refuse_existing(path, overwrite)
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise OutputError(
                f"{path} cannot be written: {folder} is a file, not a folder.", hint="Choose another place."
            )
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _explained(path, error) from error


def write_atomic(path: str | os.PathLike[str], data: bytes | str, overwrite: bool = False) -> None:
    """Write a whole file, text as UTF-8; what was there stays until the new file is complete.

    Raises `OutputExistsError` if a file is there and may not be overwritten, `OutputError` if writing fails.
    """
    with replacing(Path(path), overwrite) as file:
        file.write(data.encode(errors="replace") if isinstance(data, str) else data)


@contextlib.contextmanager
def replacing(path: Path, overwrite: bool) -> Iterator[BinaryIO]:
    """A file to write into, which becomes `path` when the block ends well and vanishes when it does not."""
    part = _beside(path)
    try:
        _refuse_existing(path, overwrite)
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            yield file
        _refuse_existing(path, overwrite)
        os.replace(part, path)
    except OSError as error:
        raise _explained(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `path`, in place of one that is there, when the block ends well."""
    part = _beside(path)
    try:
        part.mkdir(parents=True)
        yield part
        shutil.rmtree(path, ignore_errors=True)
        part.rename(path)
    except OSError as error:
        raise _explained(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A name that nobody has, in the same folder: only within a disk is a move atomic."""
    return path.with_name(f".stito-{secrets.token_hex(4)}.part")


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise OutputError(f"{path} is a folder where a file is to be written.", hint="Name a file in it.")
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists.", hint="Choose another name, or overwrite it with --force.")


def _explained(path: Path, error: OSError) -> StitoError:
    """The system's error in words that say what to do; one of our own stays as it is."""
    if isinstance(error, StitoError):
        return error
    if error.errno in _FULL:
        reason, hint = "the disk is full", f"Make room on the disk of {path.parent}, or write somewhere else."
    elif error.errno == errno.EFBIG:
        reason, hint = "the disk takes no file that large", f"{path.parent} has a size limit: write somewhere else."
    elif error.errno in _FORBIDDEN:
        reason, hint = "permission denied", f"Choose a folder that you may write to, or change {path.parent}."
    else:
        reason, hint = error.strerror or str(error), "Choose another place or name."
    return OutputError(f"{path} could not be written: {reason}.", hint=hint)
