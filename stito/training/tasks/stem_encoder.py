"""A stem-aware encoder as a task: good mixes of a song belong together, damaged ones and other songs do not.

Source: B. Cheng, "Mixing style representation learning: a stem-aware contrastive framework with structured mix
features", stage 1: InfoNCE. That the severity of each fault of each stem is predicted too (`stem_encoder.faults`), by a
linear layer on the embedding, is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from stito.models.encoder import Analysing
from stito.models.stem_batch import MixEmbedding, StemBatch, mix_distance
from stito.stems import STEMS
from stito.training.batches import TRAINING, VALIDATION
from stito.training.recipe import Recipe
from stito.training.tasks.mix_batches import MixBatch, MixBatches
from stito.training.tasks.supplies import Supplies
from stito.training.tasks.task import Stateless

if TYPE_CHECKING:
    from stito.training.tasks.task import Network

__all__ = ["StemEncoderTask", "StemNet", "info_nce", "retrieval", "separation"]

SEVERITIES = (0.25, 0.5, 1.0)
"""Validated apart."""


class StemNet(nn.Module):
    """The network and the layer that predicts severities: n stems to (n, dim + faults)."""

    def __init__(self, net: nn.Module, faults: int) -> None:
        super().__init__()
        self.net = net
        self.head = nn.Linear(int(net.dim), faults) if faults else None  # type: ignore[arg-type]

    def forward(self, batch: StemBatch) -> Tensor:
        """Embeddings, and the logits of severities."""
        embedded: Tensor = self.net(batch)
        return embedded if self.head is None else torch.cat([embedded, self.head(embedded)], dim=-1)


def info_nce(distance: Tensor, song: Tensor, degraded: Tensor, temperature: float) -> Tensor:
    """InfoNCE over mixes: low where a good mix is closer to another view of its song than to anything else.

    Args:
        distance: of each mix to each, (m, m).
        song: of each, (m,).
        degraded: which have faults, (m,) bool. These are never positives, whatever song they are of.
        temperature: of the softmax.

    Source: van den Oord et al., "Representation learning with contrastive predictive coding", 2018, eq. 4.
    """
    scores, positive = _scores(distance, song, degraded)
    scores = scores / temperature
    return (scores.logsumexp(1) - scores[positive].view(len(scores), -1).mean(1)).mean()


def retrieval(distance: Tensor, song: Tensor, degraded: Tensor) -> Tensor:
    """The share of good mixes whose nearest other mix is another good one of the same song; arguments as `info_nce`."""
    scores, positive = _scores(distance, song, degraded)
    return positive.gather(1, scores.argmax(1, keepdim=True)).float().mean()


def _scores(distance: Tensor, song: Tensor, degraded: Tensor) -> tuple[Tensor, Tensor]:
    """Of each good mix the similarity to all mixes but itself, and which of them are its positives."""
    anchors = (~degraded).nonzero().flatten()
    itself = anchors[:, None] == torch.arange(len(song), device=song.device)
    scores = (1 - distance[anchors]).masked_fill(itself, -torch.inf)
    positive = (song[anchors][:, None] == song) & ~degraded & ~itself
    return scores, positive


def separation(values: Tensor, positive: Tensor) -> float:
    """The area under the ROC curve (AUC): how often a value of a positive is above one of a negative; ties count half.

    >>> separation(torch.tensor([0.1, 0.4, 0.35, 0.8]), torch.tensor([False, False, True, True]))
    0.75
    """
    higher = values[positive][:, None] - values[~positive]
    return float(((higher > 0).float() + 0.5 * (higher == 0).float()).mean())


class StemEncoderTask(Stateless):
    """What `stito.training.loop` trains for `task = "stem encoder"`."""

    def __init__(self, recipe: Recipe, factory: Callable[[dict[str, Any]], nn.Module], supplies: Supplies) -> None:
        self.recipe, self.factory, self.fabric = recipe, factory, supplies.fabric
        self._origin, self._rate = supplies.origin(recipe), supplies.sample_rate
        plan, batch = recipe.stem_encoder, recipe.batch
        self._train = MixBatches(supplies.mixes, plan, self._rate, songs=batch.groups)
        fixed = plan.model_copy(update={"missing": 0.0, "unnamed": 0.0})
        self._valid = MixBatches(supplies.held_out_mixes, fixed, self._rate, songs=recipe.validation.groups)
        self.targets = self._train.targets if plan.faults else ()
        """Whose severities are predicted."""
        self._analyser = factory(dict(recipe.network.config)) if plan.pool else None
        self._kept = supplies.kept
        """Batches of training by their numbers, of validation by negative ones."""

    def network(self) -> nn.Module:
        """A fresh network of the recipe's config, and the layer that predicts severities."""
        return StemNet(self.factory(dict(self.recipe.network.config)), len(self.targets))

    def prepare(self, step: int) -> MixBatch:
        """The batch of a step, rendered. Every process draws its own."""
        if self.recipe.run.one_batch:
            return self._once(0, partial(self._drawn, 0))
        pool, rounds = self.recipe.stem_encoder.pool, self.recipe.stem_encoder.rounds
        if not pool:
            return self._drawn(step)
        first = step // (pool * rounds) * pool
        for place in [place for place in self._kept if 0 <= place < first]:
            del self._kept[place]
        number = first + step % pool
        return self._once(number, partial(self._drawn, number))

    def _drawn(self, step: int) -> MixBatch:
        batch = self.recipe.batch
        shortest, longest = (round(seconds * self._rate) for seconds in (batch.min_seconds, batch.max_seconds))
        samples = shortest + (longest - shortest) * (step % 5) // 4  # every fifth batch has the same length
        return self._train.draw(self.recipe.seed, TRAINING, self.fabric.global_rank, step, samples=samples)

    def _once(self, place: int, draw: Callable[[], MixBatch]) -> MixBatch:
        """A batch that is drawn once and kept, as its analysis alone if the network has one."""
        if place not in self._kept:
            batch = draw()
            if isinstance(self._analyser, Analysing):
                batch = replace(batch, stems=self._analyser.analyse(batch.stems))
            self._kept[place] = batch
        return self._kept[place]

    def loss(self, network: Network, batch: MixBatch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """InfoNCE, and by weight the error of predicted severities."""
        batch = batch.to(self.fabric.device)
        distance, logits = self._embedded(network, batch)
        contrast = info_nce(distance, batch.song, batch.degraded, self.recipe.loss.temperature)
        values = {
            "contrast": contrast.detach(),
            "retrieval": retrieval(distance.detach(), batch.song, batch.degraded),
        }
        if not self.targets:
            return contrast, values
        wrong = nn.functional.binary_cross_entropy_with_logits(logits, batch.severity, reduction="none").sum(-1).mean()
        return contrast + self.recipe.stem_encoder.faults * wrong, {**values, "faults": wrong.detach()}

    def _embedded(self, network: Network, batch: MixBatch) -> tuple[Tensor, Tensor]:
        """Distances of mixes (m, m), and logits of severities (n, faults)."""
        output = network(batch.stems).float()  # type: ignore[arg-type]
        embedded, logits = output.tensor_split([output.shape[-1] - len(self.targets)], dim=-1)
        mixes = MixEmbedding.gathered(embedded, batch.stems, len(STEMS))
        return mix_distance(mixes, mixes), logits

    def validate(self, network: Network, count: int) -> tuple[float, Mapping[str, float]]:
        """The mean of retrieval and AUC on held-out songs, at severities .25, .5 and 1.

        AUC is of the largest severity that is predicted for any stem, which shall tell degraded mixes from good ones.
        Where none is predicted, the score is retrieval alone.
        """
        del count
        scores: dict[str, float] = {}
        for severity in SEVERITIES:
            scores |= {f"{severity:g}.{kind}": value for kind, value in self._measured(network, severity).items()}
        kinds = ("retrieval", "auc") if self.targets else ("retrieval",)
        means = {kind: sum(scores[f"{severity:g}.{kind}"] for severity in SEVERITIES) / 3 for kind in kinds}
        return sum(means.values()) / len(means), {**means, **scores}

    def _measured(self, network: Network, severity: float) -> dict[str, float]:
        """Retrieval and AUC at one severity: the same songs and faults at every one."""
        samples = round(self.recipe.validation.seconds * self._rate)
        found, values, truth = [], [], []
        for index in range(self.recipe.validation.batches):
            draw = partial(self._valid.draw, self.recipe.seed, VALIDATION, index, samples=samples, severity=severity)
            batch = self._once(-1 - round(severity * 100) - 1000 * index, draw) if self._analyser else draw()
            batch = batch.to(self.fabric.device)
            distance, logits = self._embedded(network, batch)
            found.append(float(retrieval(distance, batch.song, batch.degraded)))
            if self.targets:
                most = logits.new_full((batch.stems.mixes,), -torch.inf)
                values.append(most.scatter_reduce(0, batch.stems.mix, logits.amax(1), "amax"))
                truth.append(batch.degraded)
        auc = {"auc": separation(torch.cat(values), torch.cat(truth))} if self.targets else {}
        return {"retrieval": sum(found) / len(found), **auc}

    def header(self) -> dict[str, Any]:
        """The header of the weights."""
        recipe = self.recipe
        return {
            "architecture": recipe.network.encoder,
            "config": recipe.network.config,
            "faults": list(self.targets),
            **self._origin,
        }
