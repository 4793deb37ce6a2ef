"""Transfers with a known truth, drawn anew for every step: what predictors and converters learn from.

```
content j' ─ configuration ─▶ reference ─┐
content j ── (effects of its own) ────────┴▶ network ─▶ result ◀─ compare ─▶ truth
content j ─ configuration ─▶ truth
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from stito import streams
from stito.metrics.spectral import FRAMES, SampledSpectral
from stito.streams import Place, Purpose
from stito.training.batches import TRAINING, VALIDATION, Batches, Drawn, Subset, layouts
from stito.training.recipe import Recipe
from stito.training.tasks.supplies import Supplies

if TYPE_CHECKING:
    from stito.data.fxmanipulator.manipulator import Manipulation

__all__ = ["LOUDEST", "Arrivals", "Examples", "Truths"]

LOUDEST = 8.0
"""A distance above this is of a truth that is nearly silent, or a room without end: it would outweigh all others."""


@dataclass(frozen=True)
class Arrivals:
    """A batch before it is rendered, and the effects with which its contents arrive as inputs."""

    drawn: Drawn
    own: Manipulation


@dataclass(frozen=True)
class Examples:
    """n transfers with a known truth: reference, input and truth (n, 2, t), and the effects of the last (n rows)."""

    reference: Tensor
    source: Tensor
    truth: Tensor
    effects: Manipulation

    def pairs(self) -> Tensor:
        """The inputs of a network: reference and input, (n, 2, 2, t)."""
        return torch.stack([self.reference, self.source], dim=1)

    def distance(
        self, result: Tensor, frames: Mapping[int, int] = FRAMES, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """How far each result (n, 2, t) is from its truth, both at the truth's level, as faders leave them: (n,).

        Of left, right, mid and side together, at frames that `generator` draws, or torch's own.
        """
        ours, theirs = (audio.square().mean((1, 2), keepdim=True) for audio in (result, self.truth))
        levelled = result * (theirs / ours.clamp_min(1e-12)).sqrt()
        found = SampledSpectral(self.truth, frames, generator=generator)(levelled)
        return 0.5 * (found.left_right + found.mid_side)


class Truths:
    """Examples for training and validation, of one stem each."""

    def __init__(self, recipe: Recipe, supplies: Supplies, *, mixed: float, mild: float = 0.0) -> None:
        """With `mixed` that share of inputs arrives with random effects of their own.

        With `mild` that share of all configurations has a random strength between none and full.
        """
        fabric = supplies.fabric
        self.recipe, self.device = recipe, fabric.device
        self.mixed, self.mild = mixed, mild
        layout, fixed = (
            replace(layout, single_stem=1.0, views=1, one_effect=0.0, near=0.0)
            for layout in layouts(recipe, supplies.sample_rate)
        )
        share = {"rank": fabric.global_rank, "processes": fabric.world_size, "device": fabric.device}
        the_manipulator = supplies.manipulator(recipe.probabilities.initial)
        self._train = Batches(supplies.contents, the_manipulator, layout, **share)  # type: ignore[arg-type]
        self._valid = Batches(supplies.held_out, the_manipulator, fixed, device=fabric.device)
        self._kept: Examples | None = None

    def prepare(self, step: int) -> Arrivals | Examples:
        """The batch of a step; a CPU renders it as well, an accelerator does that itself later."""
        if self.recipe.run.one_batch:
            if self._kept is None:
                self._kept = self._examples(self._train, self._arrivals(self._train, (TRAINING, 0)))
            return self._kept
        arrivals = self._arrivals(self._train, (TRAINING, step))
        return self._examples(self._train, arrivals) if self.device.type == "cpu" else arrivals

    def rendered(self, batch: Arrivals | Examples) -> Examples:
        """The examples of what `prepare` gave."""
        return self._examples(self._train, batch) if isinstance(batch, Arrivals) else batch

    def validate(self, render: Callable[[Examples], Tensor]) -> tuple[float, dict[str, float]]:
        """By how much `render` reduces the distance to the truth, beyond what the right level alone does.

        Args:
            render: results (n, 2, t) of examples.

        Returns:
            The score: the mean reduction over kinds of stems, 1 for all of the distance. For each kind of stem the
            `distance`, and the `reduction_percent` from the distance of the input at the right level, negative where
            it grew.
        """
        scores: dict[str, float] = {}
        reductions = []
        for stem in self._valid.contents.stems:
            found = [self._measure(render, stem, batch) for batch in range(self.recipe.validation.batches)]
            apart, before = (sum(column) / len(found) for column in zip(*found, strict=True))
            reductions.append(1 - apart / before)
            scores |= {f"{stem}.distance": apart, f"{stem}.reduction_percent": 100 * reductions[-1]}
        return sum(reductions) / len(reductions), scores

    def _measure(self, render: Callable[[Examples], Tensor], stem: str, batch: int) -> tuple[float, float]:
        """Mean distances of the results and of the inputs at the right level, at the same frames every time."""
        place = (VALIDATION, stem, batch)
        examples = self._examples(self._valid, self._arrivals(self._valid, place, kinds=[(stem,)]))
        frames = streams.torch_generator(self.recipe.seed, Purpose.VALIDATION_FRAMES, *place)
        apart, before = (
            examples.distance(sound, generator=frames).clamp_max(LOUDEST).mean()
            for sound in (render(examples), examples.source)
        )
        return float(apart), float(before)

    def _arrivals(self, batches: Batches, place: Sequence[Place], kinds: Sequence[Subset] = ()) -> Arrivals:
        """The batch at a place. Each ensemble has streams of its own, whichever process it falls to."""
        seed = self.recipe.seed
        drawn = batches.draw(seed, *place, kinds=kinds)
        _, configurations, contents = drawn.shape
        effects, own = [], []
        for row, ensemble in enumerate(batches.mine):
            part = drawn.manipulation.rows(slice(row * configurations, (row + 1) * configurations))
            effects.append(self._milder(part, streams.generator(seed, Purpose.STRENGTHS, *place, ensemble)))
            stems = [part.stems[0]] * contents
            own.append(self._own(batches, stems, streams.generator(seed, Purpose.OWN_EFFECTS, *place, ensemble)))
        join = type(drawn.manipulation).join
        return Arrivals(replace(drawn, manipulation=join(effects)), join(own))

    def _own(self, batches: Batches, stems: Sequence[str], generator: np.random.Generator) -> Manipulation:
        """Effects of their own for a share of the inputs, but no gain: levels are drawn apart."""
        own = batches.manipulator.sample(stems, generator)
        mixed = torch.from_numpy(generator.random(len(own)) < self.mixed)
        active = {effect: values & mixed for effect, values in own.active.items()}
        return self._milder(replace(own, active=active | {"gain": torch.zeros_like(mixed)}), generator)

    def _milder(self, manipulation: Manipulation, generator: np.random.Generator) -> Manipulation:
        """The configurations, a share of them of less than full strength."""
        mild, strength = generator.random((2, len(manipulation)))
        return manipulation.milder(torch.from_numpy(np.where(mild < self.mild, strength, 1.0)).float())

    @torch.no_grad()
    def _examples(self, batches: Batches, arrivals: Arrivals) -> Examples:
        """Every clip is a truth once, and once the reference of the next content in its group.

        Only inputs get another level and effects of their own: whatever a stem is like when it arrives, it shall come
        out the same.
        """
        drawn = arrivals.drawn
        groups, configurations, contents = drawn.shape
        truth = batches.render(replace(drawn, gain=torch.ones_like(drawn.gain)))
        source = batches.manipulator.render(drawn.audio.to(self.device), arrivals.own.to(self.device))
        source = source * drawn.gain.to(self.device)[:, None, None]
        rows = torch.arange(groups * configurations).repeat_interleave(contents)
        return Examples(
            truth.roll(1, dims=2).flatten(0, 2),
            source.view(groups, 1, contents, *source.shape[1:]).expand_as(truth).flatten(0, 2),
            truth.flatten(0, 2),
            drawn.manipulation.rows(rows),
        )
