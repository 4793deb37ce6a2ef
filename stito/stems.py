"""The kinds of stems that the field separates, normalises and trains on, and names that are almost theirs."""

from __future__ import annotations

from stito.errors import UnknownNameError

__all__ = ["STEMS", "check_stem_name"]

STEMS = ("vocals", "drums", "bass", "other")

_MEANT = frozenset({"others", *(plural[:-1] for plural in ("vocals", "drums"))})
"""Names of a user's own, though they are a letter away."""


def check_stem_name(name: str) -> None:
    """`UnknownNameError` if a stem's name is a slip of the keyboard away from a well-known one, or no name of a file.

    >>> check_stem_name("vocals"), check_stem_name("lead vocal"), check_stem_name("bass2")
    (None, None, None)
    """
    if "/" in name or "\\" in name:
        raise UnknownNameError(f"A stem cannot be called '{name}'.", hint="Leave slashes out: files get its name.")
    if name in STEMS or name in _MEANT or not name.isalpha():
        return
    meant = [known for known in STEMS if _is_slip(name, known)]
    if meant:
        raise UnknownNameError(
            f"Unknown stem '{name}'.",
            hint=f"Did you mean {meant[0]}? Names of your own work too, if they differ in more than one letter.",
        )


def _is_slip(name: str, known: str) -> bool:
    """Whether one letter was left out, put in or mistaken, or two neighbours changed places."""
    if name == known:
        return False
    head = next((i for i, (a, b) in enumerate(zip(name, known, strict=False)) if a != b), min(len(name), len(known)))
    a, b = name[head:], known[head:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[:2] == b[1::-1] and len(b) > 1 and a[2:] == b[2:])
