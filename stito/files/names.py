"""Names of files for things that have names of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

__all__ = ["file_name", "file_names"]


def file_name(name: str) -> str:
    """A name that every file system takes, and that leads nowhere else.

    >>> file_name("cma:features"), file_name("../drums (rendered)")
    ('cma-features', 'drums-rendered')
    """
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")


def file_names(names: Iterable[str], suffix: str = "") -> list[str]:
    """One for each, in order, all different, upper and lower case aside.

    >>> file_names(["drums", "Drums", "a/b"], ".wav")
    ['drums.wav', 'Drums-2.wav', 'a-b.wav']
    """
    found: list[str] = []
    for name in names:
        taken, base = {other.casefold() for other in found}, file_name(name) or "untitled"
        tried = (f"{base}{f'-{number}' if number > 1 else ''}{suffix}" for number in count(1))
        found.append(next(other for other in tried if other.casefold() not in taken))
    return found
