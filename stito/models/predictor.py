"""Settings in one pass: a network that embeds input and reference, and predicts how a chain should be set.

A search renders the chain a thousand times; a predictor was trained on millions of renders and predicts at once. Its
settings are a result by themselves (`--method predict`). They also contribute to the start of a search, and to the
settings towards which it is regularised (`--init ensemble`, `stito.engine.starts`). `recipes/predictor` trains it.

Source: parameter prediction through a differentiable chain is that of Steinmetz et al., "Style transfer of audio
effects with differentiable signal processing", JAES 70(9), 2022; that its inputs are embeddings of effects is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stito import registry
from stito.audio import resample
from stito.compute.cores import side_by_side
from stito.effects.chain import Chain
from stito.effects.chain_files import load_chain
from stito.errors import SettingsError, WeightsError
from stito.models.blend import Blend
from stito.models.encoder import Encoder, embed_all, embed_mirrored
from stito.models.loading import load_conditioning, load_encoder
from stito.models.weights import digest_of_weights, freeze, load_weights

__all__ = [
    "Guidance",
    "Predictor",
    "SettingsNet",
    "knob_ranges",
    "load_predictor",
    "no_predictor",
    "same_effects",
]


@dataclass(frozen=True)
class Guidance:
    """What was tuned to the weights of a predictor, and stands in their header under `guidance`.

    Attributes:
        corrections: by slot, how far predicted settings are then corrected to what statistics measure: 0 is not at all.
        evaluations: of a search that starts from these settings, where no budget is named.
        prior_std: the standard deviation of the prior around such a start, as a share of that of the chain's prior.
    """

    corrections: Mapping[str, float] = field(default_factory=dict)
    evaluations: int = 64
    prior_std: float = 3**-0.5


class SettingsNet(nn.Module):
    """Reference and input (b, 2, 2, t) to theta (b, knobs).

    Both are embedded by a backbone, which is trained with the rest, and by encoders that stay as they are.

    Args:
        backbone: audio (b, 2, t) to an embedding (b, dim), of which only the direction is used.
        encoders: further ones, which are not trained.
        knobs: dims of theta.
        hidden: width of the two layers in between.
        dropout: share of the first layer's values that training leaves out.
    """

    def __init__(
        self, backbone: nn.Module, encoders: Sequence[Encoder], knobs: int, hidden: int = 512, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.backbone, self.encoders = backbone, tuple(encoders)
        inputs = 2 * (int(backbone.dim) + sum(encoder.dim for encoder in encoders))  # type: ignore[arg-type]
        self.layers = nn.Sequential(
            nn.BatchNorm1d(inputs),
            nn.Linear(inputs, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, knobs),
        )

    def begin_at(self, theta: Tensor) -> None:
        """Make the untrained network predict `theta` (knobs,), whatever the input."""
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.copy_(torch.logit(theta))

    def forward(self, pairs: Tensor) -> Tensor:
        """Theta (b, knobs), strictly inside its cube."""
        return self.head(self.embed(pairs.flatten(0, 1)).view(len(pairs), -1))

    def embed(self, x: Tensor, *, mirrored: bool = False) -> Tensor:
        """The embedding (b, dims) of audio (b, 2, t): at unit length where it is compared by angle.

        If asked, that of its mirror image, left and right swapped, is behind it: (2 b, dims).
        """
        own = embed_mirrored(self.backbone, self.backbone, x) if mirrored else self.backbone(x)
        own = nn.functional.normalize(own, dim=-1)
        return torch.cat([own, embed_all(self.encoders, x, mirrored=mirrored)], dim=-1) if self.encoders else own

    def head(self, embedded: Tensor) -> Tensor:
        """Theta (b, knobs) from the embeddings of reference and input, side by side (b, 2 dims)."""
        theta: Tensor = torch.sigmoid(self.layers(embedded))
        return theta


def knob_ranges(chain: Chain) -> list[list[Any]]:
    """What theta means for a chain: the name, low end, high end and scale of each knob, in order."""
    return [[str(knob), knob.param.low, knob.param.high, knob.param.scale] for knob in chain.knobs]


class Predictor:
    """A trained `SettingsNet` for one chain.

    `evaluation_encoder` is the encoder from which its backbone was trained further; `guidance` is what was tuned to
    these weights.

    Raises:
        MissingFileError, WeightsError: the file is not there, is of something else, or its chain or encoders have
        changed since it was trained.
    """

    def __init__(self, weights: Path) -> None:
        state, self.header = load_weights(weights)
        self.digest = digest_of_weights(weights)
        if self.header["architecture"] != "predictor":
            raise WeightsError(f"{weights} holds no predictor.", hint="Use a file that recipes/predictor made.")
        self.chain = load_chain(str(self.header["chain"]))
        self._check(weights)
        encoders = load_conditioning(self.header["encoders"], weights)
        backbone = self.header["backbone"]
        self.evaluation_encoder = load_encoder(backbone["encoder"])
        self.sample_rate = self.evaluation_encoder.sample_rate
        self.guidance = Guidance(**self.header.get("guidance", {}))
        network = registry.load("encoder", backbone["encoder"]).network(backbone["config"])
        self._net = SettingsNet(network, encoders, self.chain.dim, **self.header["config"])
        freeze(self._net, state, weights)

    def _check(self, weights: Path) -> None:
        again = f"Train it again: stito train recipes/predictor/{self.chain.name}.toml"
        if knob_ranges(self.chain) != self.header["knobs"]:
            raise WeightsError(f"{weights} is for other knobs than the chain '{self.chain.name}' has.", hint=again)

    @torch.no_grad()
    def predict(
        self, inputs: Sequence[Tensor], references: Sequence[Tensor] | Blend, chain: Chain, sample_rate: int
    ) -> Tensor:
        """Theta (dim,) of `chain` for excerpts (2, t) of input and reference, or of a blend of references.

        The network predicts twice, the second time with left and right swapped. The mean of both predictions is then
        corrected by statistics of the audio (`Guidance.corrections`). Knobs that the chain has frozen keep their
        values, the others stay within its ranges.
        """
        target = Blend.of(references)
        pair = [
            part.map(lambda excerpt: resample(excerpt.cpu(), sample_rate, self.sample_rate))
            for part in (target, Blend.of(inputs))
        ]
        theta, mirrored = self._predicted(pair)
        sided = torch.tensor([knob.param.sided for knob in self.chain.knobs])
        theta = (theta + torch.where(sided, 1 - mirrored, mirrored)) / 2
        settings = chain.settings(chain.encode(self.chain.settings(theta)))  # within this chain's ranges
        x = torch.cat([excerpt.cpu() for excerpt in inputs], dim=-1)
        return chain.encode(chain.correct(settings, x, target.in_a_row(), sample_rate, self.guidance.corrections))

    def _predicted(self, pair: Sequence[Blend]) -> Tensor:
        """What is predicted for the mean embeddings of the excerpts of either side, then of their mirror images.

        Shape:
            Theta (2, knobs).
        """
        excerpts = [excerpt for part in pair for excerpt in part.excerpts]
        found = iter(list(side_by_side(lambda excerpt: self._net.embed(excerpt[None], mirrored=True), excerpts)))
        embedded = [part.mean(lambda song: torch.stack([next(found) for _ in song]).mean(0)) for part in pair]
        return self._net.head(torch.cat(embedded, dim=-1))

    def __repr__(self) -> str:
        return f"Predictor({self.chain.name}, weights {self.digest[:12]})"


def load_predictor(chain: Chain, weights: str | Path | None = None) -> Predictor | None:
    """The predictor for a chain's effects: from a `.safetensors` file that `stito train` wrote, else the installed one.

    Raises:
        MissingFileError, WeightsError: as `Predictor`, or the file is for other effects.
    """
    if weights is not None:
        predictor = _loaded(Path(weights).resolve())
        if not same_effects(predictor.chain, chain):
            raise WeightsError(
                f"{weights} is for the effects of '{predictor.chain.name}', not for those of '{chain.name}'.",
                hint=f"Use --chain {predictor.chain.name}, or leave the predictor out.",
            )
        return predictor
    for name in registry.names("predictor"):
        if same_effects(load_chain(name), chain):
            return _loaded(registry.load("predictor", name))
    return None


def no_predictor(chain: Chain) -> SettingsError:
    """The error where settings of a chain are to be predicted and no predictor is for it."""
    return SettingsError(
        f"There is no predictor for the chain '{chain.name}'.",
        hint="Use a chain with the effects of mixing, or train one (recipes/predictor) and name it with --predictor.",
    )


@lru_cache(maxsize=4)
def _loaded(weights: Path) -> Predictor:
    return Predictor(weights)


def same_effects(one: Chain, other: Chain) -> bool:
    """Whether settings predicted for one chain fit the other's knobs: the same effects in the same order."""
    return _effects(one) == _effects(other)


def _effects(chain: Chain) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [(slot.label, slot.effect.name, slot.options) for slot in chain.slots]
