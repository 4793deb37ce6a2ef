"""The loop: a run that was stopped anywhere ends in the same weights, and says well what it did."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stito.errors import MissingFileError, TrainingError, WeightsError
from stito.models.weights import load_weights
from stito.training.checkpoint import load_checkpoint
from stito.training.devices import make_fabric
from stito.training.log import read_log
from stito.training.loop import BEST, FINAL, LAST, Progress, Stop, Training
from stito.training.recipe import parse_recipe
from stito.training.tasks.encoder import FXencoderTask
from stito.training.tasks.supplies import Supplies
from training.toys import RECIPE, Noise, Turner, loudness

DROPOUT = ("network.config.dropout=0.2",)


def training(folder: Path, *changes: str, **options: Any) -> Training:
    """A toy run in a folder."""
    recipe = parse_recipe(RECIPE, [*DROPOUT, *changes])
    fabric = make_fabric("cpu")
    task = FXencoderTask(recipe, loudness, Supplies(Noise(), Noise(), Turner, fabric))  # type: ignore[arg-type]
    return Training(task, recipe, fabric, folder, tensorboard=False, **options)


def stop_after(run: Training, step: int) -> None:
    """Let a run believe that it was interrupted at a step."""
    agree = run._agree_to_stop

    def stop() -> None:
        if run.step == step:
            run.stopped = Stop.INTERRUPTED
        agree()

    run._agree_to_stop = stop  # type: ignore[method-assign]


def tensors(state: Any) -> list[Tensor]:
    """All tensors of a checkpoint, in order."""
    if isinstance(state, Tensor):
        return [state]
    if isinstance(state, dict | list | tuple):
        return [t for part in (state.values() if isinstance(state, dict) else state) for t in tensors(part)]
    return []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    outcome = training(folder).run()
    assert (outcome.step, outcome.stop) == (6, Stop.FINISHED)
    return folder


@pytest.mark.parametrize("step", range(1, 6))
def test_a_resumed_run_ends_as_one_that_was_never_interrupted(step: int, whole: Path, tmp_path: Path) -> None:
    """Bit for bit: weights, averages, moments, probabilities; and the log has each line once."""
    first = training(tmp_path)
    stop_after(first, step)
    assert first.run().stop is Stop.INTERRUPTED
    second = training(tmp_path)
    second.resume()
    assert second.run().step == 6
    ours, theirs = load_checkpoint(tmp_path / LAST), load_checkpoint(whole / LAST)
    assert len(tensors(ours)) > 10
    assert all(torch.equal(a, b) for a, b in zip(tensors(ours), tensors(theirs), strict=True))
    assert {key: ours[key] for key in ("step", "task", "best", "scores", "validations")} == {
        key: theirs[key] for key in ("step", "task", "best", "scores", "validations")
    }
    steps = [line["step"] for line in read_log(tmp_path / "log.jsonl") if line["kind"] == "validation"]
    assert steps == [3, 6]


def test_probabilities_follow_the_validations(whole: Path) -> None:
    """The toy network embeds levels, so the effects differ in how hard they are; the hardest is used most."""
    probabilities = load_checkpoint(whole / LAST)["task"]["probabilities"]
    assert sorted(probabilities.values()) == [0.1, 1.0]
    line = [line for line in read_log(whole / "log.jsonl") if line["kind"] == "validation"][-1]
    hardest = max(probabilities, key=lambda effect: line[f"{effect}.loss"])
    assert line[f"{hardest}.probability"] == probabilities[hardest] == 1.0


def test_a_run_that_goes_on_without_scheduling_uses_its_recipes_probabilities(whole: Path) -> None:
    task = training(whole, "probabilities.every=0").task
    assert isinstance(task, FXencoderTask)
    before = dict(task.train_manipulator.probabilities)
    task.restore(load_checkpoint(whole / LAST)["task"])
    assert task.train_manipulator.probabilities == before


def test_the_best_weights_say_what_they_are(whole: Path) -> None:
    state, header = load_weights(whole / BEST)
    assert header["architecture"] == "fxencoder"
    assert header["config"] == {"dropout": 0.2}
    assert header["recipe"]["name"] == "toy"
    best = max(line["score"] for line in read_log(whole / "log.jsonl") if line["kind"] == "validation")
    assert header["scores"]["score"] == pytest.approx(best, rel=1e-5)
    loudness(header["config"]).load_state_dict(state)


def test_the_final_weights_are_those_of_the_last_step_whatever_they_score(whole: Path) -> None:
    state, header = load_weights(whole / FINAL)
    checkpoint = load_checkpoint(whole / LAST)
    assert all(torch.equal(value, checkpoint["average"][name]) for name, value in state.items())
    line = [line for line in read_log(whole / "log.jsonl") if line["kind"] == "validation"][-1]
    assert header["scores"]["step"] == line["step"] == 6
    assert header["scores"]["score"] == pytest.approx(line["score"], rel=1e-5)


def test_the_log_is_json_lines(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "train"] == [2, 4, 6]
    assert {"loss", "retrieval", "rate", "steps_per_second", "waiting", "seconds"} <= set(lines[1])
    assert {"mix.retrieval", "drums.retrieval", "vocals.loss", "gain.loss"} <= set(
        next(line for line in lines if line["kind"] == "validation")
    )


def test_what_dropout_draws_follows_from_seed_step_and_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And torch's own generator, which it asks, is afterwards as it was."""
    drawn: dict[tuple[int, int, int], float] = {}
    before = torch.get_rng_state()
    for seed, rank in ((0, 0), (1, 0), (0, 1)):
        run = training(tmp_path / f"{seed}{rank}", f"seed={seed}", "optimiser.steps=2")
        loss = run.task.loss

        def noted(network: Any, batch: Any, run: Training = run, loss: Any = loss, key: Any = (seed, rank)) -> Any:
            drawn[*key, run.step] = float(torch.rand(()))
            return loss(network, batch)

        run.task.loss = noted  # type: ignore[method-assign]
        monkeypatch.setattr("lightning_fabric.Fabric.global_rank", rank)
        run.run()
    assert len(drawn) == len(set(drawn.values())) == 6
    assert torch.equal(torch.get_rng_state(), before)


