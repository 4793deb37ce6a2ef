"""What is installed is what is in the tree, and every module says what it offers."""

from __future__ import annotations

import ast
import importlib
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

import stito
from stito import registry

ROOT = Path(__file__).parents[1]
HOMES = {"stito": ROOT / "stito", "stito_effects": ROOT / "effects", "stito_encoders": ROOT / "encoders"}

PACKAGES = {name: home if name == "stito" else home / name for name, home in HOMES.items()}
FREE = ("cli/", "demo/", "testing/")
"""Parts of `stito` that may name what is installed: as examples, and for what is told to a user."""
WORDS = {
    ("console/strips.py", "gain"): "a function that it offers",
    ("evaluation/transfers/page.py", "reverb"): "the cases whose truth has a room",
    ("evaluation/transfers/summary.py", "reverb"): "the cases whose truth has a room",
    ("evaluation/undo/outcome.py", "features"): "the structured features of a mix",
    ("evaluation/undo/rows.py", "features"): "the structured features of a mix",
    ("engine/solve.py", "pedalboard"): "the Python package",
    ("exporters/scripts.py", "pedalboard"): "the Python package",
    ("manifest.py", "pedalboard"): "the Python package",
    ("effects/aspects.py", "delay"): "the aspect of a mix, whatever effect declares it",
    ("effects/aspects.py", "eq"): "the aspect of a mix, whatever effect declares it",
    ("effects/aspects.py", "reverb"): "the aspect of a mix, whatever effect declares it",
    ("effects/aspects.py", "saturation"): "the aspect of a mix, whatever effect declares it",
}
"""Names of something installed that are also plain words, and what they mean where they stand."""
PLAIN = {"stem"}
"""Names that are words of the field, and stand for these everywhere."""
DATA = {".json", ".toml", ".j2", ".css", ".js", ".safetensors"}


def modules() -> dict[str, Path]:
    """Every module of the three packages, by dotted name."""
    found = {}
    for package in HOMES:
        root = HOMES[package] if package == "stito" else HOMES[package] / package
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root.parent).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def test_every_package_and_its_data_are_distributed() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    find, data = about["packages"]["find"], about["package-data"]
    for name, path in modules().items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        assert any(fnmatch(package, pattern) for pattern in find["include"]), name
    for root, folder in PACKAGES.items():
        for path in (path for path in folder.rglob("*") if path.suffix in DATA):
            package = ".".join([root, *path.parent.relative_to(folder).parts])
            parent, inside = package.rpartition(".")[0], f"{path.parent.name}/{path.name}"
            named = any(fnmatch(path.name, pattern) for pattern in data.get(package, []))
            assert named or any(fnmatch(inside, pattern) for pattern in data.get(parent, [])), path


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


def strings(tree: ast.Module) -> set[str]:
    """The text that a module works with: all of it but its docstrings."""
    homes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {node.body[0].value for node in ast.walk(tree) if isinstance(node, homes) and ast.get_docstring(node)}  # type: ignore[attr-defined]
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in docs)
    return {node.value for node in texts if isinstance(node.value, str)}


def test_the_engine_names_nothing_that_a_package_brings() -> None:
    """No effect, chain, encoder, converter or manipulator: what has to be known of one, it declares."""
    kinds: tuple[registry.Kind, ...] = ("effect", "chain", "encoder", "converter", "manipulator")
    brought = [plugin for kind in kinds for plugin in registry.plugins(kind)]
    names = {plugin.name for plugin in brought if plugin.target.startswith(("stito_effects", "stito_encoders"))}
    assert names >= {"compressor", "mastering", "fxencoder", "mixfxcloner", "fxmanipulator", "stem"}
    names -= PLAIN
    found = set()
    for path in sorted((ROOT / "stito").rglob("*.py")):
        file = path.relative_to(ROOT / "stito").as_posix()
        if not file.startswith(FREE):
            texts = strings(ast.parse(path.read_text(encoding="utf-8")))
            found |= {(file, name) for text in texts for name in names & {*text.split(":")}}
    assert found == set(WORDS)
