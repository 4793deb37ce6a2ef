"""Where cases come from, as something that can be sent to another process: music, and effects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from stito.data.manipulation import Manipulator, load_manipulator
from stito.evaluation.encoders.cases import Material
from stito.evaluation.encoders.study import DemoSongs, cache_material

__all__ = ["CacheSource", "DemoSource", "Source", "opened"]


class Source(Protocol):
    """Small, hashable and picklable: what it opens is neither."""

    def __hash__(self) -> int: ...

    def material(self) -> Material:
        """The music."""
        ...

    def manipulator(self) -> Manipulator:
        """The effects."""
        ...


@dataclass(frozen=True)
class CacheSource:
    """A split of a cache that `stito data build` made, under the same path wherever cases are run."""

    folder: Path
    split: str

    def material(self) -> Material:
        """The songs of the split."""
        return cache_material(self.folder, self.split)[0]

    def manipulator(self) -> Manipulator:
        """The installed default, in rooms that it makes up."""
        return load_manipulator()


@dataclass(frozen=True)
class DemoSource:
    """The songs that stito composes, in few rooms: for trying things out."""

    def material(self) -> Material:
        """Stems of these songs."""
        return DemoSongs()

    def manipulator(self) -> Manipulator:
        """The installed default, in few rooms."""
        return load_manipulator(rooms=2)


@lru_cache(maxsize=2)
def opened(source: Source) -> tuple[Material, Manipulator]:
    """What a source has, opened once in each process."""
    return source.material(), source.manipulator()
