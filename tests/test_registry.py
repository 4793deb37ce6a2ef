"""The registry: what is listed, what is loaded, and what a broken or colliding plug-in does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from stito import registry
from stito.errors import PluginError, UnknownNameError
from stito.registry import Manifest


@dataclass
class FakeDistribution:
    name: str


@dataclass
class FakePoint:
    """An entry point that is not installed."""

    name: str
    dist: FakeDistribution
    thing: Any
    value: str = "somewhere:MANIFEST"

    def load(self) -> Any:
        if isinstance(self.thing, Exception):
            raise self.thing
        return self.thing


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakePoint]]:
    points: list[FakePoint] = []
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    registry._scan.cache_clear()
    registry.load.cache_clear()
    yield points
    registry._scan.cache_clear()
    registry.load.cache_clear()


def test_a_name_claimed_twice_is_an_error_that_names_both(installed: list[FakePoint]) -> None:
    installed += [
        FakePoint("a", FakeDistribution("first"), Manifest(effects={"boom": "x:Y"})),
        FakePoint("b", FakeDistribution("second"), Manifest(effects={"boom": "z:Y"})),
    ]
    assert registry.names("effect") == ["boom"]
    with pytest.raises(PluginError, match="first and second"):
        registry.load("effect", "boom")


def test_one_broken_plugin_never_breaks_the_list(installed: list[FakePoint]) -> None:
    installed += [
        FakePoint("a", FakeDistribution("broken"), ImportError("no such module")),
        FakePoint("b", FakeDistribution("odd"), {"effects": {}}),
        FakePoint("c", FakeDistribution("good"), Manifest(effects={"fine": "math:sqrt"})),
    ]
    assert registry.names("effect") == ["fine"]
    assert [problem.distribution for problem in registry.problems()] == ["broken", "odd"]
    assert registry.load("effect", "fine")(4) == 2


def test_a_target_that_is_not_there_names_its_distribution(installed: list[FakePoint]) -> None:
    installed.append(FakePoint("a", FakeDistribution("hollow"), Manifest(effects={"gone": "math:nothing"})))
    with pytest.raises(PluginError, match="hollow"):
        registry.load("effect", "gone")


def test_unknown_names_suggest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        registry.load("effect", "compresser")
    assert "compressor" in (caught.value.hint or "")


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from stito import registry; "
        "assert 'compressor' in registry.names('effect'), registry.names('effect'); "
        "heavy = {'torch', 'pedalboard', 'cma', 'nevergrad', 'scipy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
