"""Examples in docstrings as code: griffe takes a `>>>` outside an `Examples:` section for a quotation."""

from __future__ import annotations

import re
from typing import Any

import griffe

__all__ = ["Doctests", "fenced"]

BLOCK = re.compile(r"^( *)>>> .*(?:\n\1\S.*|\n\1 .*)*", re.MULTILINE)


def fenced(text: str) -> str:
    """A docstring with a fence around each example."""
    return BLOCK.sub(lambda found: f"{found[1]}```pycon\n{_shown(found[0])}\n{found[1]}```", text)


def _shown(example: str) -> str:
    return re.sub(r" *# doctest: .*", "", example)


class Doctests(griffe.Extension):
    """Fences the examples of every docstring that griffe collects."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Griffe asks this of each object."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)
