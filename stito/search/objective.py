"""What a search minimises.

An objective maps candidates theta (b, dim) to losses (b,). It is made of three parts: what renders the candidates
(`StemCandidates`, `SumCandidates`), what measures how far they are from the reference (`EmbeddingDistance`,
`SpectralDistance`, `AudioDistance`), and a `Prior`. Without a prior an embedding search overfits to the
content of the reference (DiffVox, Yu et al. 2025, Table 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stito.compute.cores import each_row
from stito.dsp.loudness import decibels, measure
from stito.effects.chain import Chain, Prepared
from stito.metrics.spectral import MultiScaleSpectral, SampledSpectral, Spectral
from stito.models.encoder import Encoder, distance

__all__ = [
    "AudioDistance",
    "AudioObjective",
    "Candidates",
    "EmbeddingDistance",
    "LevelCandidates",
    "MeanDistance",
    "Measure",
    "MonoCandidates",
    "Objective",
    "Prior",
    "SpectralDistance",
    "StemCandidates",
    "SumCandidates",
]

Candidates = Callable[[Tensor], list[Tensor]]
"""Theta (b, dim) to the audio (b, 2, t) of each excerpt."""

Measure = Callable[[Sequence[Tensor]], Tensor]
"""The audio (b, 2, t) of each excerpt to distances (b,)."""

AudioObjective = Callable[[Tensor, Tensor, int], Tensor]
"""An objective of one's own: candidates (b, 2, t), the reference (2, t') and their sample rate to losses (b,)."""

NEUTRAL_STD = 0.35
"""Standard deviation in theta around neutral, for knobs of which the chain gives no prior."""

SILENT_ENERGY = 1e-12
"""What is quieter is not amplified."""


@dataclass(frozen=True, eq=False)
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
        mean, std = torch.tensor(pairs, dtype=torch.float32).reshape(-1, 2).unbind(1)  # without a knob too
        return cls(mean, std, weight)

    @classmethod
    def join(cls, priors: Sequence[Prior]) -> Prior:
        """The prior of several chains whose thetas are concatenated."""
        mean, std = torch.cat([prior.mean for prior in priors]), torch.cat([prior.std for prior in priors])
        return cls(mean, std, priors[0].weight)

    def around(self, theta: Tensor, share: float) -> Prior:
        """The prior around a start (dim,), with `share` of its standard deviations: a start is more certain."""
        return Prior(theta.to(self.std), self.std * share, self.weight)

    def to(self, device: str) -> Prior:
        """The same prior on a device."""
        return Prior(self.mean.to(device), self.std.to(device), self.weight)

    def __call__(self, theta: Tensor) -> Tensor:
        """The penalty (b,) of theta (b, dim)."""
        if not theta.shape[-1]:
            return theta.new_zeros(len(theta))
        return 0.5 * self.weight * ((theta - self.mean) / self.std).square().mean(-1)


@dataclass(frozen=True, eq=False)
class Objective:
    """Candidates, how far they are from the reference, and a prior, if there is one; each candidate on its own core."""

    candidates: Candidates
    measure: Measure
    device: torch.device
    prior: Prior | None = None

    def with_prior(self, prior: Prior | None) -> Objective:
        """The same objective under another prior."""
        return replace(self, prior=prior)

    def distance(self, theta: Tensor) -> Tensor:
        """The distance to the reference alone, (b,), without the prior: what is reported."""
        return each_row(self._distance, theta.to(self.device))

    def __call__(self, theta: Tensor) -> Tensor:
        """The loss (b,) of candidates (b, dim)."""
        return each_row(self._loss, theta.to(self.device))

    def _distance(self, theta: Tensor) -> Tensor:
        return self.measure(self.candidates(theta))

    def _loss(self, theta: Tensor) -> Tensor:
        found = self._distance(theta)
        return found if self.prior is None else found + self.prior(theta)


@dataclass(frozen=True, eq=False)
class StemCandidates:
    """One stem: each excerpt of it through the chain."""

    sources: Sequence[Prepared]

    def __call__(self, theta: Tensor) -> list[Tensor]:
        """The audio (b, 2, t) of each excerpt."""
        return [source.render(theta) for source in self.sources]


class SumCandidates:
    """Several stems at once: each row of theta holds all their chains, and the stems are summed.

    Args:
        stems: for each stem its excerpts, ready to be rendered.
        most_moved_db: no stem gets further out of balance than that: what its chain changes in loudness, against the
            median of all stems, is bounded as it will be when the result is written. Without it nothing is.
    """

    def __init__(self, stems: Sequence[Sequence[Prepared]], most_moved_db: float | None = None) -> None:
        self._stems, self._most_db = stems, most_moved_db
        self._before = None if most_moved_db is None else torch.stack([self._energy(sources) for sources in stems])

    def __call__(self, theta: Tensor) -> list[Tensor]:
        """The audio (b, 2, t) of each excerpt of the sum."""
        parts = torch.split(theta, [sources[0].chain.dim for sources in self._stems], dim=1)
        stems = [[source.render(part) for source in sources] for sources, part in zip(self._stems, parts, strict=True)]
        if self._before is None:
            return [torch.stack(together).sum(0) for together in zip(*stems, strict=True)]
        gains = self._gains(stems)
        return [
            torch.stack([gain * sound for gain, sound in zip(gains, together, strict=True)]).sum(0)
            for together in zip(*stems, strict=True)
        ]

    def _energy(self, sources: Sequence[Prepared]) -> Tensor:
        return _weighted_energy([source.x for source in sources], sources[0].sample_rate)[0]

    def _gains(self, stems: Sequence[Sequence[Tensor]]) -> Tensor:
        """Gains (stems, b, 1, 1) that bring each stem back to where it may be in the balance."""
        assert self._before is not None
        assert self._most_db is not None
        rate = self._stems[0][0].sample_rate
        after = torch.stack([_weighted_energy(sounds, rate) for sounds in stems])
        moved = decibels(after) - decibels(self._before)[:, None]
        ranked = moved.sort(0).values
        middle = (ranked[(len(moved) - 1) // 2] + ranked[len(moved) // 2]) / 2
        apart = moved - middle
        return (10 ** ((apart.clamp(-self._most_db, self._most_db) - apart) / 20))[..., None, None]


def _weighted_energy(sounds: Sequence[Tensor], sample_rate: int) -> Tensor:
    """The K-weighted energy of excerpts (b, 2, t) of one stem together, (b,)."""
    return torch.stack([measure(sound, sample_rate).energy.sum(-1) for sound in sounds]).sum(0)


@dataclass(frozen=True, eq=False)
class MonoCandidates:
    """Candidates as they are written in mono: both channels' mean."""

    stereo: Candidates

    def __call__(self, theta: Tensor) -> list[Tensor]:
        """The audio (b, 2, t) of each excerpt, with equal channels."""
        return [sound.mean(1, keepdim=True).expand(-1, 2, -1) for sound in self.stereo(theta)]


