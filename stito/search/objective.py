"""What a search minimises.

An objective maps candidates theta (b, dim) to losses (b,). `StyleObjective` is the distance of their embedding to the
reference's; `SpectralObjective` is the distance to a known waveform, for references that are the same performance and
for the oracle of evaluations. `Prior` is added to either: without one, an embedding search is drawn to settings that
fit the content of the reference (DiffVox, Yu et al. 2025, Table 2).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stito.compute.cores import each_row
from stito.effects.chain import Chain, Prepared
from stito.metrics.spectral import MultiScaleSpectral, SampledSpectral, Spectral
from stito.models.encoder import Encoder, distance

__all__ = ["Objective", "Prior", "SpectralObjective", "StyleObjective", "SumObjective", "embed_excerpts"]

Objective = Callable[[Tensor], Tensor]

NEUTRAL_STD = 0.35
"""Standard deviation in theta around neutral, for knobs of which the chain gives no prior."""

GUESSED_STD = 3**-0.5
"""The standard deviation around a guess, as a share of that around the usual settings."""


@dataclass(frozen=True)
class Prior:
    """A diagonal Gaussian over theta: `weight` times half the mean squared distance from `mean` in units of `std`."""

    mean: Tensor
    std: Tensor
    weight: float

    @classmethod
    def of(cls, chain: Chain, weight: float) -> Prior:
        """The prior that a chain carries; around neutral where it carries none."""
        neutral = chain.encode({})
        pairs = [
            chain.prior.get(str(knob), (float(place), NEUTRAL_STD))
            for knob, place in zip(chain.knobs, neutral, strict=True)
        ]
        mean, std = torch.tensor(pairs, dtype=torch.float32).unbind(1)
        return cls(mean, std, weight)

    @classmethod
    def join(cls, priors: Sequence[Prior]) -> Prior:
        """The prior of several chains whose thetas are concatenated."""
        mean, std = torch.cat([prior.mean for prior in priors]), torch.cat([prior.std for prior in priors])
        return cls(mean, std, priors[0].weight)

    def around(self, theta: Tensor) -> Prior:
        """Around a guess, (dim,), and narrower: a guess knows more than what is usual."""
        return Prior(theta.to(self.std), self.std * GUESSED_STD, self.weight)

    def to(self, device: str) -> Prior:
        """The same prior on a device."""
        return Prior(self.mean.to(device), self.std.to(device), self.weight)

    def __call__(self, theta: Tensor) -> Tensor:
        """The penalty (b,) of theta (b, dim)."""
        return 0.5 * self.weight * ((theta - self.mean) / self.std).square().mean(-1)


def embed_excerpts(encoder: Encoder, excerpts: Sequence[Tensor]) -> Tensor:
    """The mean embedding (1, dim) of excerpts (2, t) of any lengths."""
    with torch.no_grad():
        return torch.stack([encoder.embed(excerpt[None]) for excerpt in excerpts]).mean(0)


class _Objective(ABC):
    """A style distance plus a prior, each candidate on its own core."""

    prior: Prior | None
    device: torch.device

    def style(self, theta: Tensor) -> Tensor:
        """The distance alone, (b,), without the prior: what is reported."""
        return each_row(self._style, theta.to(self.device))

    def __call__(self, theta: Tensor) -> Tensor:
        """The loss (b,) of candidates (b, dim)."""
        return each_row(self._loss, theta.to(self.device))

    def _loss(self, theta: Tensor) -> Tensor:
        style = self._style(theta)
        return style if self.prior is None else style + self.prior(theta)

    @abstractmethod
    def _style(self, theta: Tensor) -> Tensor:
        """The distance (b,) of candidates (b, dim)."""


class _Embedded(_Objective):
    """Distance between a candidate's embedding, averaged over the excerpts, and the reference's."""

    def __init__(self, encoder: Encoder, target: Tensor, prior: Prior | None) -> None:
        self.encoder = encoder
        self.target = target
        self.prior = prior
        self.device = target.device

    @abstractmethod
    def _excerpts(self, theta: Tensor) -> Iterator[Tensor]:
        """What candidates (b, dim) make of each excerpt, (b, 2, t)."""

    def _style(self, theta: Tensor) -> Tensor:
        embeddings = [self.encoder.embed(excerpt) for excerpt in self._excerpts(theta)]
        return distance(self.encoder, torch.stack(embeddings).mean(0), self.target)


class StyleObjective(_Embedded):
    """Distance between a candidate's embedding, averaged over the input's excerpts, and the reference's."""

    def __init__(
        self, sources: Sequence[Prepared], encoder: Encoder, target: Tensor, prior: Prior | None = None
    ) -> None:
        super().__init__(encoder, target, prior)
        self.sources = sources

    def _excerpts(self, theta: Tensor) -> Iterator[Tensor]:
        return (source.render(theta) for source in self.sources)


class SumObjective(_Embedded):
    """The same for several stems at once: each row of theta holds all their chains, and their sum is embedded."""

    def __init__(
        self,
        stems: Sequence[Sequence[Prepared]],
        encoder: Encoder,
        target: Tensor,
        prior: Prior | None = None,
    ) -> None:
        super().__init__(encoder, target, prior)
        self.stems = stems
        self.dims = [sources[0].chain.dim for sources in stems]

    def _excerpts(self, theta: Tensor) -> Iterator[Tensor]:
        parts = torch.split(theta, self.dims, dim=1)
        for sources in zip(*self.stems, strict=True):
            rendered = [source.render(part) for source, part in zip(sources, parts, strict=True)]
            yield torch.stack(rendered).sum(0)


class SpectralObjective(_Objective):
    """Multi-scale spectral distance, left/right plus mid/side, to waveforms that are known, one for each source.

    With `frames` (see `SampledSpectral`) it is estimated, from the same frames for every candidate.
    """

    def __init__(
        self,
        sources: Sequence[Prepared],
        targets: Sequence[Tensor],
        prior: Prior | None = None,
        *,
        frames: Mapping[int, int] | None = None,
    ) -> None:
        self.sources = sources
        generator = torch.Generator().manual_seed(0)
        self.metrics: list[Callable[[Tensor], Spectral]] = [
            SampledSpectral(target[None], frames, generator=generator) if frames else MultiScaleSpectral(target[None])
            for target in targets
        ]
        self.prior = prior
        self.device = targets[0].device

    def _style(self, theta: Tensor) -> Tensor:
        distances = []
        for source, metric in zip(self.sources, self.metrics, strict=True):
            spectral = metric(source.render(theta))
            distances.append(0.5 * (spectral.left_right + spectral.mid_side))
        return torch.stack(distances).mean(0)
