"""Training a stem-aware encoder: what a batch is, what the loss prefers, and what a run leaves."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from stito.cli.train import train
from stito.data.degradation.fault import fault_names
from stito.demo.mixes import DemoMixes
from stito.models.loading import load_encoder
from stito.stems import STEMS
from stito.training.devices import make_fabric
from stito.training.log import read_log
from stito.training.loop import FINAL, Training
from stito.training.recipe import StemEncoder as Plan
from stito.training.recipe import load_recipe, parse_recipe
from stito.training.tasks.mix_batches import MixBatch, MixBatches
from stito.training.tasks.stem_encoder import StemEncoderTask, info_nce, retrieval, separation
from stito.training.tasks.supplies import Supplies
from stito_effects.fxmanipulator.impulses import Impulses
from stito_effects.fxmanipulator.manipulator import FXmanipulator
from stito_encoders.stem import StemEncoder
from training.toys import Noise

RATE = 44_100
SAMPLES = RATE // 2
RECIPES = Path(__file__).parents[2] / "recipes" / "stem_encoder"
RECIPE = """
name = "toy"
task = "stem encoder"
[network]
encoder = "stem"
[network.config]
bands = 32
dim = 8
depth = 1
heads = 2
hidden = 8
[stem_encoder]
degraded = 1
faults = 1.0
[batch]
groups = 2
min_seconds = 0.3
max_seconds = 0.5
[optimiser]
steps = 2
warmup = 0
[validation]
every = 2
batches = 1
groups = 2
seconds = 0.5
"""


@pytest.fixture(scope="module")
def songs() -> DemoMixes:
    return DemoMixes(seconds=2.0)


def batch_of(songs: DemoMixes, *, step: int = 0, severity: float | None = None, **plan: float) -> MixBatch:
    batches = MixBatches(songs, Plan.model_validate({"degraded": 2, **plan}), RATE, songs=3)
    return batches.draw(0, "training", step, samples=SAMPLES, severity=severity)


def test_a_batch_is_two_views_and_degraded_versions_of_each_song(songs: DemoMixes) -> None:
    batch = batch_of(songs, missing=0.0, unnamed=0.0)
    assert batch.song.tolist() == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]
    assert batch.degraded.tolist() == [False] * 6 + [True] * 6
    assert batch.stems.mixes == 12
    assert len(batch.stems.row) == 12 * len(STEMS)
    assert len(batch.stems.audio) < len(batch.stems.row)  # what a degraded mix shares with its view is there once
    assert bool(batch.stems.named.all())


def test_severities_lie_where_the_sound_differs(songs: DemoMixes) -> None:
    batch = batch_of(songs, missing=0.0, severity=0.5)
    of = batch.stems
    faulty = (batch.severity > 0).any(1)
    assert bool(batch.degraded[of.mix[faulty]].all())
    assert torch.bincount(of.mix[faulty], minlength=12).tolist() == [0] * 6 + [1] * 6
    assert set(batch.severity.unique().tolist()) == {0.0, 0.5}
    for row in range(len(of.row)):
        if batch.degraded[of.mix[row]]:
            view = 2 * int(batch.song[of.mix[row]]) + (int(of.mix[row]) - 6) % 2
            same = (of.mix == view) & (of.slot == of.slot[row]) & (of.row == of.row[row])
            assert bool(same.any()) != bool(faulty[row])


def test_a_batch_follows_from_seed_and_place_alone(songs: DemoMixes) -> None:
    first, again, other = (batch_of(songs, step=step) for step in (0, 0, 1))
    assert torch.equal(first.stems.audio, again.stems.audio)
    assert first.stems.audio.shape != other.stems.audio.shape or not torch.equal(first.stems.audio, other.stems.audio)


def test_stems_are_left_out_of_both_views_and_names_of_whole_songs(songs: DemoMixes) -> None:
    batch = batch_of(songs, missing=0.5, unnamed=0.5)
    of = batch.stems
    for song in range(3):
        kept = [set(of.slot[of.mix == mix].tolist()) for mix in range(12) if batch.song[mix] == song]
        assert all(stems == kept[0] for stems in kept)
        assert kept[0]
        assert len(of.named[batch.song[of.mix] == song].unique()) == 1


def test_good_mixes_of_a_song_closest_is_what_the_loss_wants() -> None:
    song, degraded = torch.tensor([0, 0, 1, 1, 0, 1]), torch.tensor([False] * 4 + [True] * 2)
    near = torch.full((6, 6), 1.0)
    near[0, 1] = near[1, 0] = near[2, 3] = near[3, 2] = 0.0
    assert float(info_nce(near, song, degraded, 0.1)) < 0.01
    assert float(retrieval(near, song, degraded)) == 1.0
    # nothing is told from anything: the positive is one of five
    assert float(info_nce(torch.ones(6, 6), song, degraded, 0.1)) == pytest.approx(math.log(5))
    deaf = near.clone()
    deaf[0, 4] = deaf[1, 4] = deaf[2, 5] = deaf[3, 5] = -0.5  # the damaged version is taken for the closest
    assert float(info_nce(deaf, song, degraded, 0.1)) > 4
    assert float(retrieval(deaf, song, degraded)) == 0.0


def test_separation_is_the_share_of_pairs_in_order() -> None:
    values, truth = torch.tensor([0.0, 1.0, 1.0, 2.0]), torch.tensor([False, False, True, True])
    assert separation(values, truth) == pytest.approx((1 + 0.5 + 1 + 1) / 4)


def test_a_run_leaves_an_encoder_that_can_be_loaded(tmp_path: Path, songs: DemoMixes) -> None:
    recipe, fabric = parse_recipe(RECIPE), make_fabric("cpu")
    rooms = Impulses.synthetic(RATE, count=2)
    supplies = Supplies(
        Noise(),
        Noise(),
        lambda p: FXmanipulator(rooms, probabilities=p),
        fabric,
        mixes=songs,
        held_out_mixes=songs,
    )
    task = StemEncoderTask(recipe, StemEncoder.network, supplies)
    training = Training(task, recipe, fabric, tmp_path, tensorboard=False)
    outcome = training.run()
    assert {"retrieval", "auc", "0.5.auc", "1.retrieval"} <= set(outcome.scores)
    encoder = load_encoder(tmp_path / FINAL)
    assert isinstance(encoder, StemEncoder)
    batch = batch_of(songs, unnamed=0.0)
    with torch.no_grad():
        trained = training.module.eval()(batch.stems)
        assert encoder.head is not None
        assert torch.allclose(encoder.net(batch.stems), trained[:, : encoder.dim], atol=1e-5)
        assert torch.allclose(encoder.head(encoder.net(batch.stems)), trained[:, encoder.dim :], atol=1e-5)
    assert encoder.faults == fault_names()


def test_a_pool_of_batches_goes_round_and_is_replaced(songs: DemoMixes) -> None:
    recipe = parse_recipe(RECIPE, ["stem_encoder.pool=2", "stem_encoder.rounds=2"])
    supplies = Supplies(Noise(), Noise(), FXmanipulator, make_fabric("cpu"), mixes=songs, held_out_mixes=songs)  # type: ignore[arg-type]
    task = StemEncoderTask(recipe, StemEncoder.network, supplies)
    batches = [task.prepare(step) for step in range(5)]
    assert batches[2] is batches[0]
    assert batches[3] is batches[1]
    assert len({id(batch) for batch in batches}) == 3
    assert batches[0].stems.audio.numel() == 0
    anew = StemEncoderTask(recipe, StemEncoder.network, replace(supplies, kept={}))
    assert torch.equal(anew.prepare(4).severity, batches[4].severity)
    loss, _ = task.loss(task.network(), batches[0])
    assert bool(torch.isfinite(loss))


def test_networks_with_other_families_share_what_was_drawn(songs: DemoMixes) -> None:
    pooled = ["stem_encoder.pool=2", "stem_encoder.rounds=2"]
    supplies = Supplies(Noise(), Noise(), FXmanipulator, make_fabric("cpu"), mixes=songs, held_out_mixes=songs)  # type: ignore[arg-type]
    few = parse_recipe(RECIPE, [*pooled, "network.config.families=['stereo']"])
    first = StemEncoderTask(few, StemEncoder.network, supplies)
    second = StemEncoderTask(parse_recipe(RECIPE, pooled), StemEncoder.network, supplies)
    assert second.prepare(1) is first.prepare(1)
    loss, _ = second.loss(second.network(), second.prepare(1))
    assert bool(torch.isfinite(loss))


def test_by_contrast_alone_no_fault_is_predicted(songs: DemoMixes) -> None:
    recipe = parse_recipe(RECIPE, ["stem_encoder.faults=0.0"])
    supplies = Supplies(Noise(), Noise(), FXmanipulator, make_fabric("cpu"), mixes=songs, held_out_mixes=songs)  # type: ignore[arg-type]
    task = StemEncoderTask(recipe, StemEncoder.network, supplies)
    network = task.network()
    loss, values = task.loss(network, task.prepare(0))
    assert torch.equal(loss.detach(), values["contrast"])
    assert task.header()["faults"] == []
    with torch.no_grad():
        score, scores = task.validate(network, 1)
    assert score == scores["retrieval"]
    assert "auc" not in scores


@pytest.mark.parametrize("name", ["small", "paper"])
def test_shipped_recipes_are_of_the_task(name: str) -> None:
    for smoke in (False, True):
        recipe = load_recipe(RECIPES / f"{name}.toml", smoke=smoke)
        assert (recipe.name, recipe.task) == (f"stem_encoder-{name}", "stem encoder")
        assert recipe.run.one_batch is smoke


def test_smoke_learns_one_batch_by_heart(tmp_path: Path) -> None:
    arguments = [str(RECIPES / "small.toml"), "--smoke", "-o", str(tmp_path / "run"), "--device", "cpu"]
    done = CliRunner().invoke(train, arguments)
    assert done.exit_code == 0, done.output
    lines = [line for line in read_log(tmp_path / "run" / "log.jsonl") if line["kind"] == "train"]
    assert lines[-1]["retrieval"] == 1.0
    assert lines[-1]["loss"] < lines[0]["loss"] / 3
