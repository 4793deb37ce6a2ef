"""What is installed is what is in the tree, and every module says what it offers."""

from __future__ import annotations

import ast
import importlib
import tomllib
from pathlib import Path

import pytest

import stito

ROOT = Path(__file__).parents[1]
HOMES = {"stito": ROOT / "stito", "stito_effects": ROOT / "effects", "stito_encoders": ROOT / "encoders"}


def modules() -> dict[str, Path]:
    """Every module of the three packages, by dotted name."""
    found = {}
    for package in HOMES:
        root = HOMES[package] if package == "stito" else HOMES[package] / package
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root.parent).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def test_every_package_is_distributed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    present = {name for name, path in modules().items() if path.name == "__init__.py"}
    data = {
        "stito.data.splits",
        "stito.evaluation.templates",
        "stito.pages.templates",
        "stito.report.templates",
        "stito_effects.chains",
    }
    assert listed == present | data


@pytest.mark.parametrize("name", sorted(modules()))
def test_all_names_what_exists(name: str) -> None:
    """`__all__` is there wherever something is defined, and names only what can be imported."""
    path = modules()[name]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    if name.endswith("__main__") or not any(not node.name.startswith("_") for node in defined):
        return
    module = importlib.import_module(name)
    assert module.__all__, name
    for public in module.__all__:
        assert getattr(module, public) is not None


def test_the_lazy_top_level_offers_what_it_lists() -> None:
    for public in stito.__all__:
        assert getattr(stito, public) is not None
    with pytest.raises(AttributeError):
        _ = stito.nothing_of_the_kind
