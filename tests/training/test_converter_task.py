"""Training a converter: that something is learnt, and that what a run leaves can be used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from stito.cli.train import train
from stito.data.fxmanipulator.impulses import Impulses
from stito.data.fxmanipulator.manipulator import Manipulator
from stito.errors import RecipeError
from stito.models.loading import load_converter
from stito.training.devices import make_fabric
from stito.training.log import read_log
from stito.training.loop import FINAL, Training
from stito.training.recipe import load_recipe, parse_recipe
from stito.training.start import _task
from stito.training.tasks.converter import ConverterTask
from stito.training.tasks.supplies import Supplies
from stito_encoders.mixfxcloner import MixFXcloner
from training.toys import Noise

RATE = 44_100
RECIPES = Path(__file__).parents[2] / "recipes" / "mixfxcloner"
RECIPE = """
name = "toy"
task = "converter"
[network]
encoder = "mixfxcloner"
[network.config]
bands = 8
width = 4
blocks = 2
hidden = 4
rooms = [0.1]
[converter]
encoders = ["features"]
[batch]
groups = 1
min_seconds = 0.3
max_seconds = 0.3
[optimiser]
steps = 2
warmup = 0
[validation]
every = 2
batches = 1
groups = 1
configurations = 2
seconds = 0.3
"""


def test_a_run_leaves_a_converter_that_can_be_loaded(tmp_path: Path) -> None:
    recipe, fabric = parse_recipe(RECIPE), make_fabric("cpu")
    rooms = Impulses.synthetic(RATE, count=2)
    supplies = Supplies(Noise(), Noise(), lambda p: Manipulator(rooms, probabilities=p), fabric)
    task = ConverterTask(recipe, MixFXcloner.network, supplies)
    training = Training(task, recipe, fabric, tmp_path, tensorboard=False)
    outcome = training.run()
    assert {"drums.reduction_percent", "vocals.reduction_percent", "drums.distance"} <= set(outcome.scores)
    converter = load_converter(tmp_path / FINAL)
    # what the file renders is what the trained network renders of the same pair
    x, reference = 0.1 * torch.randn(1, 2, RATE), 0.1 * torch.randn(1, 2, RATE).cumsum(-1)
    with torch.no_grad():
        made = training.module.eval()(torch.stack([reference, x], dim=1))
    assert torch.allclose(converter.render(x, converter.embed(reference), converter.embed(x)), made, atol=1e-5)


def test_some_examples_are_mixed_and_milder_as_the_recipe_says() -> None:
    recipe = parse_recipe(RECIPE, ("converter.mixed=0.5", "converter.mild=0.25"))
    supplies = Supplies(Noise(), Noise(), lambda p: Manipulator(probabilities=p), make_fabric("cpu"))
    truths = ConverterTask(recipe, MixFXcloner.network, supplies)._truths
    assert (truths.mixed, truths.mild) == (0.5, 0.25)


@pytest.mark.parametrize("recipe", ["small", "paper"])
def test_smoke_learns_one_batch(tmp_path: Path, recipe: str) -> None:
    out = tmp_path / "run"
    done = CliRunner().invoke(train, [str(RECIPES / f"{recipe}.toml"), "--smoke", "-o", str(out), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    lines = [line for line in read_log(out / "log.jsonl") if line["kind"] == "train"]
    assert lines[-1]["loss"] < 0.85 * lines[0]["loss"]


def test_the_paper_recipe_is_the_published_network() -> None:
    recipe = load_recipe(RECIPES / "paper.toml")
    with torch.device("meta"):
        net = MixFXcloner.network(recipe.network.config, 2048)
    assert sum(parameter.numel() for parameter in net.parameters()) == 10_547_970


def test_a_converter_without_a_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(MixFXcloner, "network")
    with pytest.raises(RecipeError, match="no network to train"):
        _task(parse_recipe(RECIPE))
