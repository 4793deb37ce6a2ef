"""The pages leave nothing out: commands, knobs, public names, the example plug-in, recipes, notebooks."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import click
import pytest

import stito
from stito import registry
from stito.cli import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLE = ROOT / "tests" / "plugin_example" / "stito_example_plugin"


def module(name: str) -> ModuleType:
    """A module of the site's build, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    return module("hooks")


def included(folder: Path) -> set[str]:
    """Files that pages take in by a snippet."""
    return {
        path
        for page in folder.rglob("*.md")
        for path in re.findall(r'--8<-- "([^"]+)"', page.read_text(encoding="utf-8"))
    }


def leaves(command: click.Command, path: str) -> dict[str, click.Command]:
    """Every command by its full name."""
    found = {path: command}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found |= leaves(below, f"{path} {name}")
    return found


def test_pages_that_lie_above_link_from_where_they_are_shown(hooks: ModuleType) -> None:
    shown = hooks.on_page_markdown('--8<-- "ARCHITECTURE.md"\n')
    assert "](glossary.md)" in shown
    assert "](docs/" not in shown


def test_every_command_and_option_is_on_its_page(hooks: ModuleType) -> None:
    text = hooks.commands()
    for path, command in leaves(cli, "stito").items():
        section = re.split(r"^#+ ", text.partition(f"# {path}\n")[2], flags=re.MULTILINE)[0]
        for param in command.params:
            if isinstance(param, click.Option):
                assert param.opts[-1] in section, f"{path} {param.opts[-1]}"


def test_every_knob_of_ours_is_on_its_page(hooks: ModuleType) -> None:
    text = hooks.effects()
    for plugin in registry.plugins("effect"):
        if plugin.distribution == "stito":
            section = text.partition(f"### {plugin.name}\n")[2].partition("\n### ")[0]
            assert all(f"`{param.name}`" in section for param in registry.load("effect", plugin.name).params)
    assert "example_tremolo" not in text


def test_every_metric_of_ours_is_on_its_page(hooks: ModuleType) -> None:
    text = hooks.metrics()
    assert "| `loudness_lu` | LU | less |" in text
    assert "example_highs_db" not in text


def test_a_marker_becomes_its_text_and_nothing_else_does(hooks: ModuleType) -> None:
    made = hooks.on_page_markdown("before {{ chains }}\n\n{{ chains }}\n")
    assert made.startswith("before {{ chains }}\n")
    assert "| `mixing` | 27 |" in made


def test_every_work_is_written_out_under_its_key(hooks: ModuleType) -> None:
    text, keys = hooks.references(), re.findall(r"^@\w+\{(\w+),", (DOCS / "references.bib").read_text(), re.MULTILINE)
    assert len(keys) == len(set(keys)) > 30
    assert all(f"{{ #{key} }}" in text for key in keys)
    assert "Christian J. Steinmetz, Shubhr Singh" in text


def test_every_public_name_is_on_one_of_the_two_pages_of_the_api() -> None:
    pages = "\n".join((DOCS / page).read_text(encoding="utf-8") for page in ("api.md", "contracts.md"))
    listed = re.findall(r"^::: stito\.(\w+)$", pages, re.MULTILINE)
    assert sorted(name for name in listed if name != "errors") == sorted(set(stito.__all__) - {"__version__"})


def test_the_example_plug_in_is_told_whole() -> None:
    parts = [path for path in EXAMPLE.iterdir() if path.suffix in (".py", ".toml") and path.stem != "__init__"]
    shown = included(DOCS / "extend")
    assert not [path.name for path in parts if str(path.relative_to(ROOT)) not in shown]


def test_every_recipe_has_a_page() -> None:
    recipes = {str(path.relative_to(ROOT)) for path in ROOT.glob("recipes/*/README.md")}
    assert recipes == {path for path in included(DOCS / "recipes") if path.startswith("recipes/")}


def test_a_notebook_becomes_text_and_code() -> None:
    page = module("notebook_pages").page_of(DOCS / "notebooks" / "embed_and_compare.ipynb")
    assert page.startswith("# Embed and compare\n")
    assert "[Download this notebook](embed_and_compare.ipynb)" in page
    assert "```python\nimport torch\n" in page
