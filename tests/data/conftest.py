"""The open multitrack recipe, which is no package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[2] / "recipes" / "open_multitrack"


@pytest.fixture(scope="module")
def open_multitrack() -> Iterator[None]:
    """The recipe's modules can be imported, and are forgotten afterwards."""
    sys.path.insert(0, str(RECIPE))
    yield
    sys.path.remove(str(RECIPE))
    for path in RECIPE.glob("*.py"):
        sys.modules.pop(path.stem, None)