def test_the_first_weights_follow_from_the_seed(tmp_path: Path) -> None:
    one, again, other = (training(tmp_path, f"seed={seed}").module.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(value, again[name]) for name, value in one.items())
    assert not any(torch.equal(value, other[name]) for name, value in one.items())


def test_the_time_is_kept(tmp_path: Path) -> None:
    run = training(tmp_path, "optimiser.steps=1000000")
    outcome = run.run(seconds=0.2)
    assert outcome.stop is Stop.TIME
    assert 0 < outcome.step == load_checkpoint(tmp_path / LAST)["step"]


def test_ctrl_c_saves_and_ends_well(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)

    def interrupt(progress: Progress) -> None:
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = training(tmp_path, on_step=interrupt).run()
    assert (outcome.step, outcome.stop) == (2, Stop.INTERRUPTED)
    assert load_checkpoint(tmp_path / LAST)["step"] == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_resuming_with_another_recipe_needs_force(whole: Path, tmp_path: Path) -> None:
    (tmp_path / LAST).write_bytes((whole / LAST).read_bytes())
    changed = training(tmp_path, "optimiser.steps=8")
    with pytest.raises(WeightsError, match=r"optimiser\.steps changed"):
        changed.resume()
    changed.resume(force=True)
    assert changed.run().step == 8


def test_resuming_needs_a_checkpoint(tmp_path: Path) -> None:
    run = training(tmp_path)
    with pytest.raises(MissingFileError, match="no checkpoint"):
        run.resume()
    (tmp_path / LAST).write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="damaged"):
        run.resume()


@pytest.mark.parametrize("log_every", [1, 100])
def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(tmp_path: Path, log_every: int) -> None:
    run = training(tmp_path, f"run.log_every={log_every}")
    loss = run.task.loss

    def broken(network: Any, batch: Any) -> Any:
        value, others = loss(network, batch)
        return (value * torch.nan if run.step == 4 else value), others

    run.task.loss = broken  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="loss is nan at step"):
        run.run()
    assert load_checkpoint(tmp_path / LAST)["step"] == 3


def test_one_batch_can_be_learnt_by_heart(tmp_path: Path) -> None:
    steps = ("run.one_batch=true", "run.log_every=1", "optimiser.steps=300", "validation.every=300")
    easy = ("network.config.dropout=0.0", "batch.single_stem=1.0", "batch.level_jitter_db=0.0")
    outcome = training(tmp_path, *steps, *easy, "probabilities.initial={gain = 1.0, panner = 1.0}").run()
    assert outcome.last["retrieval"] == 1.0
