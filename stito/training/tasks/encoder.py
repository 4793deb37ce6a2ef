"""FXencoder as a task: an embedding of how a sound was processed, learnt by telling configurations of effects apart.

Source: Koo et al., "Music mixing style transfer: a contrastive learning approach to disentangle audio effects", ICASSP
2023, sec. 3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from stito.streams import Place
from stito.training.batches import TRAINING, VALIDATION, Batches, ContentSource, Drawn, Layout, Subset, layouts
from stito.training.recipe import Recipe
from stito.training.schedule import scheduled_probabilities
from stito.training.tasks.contrastive import nt_xent, retrieval
from stito.training.tasks.supplies import Supplies

if TYPE_CHECKING:
    from stito.data.fxmanipulator.manipulator import Manipulator
    from stito.training.tasks.task import Network

__all__ = ["FXencoderTask", "NetworkFactory"]

NetworkFactory = Callable[[dict[str, Any]], nn.Module]
"""A network (b, 2, t) -> (b, dim) of a recipe's `network.config`."""

ONE_EFFECT = "one effect"
"""Where the place of a batch begins with which an effect is validated alone."""


class FXencoderTask:
    """What `stito.training.loop` trains for `encoder = "fxencoder"` and its like.

    Validation uses the effects with the recipe's initial probabilities, whichever training uses by then, so that scores
    of different steps compare.
    """

    def __init__(self, recipe: Recipe, factory: NetworkFactory, supplies: Supplies) -> None:
        self.recipe, self.factory, self.fabric = recipe, factory, supplies.fabric
        self._origin = supplies.origin(recipe)
        self.train_manipulator = supplies.manipulator(recipe.probabilities.initial)
        self.valid_manipulator = supplies.manipulator(recipe.probabilities.initial)
        layout, fixed = layouts(recipe, supplies.sample_rate)
        self._train = self._batches(supplies.contents, self.train_manipulator, layout)
        self._valid = self._batches(supplies.held_out, self.valid_manipulator, fixed)
        self._kept: Tensor | None = None

    def _batches(self, contents: ContentSource, manipulator: Manipulator, layout: Layout) -> Batches:
        fabric = self.fabric
        return Batches(
            contents,
            manipulator,
            layout,
            rank=fabric.global_rank,
            processes=fabric.world_size,
            device=fabric.device,
        )

    def network(self) -> nn.Module:
        """A fresh network of the recipe's config."""
        return self.factory(dict(self.recipe.network.config))

    def prepare(self, step: int) -> Drawn | Tensor:
        """The batch of a step; a CPU renders it as well, an accelerator does that itself later."""
        if self.recipe.run.one_batch:
            if self._kept is None:
                self._kept = self._train.render(self._train.draw(self.recipe.seed, TRAINING, 0))
            return self._kept
        drawn = self._train.draw(self.recipe.seed, TRAINING, step)
        return self._train.render(drawn) if self.fabric.device.type == "cpu" else drawn

    def loss(self, network: Network, batch: Drawn | Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The contrastive loss over the batches of all processes, and the share of clips that find a positive."""
        clips = self._train.render(batch) if isinstance(batch, Drawn) else batch
        return self._compare(network, clips, self._train.layout.views)

    def _compare(self, network: Network, clips: Tensor, views: int = 1) -> tuple[Tensor, dict[str, Tensor]]:
        """Every process gets the loss of all: gathering sums its gradients over them, and DDP takes the mean."""
        embedded = network(clips.flatten(0, 2)).float()
        if self.fabric.world_size > 1:
            gathered = self.fabric.all_gather(embedded, sync_grads=torch.is_grad_enabled())
            assert isinstance(gathered, Tensor)
            embedded = gathered.flatten(0, 1)
        loss = self.recipe.loss
        embeddings = embedded.view(-1, *clips.shape[1:3], embedded.shape[-1])
        same: dict[str, Any] = {
            "subvector": loss.subvector,
            "objective": loss.objective,
            "strong_negatives": loss.strong_negatives,
            "views": views,
        }
        value = nt_xent(embeddings, temperature=loss.temperature, **same)
        return value, {"retrieval": retrieval(embeddings, **same)}

    def validate(self, network: Network, count: int) -> tuple[float, Mapping[str, float]]:
        """The mean retrieval over mixes and single stems of held-out songs; losses; probabilities where they move."""
        kinds = self._kinds()
        scores: dict[str, float] = {}
        for name, subsets in kinds.items():
            loss, found = self._measure(network, (VALIDATION, name), subsets)
            scores[f"{name}.loss"], scores[f"{name}.retrieval"] = loss, found
        mean = {key: sum(scores[f"{name}.{key}"] for name in kinds) / len(kinds) for key in ("loss", "retrieval")}
        plan = self.recipe.probabilities
        if plan.every and count % plan.every == 0:
            scores |= self._reschedule(network)
        return mean["retrieval"], {**mean, **scores}

    def _kinds(self) -> dict[str, Sequence[Subset]]:
        """What is measured apart: mixes of two or more stems, and each kind of stem alone."""
        stems = self._valid.contents.stems
        mixes = [subset for size in range(2, len(stems) + 1) for subset in combinations(stems, size)]
        return {**({"mix": mixes} if mixes else {}), **{stem: [(stem,)] for stem in stems}}

    def _measure(
        self, network: Network, place: tuple[Place, ...], kinds: Sequence[Subset], only: str | None = None
    ) -> tuple[float, float]:
        """Loss and retrieval, means over the batches of a place."""
        count = self.recipe.validation.batches
        found = []
        for index in range(count):
            drawn = self._valid.draw(self.recipe.seed, *place, index, kinds=kinds, only=only)
            loss, others = self._compare(network, self._valid.render(drawn))
            found.append(torch.stack([loss, others["retrieval"]]))
        loss_mean, retrieval_mean = torch.stack(found).mean(0).tolist()
        return loss_mean, retrieval_mean

    def _reschedule(self, network: Network) -> dict[str, float]:
        """Set the probabilities of effects in training: higher where an effect alone is harder to tell apart."""
        plan = self.recipe.probabilities
        losses = {}
        for effect in sorted(self.train_manipulator.probabilities):
            losses[effect], _ = self._measure(network, (ONE_EFFECT, effect), (), only=effect)
        self.train_manipulator.probabilities = scheduled_probabilities(losses, low=plan.low, high=plan.high)
        scores = {f"{effect}.loss": loss for effect, loss in losses.items()}
        return scores | {f"{effect}.probability": p for effect, p in self.train_manipulator.probabilities.items()}

    def state(self) -> dict[str, Any]:
        """The probabilities that training uses by now."""
        return {"probabilities": dict(self.train_manipulator.probabilities)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with these probabilities, unless the recipe now keeps its own."""
        if self.recipe.probabilities.every:
            self.train_manipulator.probabilities = dict(state["probabilities"])

    def header(self) -> dict[str, Any]:
        """The header of the weights."""
        recipe = self.recipe
        return {
            "architecture": recipe.network.encoder,
            "config": recipe.network.config,
            "learnt_effects": sorted(self.train_manipulator.probabilities),
            **self._origin,
        }
