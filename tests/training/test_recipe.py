"""Recipes: what is shipped is valid, and the message of a mistake names its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from stito.errors import MissingFileError, RecipeError
from stito.training.recipe import load_recipe, parse_recipe
from training.toys import RECIPE

RECIPES = Path(__file__).parents[2] / "recipes"
SHIPPED = [*sorted((RECIPES / "fxencoder").glob("*.toml")), *sorted((RECIPES / "predictor").glob("*.toml"))]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: f"{file.parent.name}-{file.stem}")
@pytest.mark.parametrize("smoke", [False, True])
def test_shipped_recipes_are_valid(file: Path, smoke: bool) -> None:
    recipe = load_recipe(file, smoke=smoke)
    assert recipe.name == f"{file.parent.name}-{file.stem}"
    assert recipe.task == ("predictor" if file.parent.name == "predictor" else "encoder")
    assert recipe.run.one_batch is smoke


def test_a_folder_is_its_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    assert load_recipe(tmp_path).name == "toy"
    with pytest.raises(MissingFileError, match=r"other\.toml: no recipe there"):
        load_recipe(tmp_path / "other.toml")


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("batch.groups=8", lambda recipe: recipe.batch.groups == 8),
        ("loss.objective=song", lambda recipe: recipe.loss.objective == "song"),
        ("loss.subvector = 64", lambda recipe: recipe.loss.subvector == 64),
        ("optimiser.rate=1", lambda recipe: recipe.optimiser.rate == 1.0),
        ("network.config.width=64", lambda recipe: recipe.network.config == {"width": 64}),
        ("run.one_batch=true", lambda recipe: recipe.run.one_batch),
    ],
)
def test_a_value_can_be_changed_for_one_run(change: str, read: object) -> None:
    assert callable(read)
    assert not read(parse_recipe(RECIPE))
    assert read(parse_recipe(RECIPE, [change]))


def test_keys_of_earlier_versions_are_read() -> None:
    recipe = parse_recipe(RECIPE + '[predictor]\nears = "mine"\nknown = 0.5\n')
    assert (recipe.predictor.backbone, recipe.predictor.target_settings) == ("mine", 0.5)


def test_later_changes_win_over_earlier_ones_and_over_smoke() -> None:
    text = RECIPE + '[smoke]\n"batch.groups" = 2\n'
    assert parse_recipe(text).batch.groups == 4
    assert parse_recipe(text, smoke=True).batch.groups == 2
    assert parse_recipe(text, ["batch.groups=6", "batch.groups=3"], smoke=True).batch.groups == 3


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ("loss.temprature=1", r"--set loss\.temprature=1: loss\.temprature: Extra", "loss.temperature"),
        ("batch.groups=many", r"--set batch\.groups=many: batch\.groups: .*integer", "'many'"),
        ("batch.groups=0", r"batch\.groups: .*greater than 0", "0"),
        ("batch.min_seconds=9", "min_seconds is larger than max_seconds", ""),
        ("batch.views=5", "groups is no multiple of views", ""),
        ("name.first=x", "name is a value, not a table", ""),
        ("batch", "not of the form key=value", "batch.groups=8"),
        ("seed=-1", "seed", "-1"),
    ],
)
def test_a_change_that_does_not_fit_is_named(change: str, message: str, hint: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        parse_recipe(RECIPE, ["seed=1", change])
    assert hint in (caught.value.hint or "")


def test_a_mistake_in_the_file_is_told_with_its_line() -> None:
    with pytest.raises(RecipeError, match=r"r\.toml, line 4: batch\.groups"):
        parse_recipe(RECIPE.replace("groups = 4", 'groups = "4"'), source="r.toml")
    with pytest.raises(RecipeError, match=r"r\.toml, line 2: not valid TOML"):
        parse_recipe(RECIPE.replace('"toy"', "toy toy"), source="r.toml")
    with pytest.raises(RecipeError, match=r"\[smoke\] batch\.group: batch\.group: Extra"):
        parse_recipe(RECIPE + '[smoke]\n"batch.group" = 2\n', smoke=True)


def test_keys_of_earlier_recipes_are_read_and_may_be_set() -> None:
    old = 'name = "old"\ntask = "predictor"\n[predictor]\nears = "fxencoder"\nknown = 0.25\n'
    assert parse_recipe(old).predictor.target_settings == 0.25
    assert parse_recipe(old, ["predictor.target_settings=0.5"]).predictor.target_settings == 0.5
    new = old.replace("ears", "backbone").replace("known", "target_settings")
    changed = parse_recipe(new, ["predictor.known=0.75", "predictor.ears=features"]).predictor
    assert (changed.target_settings, changed.backbone) == (0.75, "features")
