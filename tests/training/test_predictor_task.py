"""Training a predictor: which settings have targets, and that something is learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stito_encoders
from stito import registry
from stito.data.fxmanipulator.impulses import Impulses
from stito.data.fxmanipulator.manipulator import Manipulator
from stito.effects.chain_files import load_chain
from stito.errors import RecipeError, WeightsError
from stito.models.loading import load_encoder
from stito.models.predictor import Predictor, same_effects
from stito.training.devices import make_fabric
from stito.training.loop import FINAL, Training
from stito.training.recipe import parse_recipe
from stito.training.tasks.predictor import PredictorTask
from stito.training.tasks.supplies import Supplies
from stito.training.tasks.target_settings import target_settings
from stito.training.tasks.truths import Examples
from training.toys import Noise

RATE = 44_100
RECIPE = """
name = "toy"
task = "predictor"
[predictor]
encoders = ["features"]
hidden = 16
dropout = 0.0
target_settings = 1.0
[predictor.guidance]
corrections = { gain = 1.0 }
[batch]
groups = 2
configurations = 3
contents = 2
min_seconds = 0.3
max_seconds = 0.3
level_jitter_db = 6.0
[optimiser]
steps = 4
warmup = 0
[validation]
every = 2
batches = 1
groups = 1
configurations = 2
seconds = 0.3
[run]
log_every = 2
"""


def manipulator(probabilities: Any = None) -> Manipulator:
    """The FXmanipulator with a few short rooms."""
    return Manipulator(Impulses.synthetic(RATE, count=2), probabilities=probabilities)


def task(*changes: str) -> PredictorTask:
    """A toy task."""
    return PredictorTask(parse_recipe(RECIPE, changes), Supplies(Noise(), Noise(), manipulator, make_fabric("cpu")))


def test_target_settings_are_those_of_the_same_knobs() -> None:
    chain, the_manipulator = load_chain("mixing"), manipulator()
    drawn = the_manipulator.sample(["drums", "vocals"] * 20, np.random.default_rng(0))
    theta, has_target = target_settings(chain, drawn)
    columns = {str(knob): index for index, knob in enumerate(chain.knobs)}
    assert theta.min() >= 0
    assert theta.max() <= 1
    off = ~drawn.active["eq"]
    assert off.any()
    assert torch.allclose(theta[off, columns["eq.mid_gain_db"]], torch.tensor(0.5))
    assert (has_target[:, columns["eq.mid_gain_db"]] == 1).all()
    assert torch.equal(has_target[:, columns["eq.mid_hz"]], drawn.active["eq"].float())
    gain = drawn.settings["eq"]["mid_gain_db"][~off]
    assert torch.allclose(theta[~off, columns["eq.mid_gain_db"]], (gain + 15) / 30, atol=1e-5)
    wet = drawn.active["reverb"]
    assert torch.allclose(theta[wet, columns["reverb.mix"]], 1 - drawn.settings["reverb"]["dry"][wet])
    assert (theta[~wet, columns["reverb.mix"]] == 0).all()
    assert (has_target[:, columns["reverb.damping_hz"]] == 0).all()


def test_a_run_leaves_a_predictor_that_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, the_task = parse_recipe(RECIPE), task()
    training = Training(the_task, recipe, make_fabric("cpu"), tmp_path, tensorboard=False)
    outcome = training.run()
    assert {"drums.reduction_percent", "vocals.reduction_percent", "drums.distance"} <= set(outcome.scores)
    predictor = Predictor(tmp_path / FINAL)
    assert same_effects(predictor.chain, load_chain("mixing"))
    # what the file predicts is what the trained network predicts from the same excerpts and their mirror images
    x, reference = 0.1 * torch.randn(2, RATE), 0.1 * torch.randn(2, RATE)
    pair = torch.stack([reference, x])
    with torch.no_grad():
        predicted, mirrored = training.module.eval()(torch.stack([pair, pair.flip(1)]))
    sided = torch.tensor([knob.param.sided for knob in predictor.chain.knobs])
    predicted = (predicted + torch.where(sided, 1 - mirrored, mirrored)) / 2
    found, turned = (predictor.predict([a], [b], predictor.chain, RATE) for a, b in ((x, reference), (reference, x)))
    # the last is the gain, which is settled in closed form
    assert torch.allclose(found[:-1], predicted[:-1], atol=1e-5)
    assert not torch.allclose(turned[:-1], predicted[:-1], atol=1e-5)


def test_one_batch_is_learnt() -> None:
    the_task = task("run.one_batch=true", "batch.groups=1", "batch.configurations=2")
    torch.manual_seed(0)
    network = the_task.network()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    batch = the_task.prepare(0)
    assert isinstance(batch, Examples)
    distances = []
    for step in range(25):
        torch.manual_seed(step)
        loss, others = the_task.loss(network, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        distances.append(float(others["distance"]))
    assert min(distances[-5:]) < 0.75 * distances[0]
    assert the_task.prepare(7) is batch


def test_the_backbone_begins_as_the_encoder_that_it_is_of() -> None:
    encoder, network = load_encoder("fxencoder"), task().network()
    assert all(module.training for module in network.modules())
    network.eval()
    x = 0.1 * torch.randn(2, 2, RATE)
    with torch.no_grad():
        embedded = network.embed(x)[:, : encoder.dim]  # type: ignore[operator]
        assert torch.allclose(embedded, torch.nn.functional.normalize(encoder.embed(x), dim=-1), atol=1e-5)
    assert all(p.requires_grad for p in network.parameters())


def test_a_training_may_go_on_from_weights(tmp_path: Path) -> None:
    training = Training(task(), parse_recipe(RECIPE), make_fabric("cpu"), tmp_path, tensorboard=False)
    with torch.no_grad():
        next(training.module.parameters()).fill_(0.125)
    training.export("before.safetensors", {})
    again = Training(task(), parse_recipe(RECIPE), make_fabric("cpu"), tmp_path, tensorboard=False)
    again.begin_with(tmp_path / "before.safetensors")
    assert (next(again.module.parameters()) == 0.125).all()
    small = Training(task("predictor.hidden=8"), parse_recipe(RECIPE), make_fabric("cpu"), tmp_path, tensorboard=False)
    with pytest.raises(WeightsError, match="another network"):
        small.begin_with(tmp_path / "before.safetensors")


def test_some_examples_are_mixed_and_milder_as_the_recipe_says() -> None:
    truths = task("predictor.mixed=0.5", "predictor.mild=0.25")._truths
    assert (truths.mixed, truths.mild) == (0.5, 0.25)


def test_weights_to_go_on_from_keep_a_backbone_of_another_size(tmp_path: Path) -> None:
    small = {"front": "spectral", "bands": 64, "width": 32, "depth": 1, "hidden": 16, "dim": 8}
    began = task()
    began._backbone, began._backbone_config = registry.load("encoder", "fxencoder").network(small), small
    Training(began, parse_recipe(RECIPE), make_fabric("cpu"), tmp_path, tensorboard=False).export(
        "small.safetensors", {}
    )
    file = tmp_path / "small.safetensors"
    again = task(f"start={file}")
    training = Training(again, parse_recipe(RECIPE), make_fabric("cpu"), tmp_path / "on", tensorboard=False)
    training.begin_with(file)
    assert again.header()["backbone"] == {"encoder": "fxencoder", "config": small}
    assert training.module.backbone.dim == 8


def test_an_encoder_that_cannot_learn_makes_no_backbone() -> None:
    with pytest.raises(RecipeError, match="no network"):
        task("predictor.backbone=features")


def test_a_backbone_is_an_installed_encoder(tmp_path: Path) -> None:
    weights = Path(stito_encoders.__file__).parent / "weights" / "fxencoder.safetensors"
    with pytest.raises(RecipeError, match="no network"):
        task(f"predictor.backbone={weights}")


def test_a_chain_without_gradients_is_refused() -> None:
    with pytest.raises(RecipeError, match="cannot be differentiated"):
        task("predictor.chain=pedalboard")
