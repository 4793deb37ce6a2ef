"""A command of stito as one would type it."""

from __future__ import annotations

import shlex

__all__ = ["command_line"]


def command_line(*words: str, **options: object) -> str:
    """A command of stito as one would type it: no option that is None or False, and the name alone of one that is True.

    A sequence is an option given several times.
    """
    out = ["stito", *words]
    for name, value in options.items():
        option = f"-{name}" if len(name) == 1 else f"--{name}"
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is not None and one is not False:
                out += [option] if one is True else [option, str(one)]
    return shlex.join(out)
