"""An SFZ file without chance: samples that take turns at random take turns in order, and nothing else is random.

Players draw from a generator that cannot be seeded; the same song is to sound the same each time.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["settled"]

HEADER = re.compile(r"(?=<\w+>)")
TURN = re.compile(r"\b(lo|hi)rand=([0-9.]+)")
CHANCE = re.compile(r"\b\w+_random=\S+")


def settled(text: str, folder: Path) -> str:
    """The text of an SFZ file that lies in a folder, as one that can lie anywhere and plays the same each time."""
    if "#include" in text:
        raise ValueError("files that include others are not read")
    path = re.search(r"\bdefault_path=(\S+)", text)
    inside = path[1] if path else ""
    blocks = HEADER.split(CHANCE.sub("", re.sub(r"\bdefault_path=\S+", "", text)))
    return f"<control> hint_ram_based=1 default_path={folder.resolve().as_posix()}/{inside}\n" + "".join(
        map(_in_order, blocks)
    )


def _in_order(block: str) -> str:
    """One header with what belongs to it: a share of all draws becomes a place in a row."""
    bounds = {which: float(value) for which, value in TURN.findall(block)}
    if not bounds:
        return block
    low, high = bounds.get("lo", 0.0), bounds.get("hi", 1.0)
    turns = max(1, round(1 / max(high - low, 0.01)))
    return TURN.sub("", block).rstrip() + f"\nseq_length={turns}\nseq_position={round(low * turns) + 1}\n\n"
