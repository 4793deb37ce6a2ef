"""Searches by name."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from stito import registry
from stito.errors import PluginError, UnknownNameError
from stito.search import Search, create, known


class Corners(Search):
    """A plug-in: every corner of a line."""

    name = "corners"

    def ask(self) -> Tensor:
        return torch.tensor([[0.0], [1.0]])

    def tell(self, theta: Tensor, loss: Tensor) -> None:
        pass


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cma", "cma"),
        ("gradient", "gradient"),
        ("random", "random"),
        ("nevergrad", "nevergrad:DiagonalCMA"),
        ("nevergrad:DE", "nevergrad:DE"),
    ],
)
def test_built_in_searches_are_made_by_name(name: str, label: str) -> None:
    search = create(name, 3, seed=0, start=torch.tensor([0.1, 0.2, 0.3]), population=8)
    assert search.name == label
    theta = search.ask().detach()
    assert theta.shape == (8, 3)
    assert torch.equal(theta[0], torch.tensor([0.1, 0.2, 0.3]))


@pytest.mark.parametrize(
    ("name", "near"),
    [("cme", "cma"), ("gradients", "gradient"), ("nevergard", "nevergrad"), ("nevergrad:NGOp", "NGOpt")],
)
def test_unknown_names_get_a_suggestion(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        create(name, 3, seed=0)
    assert near in str(caught.value.hint)


@pytest.mark.parametrize("name", ["cma:fast", "nevergrad:", ":", "", "CMA"])
def test_names_that_only_look_like_one_are_unknown(name: str) -> None:
    with pytest.raises(UnknownNameError):
        create(name, 3, seed=0)


def install(monkeypatch: pytest.MonkeyPatch, plugin: object) -> None:
    installed = registry.names("search")
    monkeypatch.setattr(registry, "names", lambda kind: sorted([*installed, "corners"]))
    monkeypatch.setattr(registry, "load", lambda kind, name: plugin)


def test_plug_ins_are_made_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Corners)
    assert isinstance(create("corners", 1, seed=0), Corners)
    assert {"cma", "corners", "gradient", "nevergrad", "random"} <= set(known())


def test_a_plug_in_that_is_no_search_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda dim, **options: "a string")
    with pytest.raises(PluginError, match="made a str"):
        create("corners", 1, seed=0)


def test_nothing_heavy_is_imported_before_a_search_is_made() -> None:
    code = (
        "import sys, stito.search; print([name for name in ('cma', 'nevergrad', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
