"""From a recipe, a cache and a folder to a training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from stito import registry
from stito.audio import check_writable
from stito.compute.cores import keep_freed_memory
from stito.data.mixes import Mixes, MixSource
from stito.demo.mixes import DemoMixes, stretch
from stito.errors import MissingFileError, OutputExistsError, RecipeError, SettingsError
from stito.files.locks import sole_writer
from stito.models.encoder import Trainable
from stito.training.batches import ContentSource
from stito.training.devices import make_fabric
from stito.training.loop import BEST, LAST, Outcome, Progress, Training
from stito.training.recipe import Recipe
from stito.training.tasks.converter import ConverterTask
from stito.training.tasks.encoder import FXencoderTask
from stito.training.tasks.predictor import PredictorTask
from stito.training.tasks.stem_encoder import StemEncoderTask
from stito.training.tasks.supplies import Supplies
from stito.training.tasks.task import Task

if TYPE_CHECKING:
    from stito.data.manipulation import Manipulator
    from stito.training.tasks.mix_batches import MixBatch

__all__ = ["DemoContents", "train"]

RATE = 44_100
ROOMS = 64
DEMO_S, DEMO_ROOMS = 3.0, 8
"""A check needs little to play, and few rooms to play it in."""


def train(
    recipe: Recipe,
    folder: Path,
    *,
    data: Path | None,
    device: str = "auto",
    seconds: float | None = None,
    resume: bool = False,
    force: bool = False,
    tensorboard: bool = True,
    kept: dict[int, MixBatch] | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Train by a recipe, into `folder`: `last.pt` to resume from, `best.safetensors` to use, `log.jsonl`.

    Args:
        recipe: see `stito.training.recipe`.
        folder: of this run.
        data: a cache made by `stito data build`; None trains on the songs that stito composes itself, as a check.
        device: auto, cpu or cuda; under `torchrun`, all processes of it.
        seconds: when to stop, after the step or validation that is under way; resume to go on.
        resume: go on from the folder's checkpoint.
        force: start anew over what is there; with `resume`, go on although the recipe changed.
        tensorboard: also write curves for TensorBoard, if that is installed.
        kept: batches of mixes to share with other trainings, see `Supplies`.
        on_step: called with the progress now and then.
    """
    began = time.monotonic()
    if seconds is not None and seconds <= 0:
        raise SettingsError(f"Training for {seconds:g} seconds is not possible.", hint="Give a positive number.")
    _check_folder(folder, resume=resume, force=force)
    make_task = _task(recipe)
    fabric = make_fabric(device, recipe.run.precision)
    keep_freed_memory(everything=True)  # a fifth of a step on two cores is otherwise spent on fetching pages
    contents, held_out, about = _contents(recipe, data)
    manipulator = _manipulators(recipe, rooms=DEMO_ROOMS if data is None else ROOMS)
    supplies = Supplies(contents, held_out, manipulator, fabric, sample_rate=RATE, data=about)
    if recipe.task == "stem encoder":
        mixes, held_out_mixes = _mixes(recipe, data)
        supplies = replace(supplies, mixes=mixes, held_out_mixes=held_out_mixes, kept={} if kept is None else kept)
    task = make_task(supplies)
    training = Training(task, recipe, fabric, folder, on_step=on_step, tensorboard=tensorboard)
    with sole_writer(folder) if fabric.is_global_zero else nullcontext():
        if resume:
            training.resume(force=force)
        elif recipe.start:
            training.begin_with(Path(recipe.start))
        return training.run(seconds=None if seconds is None else seconds - (time.monotonic() - began))


def _check_folder(folder: Path, *, resume: bool, force: bool) -> None:
    existing = [name for name in (LAST, BEST) if (folder / name).exists()]
    if existing and not (resume or force):
        raise OutputExistsError(
            f"{folder} already holds {' and '.join(existing)}.",
            hint="Go on with --resume, start anew with --force, or name another folder with -o.",
        )
    if resume and LAST not in existing:
        raise MissingFileError(f"{folder} has no checkpoint to resume.", hint="Start the training without --resume.")
    check_writable(folder / LAST, overwrite=True)


def _task(recipe: Recipe) -> Callable[[Supplies], Task]:
    """What the recipe trains, without what it is trained on."""
    if recipe.task == "predictor":
        return partial(PredictorTask, recipe)
    kind: Literal["encoder", "converter"] = "converter" if recipe.task == "converter" else "encoder"
    of = registry.load(kind, recipe.network.encoder)
    if not isinstance(of, Trainable):
        raise RecipeError(
            f"The {kind} '{recipe.network.encoder}' has no network to train.",
            hint=f"A {kind} that can be trained has a method `network` that makes one of a recipe's config.",
        )
    if recipe.task == "stem encoder":
        return partial(StemEncoderTask, recipe, of.network)
    return partial(ConverterTask if kind == "converter" else FXencoderTask, recipe, of.network)


def _contents(recipe: Recipe, data: Path | None) -> tuple[ContentSource, ContentSource, dict[str, Any]]:
    """What to train on and what to hold out, and what there is of it."""
    if data is None:
        demo = DemoContents()
        return demo, demo, {"songs": "composed by stito"}
    from stito.data.cache import Cache
    from stito.data.contents import Contents

    cache = Cache.open(data)
    about: dict[str, Any] = {"hours": {}, "songs": len({piece.song for piece in cache.pieces})}
    for piece in cache.pieces:
        kind = f"{piece.split}.{piece.stem}"
        about["hours"][kind] = about["hours"].get(kind, 0.0) + piece.samples / cache.sample_rate / 3600
    about["hours"] = {kind: round(hours, 3) for kind, hours in sorted(about["hours"].items())}
    return Contents(cache, speed=recipe.data.speed), Contents(cache, split="valid", speed=0.0), about


def _mixes(recipe: Recipe, data: Path | None) -> tuple[MixSource, MixSource]:
    """Whole mixes to train on, and to hold out."""
    if data is None:
        demo = DemoMixes(DEMO_S)
        return demo, demo
    from stito.data.cache import Cache

    cache = Cache.open(data)
    return Mixes(cache, speed=recipe.data.speed), Mixes(cache, split="valid")


def _manipulators(recipe: Recipe, *, rooms: int) -> Callable[[Mapping[str, float]], Manipulator]:
    from stito.data.manipulation import load_manipulator

    folder = recipe.data.impulses
    manipulator = load_manipulator(
        sample_rate=RATE,
        impulses=Path(folder) if folder else None,
        rooms=rooms,
        probabilities=recipe.probabilities.initial,
    )
    return manipulator.with_probabilities


class DemoContents:
    """Segments of the songs that stito composes: enough to see that training works, too little to train on."""

    def __init__(self, seconds: float = DEMO_S) -> None:
        from stito.demo import SONGS, STEMS, compose

        self.stems: tuple[str, ...] = STEMS
        songs = [compose(name, seconds=seconds) for name in SONGS]
        self._audio = {stem: [torch.from_numpy(song[stem].copy()) for song in songs] for stem in STEMS}

    def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
        """Segments (count, 2, samples), from different songs as long as there are enough."""
        songs = self._audio[stem]
        order = generator.permutation(len(songs))
        rows = []
        for index in range(count):
            song = songs[order[index % len(songs)]]
            start = int(generator.integers(max(1, song.shape[-1] - samples)))
            rows.append(stretch(song, start, samples))
        return torch.stack(rows)
