"""A converter as a task: one song's stem, rendered with the effects of a reference from another song.

Source: Koo et al., "Music mixing style transfer: a contrastive learning approach to disentangle audio effects", ICASSP
2023, sec. 3.2: the encoder is frozen, the loss is the multi-scale spectral distance to the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from stito.models.encoder import embed_all
from stito.models.loading import conditioning_of, load_encoder
from stito.training.recipe import Recipe
from stito.training.tasks.supplies import Supplies
from stito.training.tasks.task import Stateless
from stito.training.tasks.truths import LOUDEST, Arrivals, Examples, Truths

if TYPE_CHECKING:
    from stito.training.tasks.task import Network

__all__ = ["ConverterFactory", "ConverterNet", "ConverterTask"]

ConverterFactory = Callable[[dict[str, Any], int], nn.Module]
"""A network of a recipe's `network.config` and the dims of a style: see `stito.models.converter.Converter.render`."""

FRAMES = {4096: 16, 2048: 32, 1024: 32, 512: 64}
"""All four FFT sizes of the paper, each at some places."""


class ConverterNet(nn.Module):
    """The network and its conditioning: pairs of reference and input (b, 2, 2, t) to results (b, 2, t)."""

    def __init__(self, net: nn.Module, style: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self._style = net, style

    def forward(self, pairs: Tensor) -> Tensor:
        """Results (b, 2, t)."""
        reference, own = self._style(pairs.flatten(0, 1)).view(len(pairs), 2, -1).unbind(1)
        result: Tensor = self.net(pairs[:, 1], reference, own)
        return result


class ConverterTask(Stateless):
    """What `stito.training.loop` trains for `task = "converter"`."""

    def __init__(self, recipe: Recipe, factory: ConverterFactory, supplies: Supplies) -> None:
        self.recipe, self.factory = recipe, factory
        self._origin = supplies.origin(recipe)
        self.encoders = [load_encoder(name) for name in recipe.converter.encoders]
        self._truths = Truths(recipe, supplies, mixed=recipe.converter.mixed, mild=recipe.converter.mild)

    def network(self) -> nn.Module:
        """A fresh network, and the frozen encoders that it is conditioned on."""
        net = self.factory(dict(self.recipe.network.config), sum(encoder.dim for encoder in self.encoders))
        return ConverterNet(net, lambda x: embed_all(self.encoders, x))

    def prepare(self, step: int) -> Arrivals | Examples:
        """The batch of a step."""
        return self._truths.prepare(step)

    def loss(self, network: Network, batch: Arrivals | Examples) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The distance of the result to the truth."""
        examples = self._truths.rendered(batch)
        apart = examples.distance(network(examples.pairs()).float(), FRAMES)
        return apart.clamp_max(LOUDEST).mean(), {"distance": apart.detach().mean()}

    def validate(self, network: Network, count: int) -> tuple[float, Mapping[str, float]]:
        """The mean reduction of the distance to the truth, and scores by kind of stem: see `Truths.validate`."""
        del count
        return self._truths.validate(lambda examples: network(examples.pairs()).float())

    def header(self) -> dict[str, Any]:
        """The header of the weights."""
        recipe = self.recipe
        return {
            "architecture": recipe.network.encoder,
            "config": recipe.network.config,
            "encoders": conditioning_of(self.encoders),
            **self._origin,
        }