class LevelCandidates:
    """Candidates as they are written where the level is kept: as loud as the input, its excerpts (2, t)."""

    def __init__(self, candidates: Candidates, inputs: Sequence[Tensor], sample_rate: int) -> None:
        self._candidates, self._rate = candidates, sample_rate
        self._wanted = _weighted_energy([x[None] for x in inputs], sample_rate)

    def __call__(self, theta: Tensor) -> list[Tensor]:
        """The audio (b, 2, t) of each excerpt."""
        made = self._candidates(theta)
        gains = (self._wanted / _weighted_energy(made, self._rate).clamp_min(SILENT_ENERGY)).sqrt()
        return [gains[:, None, None] * sound for sound in made]


@dataclass(frozen=True, eq=False)
class EmbeddingDistance:
    """Distance between a candidate's embedding, averaged over the excerpts, and the reference's (1, dim)."""

    encoder: Encoder
    target: Tensor

    def __call__(self, excerpts: Sequence[Tensor]) -> Tensor:
        """Distances (b,)."""
        embeddings = [self.encoder.embed(excerpt) for excerpt in excerpts]
        return distance(self.encoder, torch.stack(embeddings).mean(0), self.target)


@dataclass(frozen=True, eq=False)
class AudioDistance:
    """An objective of one's own, averaged over the excerpts; the reference is its excerpts in a row (2, t')."""

    function: AudioObjective
    reference: Tensor
    sample_rate: int

    def __call__(self, excerpts: Sequence[Tensor]) -> Tensor:
        """Losses (b,)."""
        losses = [self.function(excerpt, self.reference, self.sample_rate) for excerpt in excerpts]
        return torch.stack(losses).mean(0)


@dataclass(frozen=True, eq=False)
class MeanDistance:
    """The weighted mean of distances to several references."""

    measures: Sequence[tuple[Measure, float]]

    def __call__(self, excerpts: Sequence[Tensor]) -> Tensor:
        """Distances (b,)."""
        return torch.stack([weight * measure(excerpts) for measure, weight in self.measures]).sum(0)


class SpectralDistance:
    """Multi-scale spectral distance, left/right plus mid/side, to given waveforms, one for each excerpt.

    With `frames` (see `SampledSpectral`) it is estimated, from the same frames for every candidate.
    """

    def __init__(self, targets: Sequence[Tensor], *, frames: Mapping[int, int] | None = None) -> None:
        generator = torch.Generator().manual_seed(0)
        self._metrics: list[Callable[[Tensor], Spectral]] = [
            SampledSpectral(target[None], frames, generator=generator) if frames else MultiScaleSpectral(target[None])
            for target in targets
        ]

    def __call__(self, excerpts: Sequence[Tensor]) -> Tensor:
        """Distances (b,)."""
        distances = []
        for excerpt, metric in zip(excerpts, self._metrics, strict=True):
            spectral = metric(excerpt)
            distances.append(0.5 * (spectral.left_right + spectral.mid_side))
        return torch.stack(distances).mean(0)
