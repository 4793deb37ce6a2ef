"""A predictor as a task: settings that make one song's stem what the same effects made of it, heard on another song.

```
content j' ─ configuration ─▶ reference ─┐
content j ── (effects of its own) ────────┴▶ network ─▶ theta ─▶ chain(content j) ◀─ compare ─▶ truth
content j ─ configuration ─▶ truth
```

The gradient goes through the chain, so what is learnt is what can be heard: two settings that sound alike are equally
right.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from stito.chains import load_chain
from stito.encoder import TrainedEncoder
from stito.encoders import load_encoder
from stito.errors import RecipeError
from stito.metrics.spectral import SampledSpectral
from stito.predictor import SettingsNet, knob_ranges, told_encoders
from stito.training.batches import Batches, ContentSource, Drawn, Subset, layouts
from stito.training.known import known_settings
from stito.training.recipe import Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from stito.data.manipulate import Manipulation, Manipulator
    from stito.training.task import Network

__all__ = ["PredictorTask"]

TRAIN, VALID = 0, 1
"""What a batch is for: the second of its seeds, so that no two purposes share one."""
OWN = 1_000
"""Keeps the inputs' own effects apart from what else follows from a batch's seeds."""

LOUDEST = 8.0
"""A distance above this is of a truth that is nearly silent, or a room that has no end: it would drown all others."""

START = {"reverb.mix": 0.1, "compressor.ratio": 0.15, "compressor.threshold_db": 0.7}
"""Where the untrained network stands: near neutral, with every effect a little in use, so that gradients arrive."""
EDGE = 0.03


@dataclass(frozen=True)
class Arrivals:
    """A batch before it is rendered, and the effects with which its contents arrive as inputs."""

    drawn: Drawn
    own: Manipulation


@dataclass(frozen=True)
class Examples:
    """n transfers with a known truth: reference, input and truth (n, 2, t), and the known settings (n, knobs)."""

    reference: Tensor
    source: Tensor
    truth: Tensor
    theta: Tensor
    known: Tensor

    def pairs(self) -> Tensor:
        """What the network hears: reference and input, (n, 2, 2, t)."""
        return torch.stack([self.reference, self.source], dim=1)


class PredictorTask:
    """What `stito.training.loop` trains for `task = "predictor"`."""

    def __init__(
        self,
        recipe: Recipe,
        contents: ContentSource,
        held_out: ContentSource,
        manipulator: Callable[[Mapping[str, float]], Manipulator],
        fabric: Fabric,
        *,
        sample_rate: int = 44_100,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            recipe: all figures.
            contents: what training draws from.
            held_out: what validation draws from.
            manipulator: makes manipulators with these probabilities, on the fabric's device.
            fabric: knows the device.
            sample_rate: of contents, manipulator and encoders, in Hz.
            data: what the weights' header says of the data, beside what the recipe says.
        """
        self.recipe, self.fabric = recipe, fabric
        self._data, self._rate = dict(data or {}), sample_rate
        self.chain = load_chain(recipe.predictor.chain)
        if not self.chain.differentiable:
            raise RecipeError(
                f"The chain '{self.chain.name}' cannot be differentiated.", hint="Name one of stito's own effects."
            )
        self.encoders = [load_encoder(name) for name in recipe.predictor.encoders]
        self._ears = _trained(recipe.predictor.ears)
        layout, fixed = (
            replace(layout, single_stem=1.0, views=1, one_effect=0.0) for layout in layouts(recipe, sample_rate)
        )
        share = {"rank": fabric.global_rank, "processes": fabric.world_size, "device": fabric.device}
        the_manipulator = manipulator(recipe.probabilities.initial)
        self._train = Batches(contents, the_manipulator, layout, **share)  # type: ignore[arg-type]
        self._valid = Batches(held_out, the_manipulator, fixed, device=fabric.device)
        self._kept: Examples | None = None

    def network(self) -> nn.Module:
        """A network that hears what its encoder hears, and stands near neutral."""
        ears = copy.deepcopy(self._ears.net).requires_grad_(True).train()
        network = SettingsNet(ears, self.encoders, self.chain.dim, **self._config())
        start = self.chain.encode({}).clamp(EDGE, 1 - EDGE)
        for column, knob in enumerate(self.chain.knobs):
            start[column] = START.get(str(knob), float(start[column]))
        network.begin_at(start)
        return network

    def _config(self) -> dict[str, Any]:
        return {"hidden": self.recipe.predictor.hidden, "dropout": self.recipe.predictor.dropout}

    def prepare(self, step: int) -> Arrivals | Examples:
        """The batch of a step; a CPU renders it as well, an accelerator does that itself later."""
        if self.recipe.run.one_batch:
            if self._kept is None:
                self._kept = self._examples(self._train, self._arrivals(self._train, (self.recipe.seed, TRAIN, 0)))
            return self._kept
        arrivals = self._arrivals(self._train, (self.recipe.seed, TRAIN, step))
        return self._examples(self._train, arrivals) if self.fabric.device.type == "cpu" else arrivals

    def _arrivals(self, batches: Batches, seeds: Sequence[int], kinds: Sequence[Subset] = ()) -> Arrivals:
        drawn = batches.draw(seeds, kinds=kinds)
        generator = np.random.default_rng([*seeds, OWN])
        setting_of = dict(zip(drawn.content.tolist(), drawn.setting.tolist(), strict=True))
        stems = [drawn.manipulation.stems[setting_of[content]] for content in range(len(drawn.audio))]
        own = batches.manipulator.sample(stems, generator)
        mixed = torch.from_numpy(generator.random(len(own)) < self.recipe.predictor.mixed)
        active = {effect: values & mixed for effect, values in own.active.items()}
        return Arrivals(drawn, replace(own, active=active | {"gain": torch.zeros_like(mixed)}))

    @torch.no_grad()
    def _examples(self, batches: Batches, arrivals: Arrivals) -> Examples:
        """Every clip is a truth once, and once the reference of the next content in its group.

        Only inputs get another level and effects of their own: whatever a stem is like when it arrives, it shall come
        out the same.
        """
        device, drawn = self.fabric.device, arrivals.drawn
        groups, configurations, contents = drawn.shape
        truth = batches.render(replace(drawn, gain=torch.ones_like(drawn.gain)))
        source = batches.manipulator.render(drawn.audio.to(device), arrivals.own.to(device))
        source = source * drawn.gain.to(device)[:, None, None]
        theta, known = known_settings(self.chain, drawn.manipulation)
        rows = torch.arange(groups * configurations).repeat_interleave(contents)
        return Examples(
            truth.roll(1, dims=2).flatten(0, 2),
            source.view(groups, 1, contents, *source.shape[1:]).expand_as(truth).flatten(0, 2),
            truth.flatten(0, 2),
            theta[rows].to(device),
            known[rows].to(device),
        )

    def loss(self, network: Network, batch: Arrivals | Examples) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The distance of the result to the truth, and, as the recipe weighs it, of theta to the known settings."""
        examples = self._examples(self._train, batch) if isinstance(batch, Arrivals) else batch
        theta = network(examples.pairs()).float()
        apart = self._distance(theta, examples)
        wrong = (examples.known * (theta - examples.theta).square()).sum() / examples.known.sum().clamp_min(1)
        loss = apart.clamp_max(LOUDEST).mean() + self.recipe.predictor.known * wrong
        return loss, {"distance": apart.detach().mean(), "settings": wrong.detach()}

    def _distance(self, theta: Tensor, examples: Examples) -> Tensor:
        """How far each result is from its truth, both at the truth's level, as the faders of a transfer leave it."""
        rendered = self.chain.render(examples.source, self.chain.decode(theta), self._rate)
        return _apart(_levelled(rendered, examples.truth), examples.truth)

    def validate(self, network: Network, count: int) -> tuple[float, Mapping[str, float]]:
        """The share of the distance that is gone of what the right level alone leaves: the mean over kinds of stems."""
        del count
        scores: dict[str, float] = {}
        for index, stem in enumerate(self._valid.contents.stems):
            found = [
                self._measure(network, stem, (VALID, index, batch)) for batch in range(self.recipe.validation.batches)
            ]
            apart, before = (sum(column) / len(found) for column in zip(*found, strict=True))
            scores |= {f"{stem}.distance": apart, f"{stem}.gone": 1 - apart / before}
        gone = [value for name, value in scores.items() if name.endswith("gone")]
        return sum(gone) / len(gone), scores

    def _measure(self, network: Network, stem: str, seeds: Sequence[int]) -> tuple[float, float]:
        """Mean distances of the results and of the inputs at the right level."""
        examples = self._examples(self._valid, self._arrivals(self._valid, (self.recipe.seed, *seeds), kinds=[(stem,)]))
        torch.manual_seed(self.recipe.seed)  # the same frames at every validation
        apart = self._distance(network(examples.pairs()).float(), examples).clamp_max(LOUDEST)
        level = _apart(_levelled(examples.source, examples.truth), examples.truth).clamp_max(LOUDEST)
        return float(apart.mean()), float(level.mean())

    def state(self) -> dict[str, Any]:
        """Nothing is learnt from validations."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to go on from."""

    def header(self) -> dict[str, Any]:
        """What the weights say of themselves."""
        recipe = self.recipe
        return {
            "architecture": "predictor",
            "config": self._config(),
            "chain": self.chain.name,
            "knobs": knob_ranges(self.chain),
            "ears": {"encoder": recipe.predictor.ears, "config": self._ears.header["config"]},
            "encoders": told_encoders(self.encoders),
            "recipe": recipe.model_dump(mode="json"),
            "data": {"description": recipe.data.description, **self._data},
            "licences": recipe.data.licences,
            "sample_rate": self._rate,
        }


def _trained(name: str) -> TrainedEncoder:
    """An encoder whose network can learn on; `RecipeError` for any other."""
    encoder = load_encoder(name)
    if not isinstance(encoder, TrainedEncoder):
        raise RecipeError(f"The encoder '{name}' has no network that could learn on.", hint="Name fxencoder.")
    return encoder


def _levelled(x: Tensor, truth: Tensor) -> Tensor:
    """Audio (b, 2, t) at the level of its truth."""
    ours, theirs = (audio.square().mean((1, 2), keepdim=True) for audio in (x, truth))
    return x * (theirs / ours.clamp_min(1e-12)).sqrt()


def _apart(x: Tensor, truth: Tensor) -> Tensor:
    """Of left, right, mid and side together, (b,); frames are torch's to draw."""
    found = SampledSpectral(truth)(x)
    return 0.5 * (found.left_right + found.mid_side)
