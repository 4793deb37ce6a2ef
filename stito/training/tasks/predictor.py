"""A predictor as a task: settings that give one song's stem the effects of a reference from another song.

The gradient goes through the chain, so the loss is a distance between sounds: two settings that sound alike are equally
right.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from stito import registry
from stito.effects.chain_files import load_chain
from stito.errors import RecipeError
from stito.models.encoder import TrainedEncoder
from stito.models.loading import conditioning_of, load_encoder
from stito.models.predictor import SettingsNet, knob_ranges
from stito.models.weights import read_header
from stito.training.recipe import Recipe
from stito.training.tasks.supplies import Supplies
from stito.training.tasks.target_settings import target_settings
from stito.training.tasks.task import Stateless
from stito.training.tasks.truths import LOUDEST, Arrivals, Examples, Truths

if TYPE_CHECKING:
    from stito.training.tasks.task import Network

__all__ = ["PredictorTask"]

EDGE = 0.03


class PredictorTask(Stateless):
    """What `stito.training.loop` trains for `task = "predictor"`."""

    def __init__(self, recipe: Recipe, supplies: Supplies) -> None:
        self.recipe = recipe
        self._origin, self._rate = supplies.origin(recipe), supplies.sample_rate
        self.chain = load_chain(recipe.predictor.chain)
        if not self.chain.differentiable:
            raise RecipeError(
                f"The chain '{self.chain.name}' cannot be differentiated.", hint="Name one of stito's own effects."
            )
        self.encoders = [load_encoder(name) for name in recipe.predictor.encoders]
        self._backbone, self._backbone_config = _backbone(recipe)
        self._truths = Truths(recipe, supplies, mixed=recipe.predictor.mixed, mild=recipe.predictor.mild)

    def network(self) -> nn.Module:
        """A network with a copy of its encoder as backbone, that predicts what the recipe begins with."""
        backbone = copy.deepcopy(self._backbone)
        network = SettingsNet(backbone, self.encoders, self.chain.dim, **self._config())
        start = self.chain.encode({}).clamp(EDGE, 1 - EDGE)
        for column, knob in enumerate(self.chain.knobs):
            start[column] = self.recipe.predictor.begin.get(str(knob), float(start[column]))
        network.begin_at(start)
        return network

    def _config(self) -> dict[str, Any]:
        return {"hidden": self.recipe.predictor.hidden, "dropout": self.recipe.predictor.dropout}

    def prepare(self, step: int) -> Arrivals | Examples:
        """The batch of a step."""
        return self._truths.prepare(step)

    def loss(self, network: Network, batch: Arrivals | Examples) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The distance of the result to the truth, and, weighted by the recipe, of theta to the target settings."""
        examples = self._truths.rendered(batch)
        theta = network(examples.pairs()).float()
        apart = examples.distance(self._render(theta, examples))
        targets, has_target = (part.to(theta.device) for part in target_settings(self.chain, examples.effects))
        wrong = (has_target * (theta - targets).square()).sum() / has_target.sum().clamp_min(1)
        loss = apart.clamp_max(LOUDEST).mean() + self.recipe.predictor.target_settings * wrong
        return loss, {"distance": apart.detach().mean(), "settings": wrong.detach()}

    def _render(self, theta: Tensor, examples: Examples) -> Tensor:
        return self.chain.render(examples.source, self.chain.decode(theta), self._rate)

    def validate(self, network: Network, count: int) -> tuple[float, Mapping[str, float]]:
        """The mean reduction of the distance to the truth, and scores by kind of stem: see `Truths.validate`."""
        del count
        return self._truths.validate(lambda examples: self._render(network(examples.pairs()).float(), examples))

    def header(self) -> dict[str, Any]:
        """The header of the weights."""
        return {
            "architecture": "predictor",
            "config": self._config(),
            "chain": self.chain.name,
            "knobs": knob_ranges(self.chain),
            "backbone": {"encoder": self.recipe.predictor.backbone, "config": self._backbone_config},
            "guidance": self.recipe.predictor.guidance.model_dump(),
            "encoders": conditioning_of(self.encoders),
            **self._origin,
        }


def _backbone(recipe: Recipe) -> tuple[nn.Module, Mapping[str, Any]]:
    """A network that learns on, and its config: the encoder's own, or such as weights to go on from have.

    The encoder may have become another since those were trained. `RecipeError` for one that is not installed, or that
    cannot learn.
    """
    name = recipe.predictor.backbone
    encoder = load_encoder(name)
    if name not in registry.names("encoder") or not isinstance(encoder, TrainedEncoder):
        raise RecipeError(f"The encoder '{name}' has no network that could learn on.", hint="Name fxencoder.")
    config, network = encoder.header["config"], encoder.net
    found = read_header(Path(recipe.start)).get("backbone") if recipe.start else None
    if found and found != {"encoder": name, "config": config}:
        if found["encoder"] != name:
            raise RecipeError(
                f"{recipe.start} has the backbone '{found['encoder']}'.", hint="Give predictor.backbone that name."
            )
        config, network = found["config"], registry.load("encoder", name).network(found["config"])
    return copy.deepcopy(network).requires_grad_(True).train(), config
