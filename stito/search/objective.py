"""What a search minimises.

An objective maps candidates theta (b, dim) to losses (b,). It is made of three parts: what renders the candidates
(`StemCandidates`, `SumCandidates`, `BusCandidates`), what measures how far they are from the reference
(`EmbeddingDistance`, `SpectralDistance`, `AudioDistance`), and a `Prior`. Without a prior an embedding search overfits
to the content of the reference (DiffVox, Yu et al. 2025, Table 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from stito.compute.cores import each_row
from stito.dsp.loudness import decibels, measure
from stito.effects.chain import Chain, Prepared
from stito.metrics.spectral import MultiScaleSpectral, SampledSpectral, Spectral
from stito.models.encoder import Encoder, distance
from stito.models.in_mix import embed_in_mix

__all__ = [
    "AudioDistance",
    "AudioObjective",
    "BusCandidates",
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
    "faders_db",
    "weighted_energy",
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
    """A diagonal Gaussian over theta: `weight` times half the mean squared distance from `mean` in units of `std`.

    With `shares` (dim,) the mean is a sum in which each knob counts that much.
    """

    mean: Tensor
    std: Tensor
    weight: float
    shares: Tensor | None = None

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
        return replace(self, mean=theta.to(self.std), std=self.std * share)

    def to(self, device: str) -> Prior:
        """The same prior on a device."""
        shares = None if self.shares is None else self.shares.to(device)
        return replace(self, mean=self.mean.to(device), std=self.std.to(device), shares=shares)

    def __call__(self, theta: Tensor) -> Tensor:
        """The penalty (b,) of theta (b, dim)."""
        if not theta.shape[-1]:
            return theta.new_zeros(len(theta))
        squares = ((theta - self.mean) / self.std).square()
        return 0.5 * self.weight * (squares.mean(-1) if self.shares is None else (squares * self.shares).sum(-1))


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


Rendering = tuple[Sequence[Tensor], Tensor]
"""A stem: its excerpts (b, 2, t) behind its chain, and its K-weighted energy in them together (b,)."""


class SumCandidates:
    """Several stems at once: each row of theta holds all their chains, and the stems are summed.

    Args:
        stems: for each stem its excerpts, ready to be rendered.
        most_moved_db: no stem gets further out of balance than that: what its chain changes in loudness, against the
            median of all stems, is bounded as it will be when the result is written.
    """

    def __init__(self, stems: Sequence[Sequence[Prepared]], most_moved_db: float = math.inf) -> None:
        self._stems, self.most_moved_db = stems, most_moved_db
        self.count, self.sample_rate = len(stems), stems[0][0].sample_rate
        self._before = torch.stack([self._energy([source.x for source in sources])[0] for sources in stems])

    def __call__(self, theta: Tensor) -> list[Tensor]:
        """The audio (b, 2, t) of each excerpt of the sum."""
        return self.summed(self.rendered(theta))

    def rendered(self, theta: Tensor, held: Mapping[int, Rendering] | None = None) -> list[Rendering]:
        """The stems through their chains; those that are `held`, by number, as they are."""
        parts = torch.split(theta, [sources[0].chain.dim for sources in self._stems], dim=1)
        return [
            (held or {}).get(number) or self._rendered(sources, part)
            for number, (sources, part) in enumerate(zip(self._stems, parts, strict=True))
        ]

    def _rendered(self, sources: Sequence[Prepared], theta: Tensor) -> Rendering:
        sounds = [source.render(theta) for source in sources]
        return sounds, self._energy(sounds)

    def summed(self, stems: Sequence[Rendering], faders_db: Tensor | None = None) -> list[Tensor]:
        """The sum (b, 2, t) of each excerpt in a balance that is bounded, behind faders (b, stems) if there are any."""
        rows = max(len(energy) for _, energy in stems)  # stems that are held have one for all
        after = torch.stack([energy.expand(rows) for _, energy in stems])
        moved = decibels(after) - decibels(self._before)[:, None]
        faders = torch.zeros_like(moved) if faders_db is None else faders_db.T
        gains = 10 ** ((faders + self._bound_db(moved + faders)) / 20)
        return [
            torch.stack([gain * sound for gain, sound in zip(gains[..., None, None], together, strict=True)]).sum(0)
            for together in zip(*(sounds for sounds, _ in stems), strict=True)
        ]

    def _bound_db(self, moved: Tensor) -> Tensor:
        """What brings each stem (stems, b) back to where it may be in the balance, from where it has moved, in dB."""
        ranked = moved.sort(0).values
        middle = (ranked[(len(moved) - 1) // 2] + ranked[len(moved) // 2]) / 2
        apart = moved - middle
        return apart.clamp(-self.most_moved_db, self.most_moved_db) - apart

    def _energy(self, sounds: Sequence[Tensor]) -> Tensor:
        return weighted_energy(sounds, self.sample_rate)


@dataclass(frozen=True, eq=False)
class BusCandidates:
    """Several stems through their chains and faders, and their sum through a master.

    Each row of theta holds the master's knobs, a fader for each stem (`faders_db`), and all the stems' chains.

    Attributes:
        sums: the stems, in a bounded balance.
        master: the chain of the sum.
        held: by number, the stems whose chains are the same in all rows, as they were rendered once.
    """

    sums: SumCandidates
    master: Chain
    held: Mapping[int, Rendering] = field(default_factory=dict)

    def holding(self, theta: Tensor, moving: int | None = None) -> BusCandidates:
        """The same for rows in which all chains but that of one stem stand as in `theta` (dim,)."""
        with torch.no_grad():
            stems = self.sums.rendered(theta[None, self.master.dim + self.sums.count :])
        return replace(self, held={number: stem for number, stem in enumerate(stems) if number != moving})

    def __call__(self, theta: Tensor) -> list[Tensor]:
        """The audio (b, 2, t) of each excerpt of the sum, behind the master."""
        knobs, faders, strips = theta.tensor_split([self.master.dim, self.master.dim + self.sums.count], dim=1)
        sums = self.sums.summed(self.sums.rendered(strips, self.held), faders_db(faders, self.sums.most_moved_db))
        settings = self.master.decode(knobs)
        return [self.master.render(total, settings, self.sums.sample_rate) for total in sums]


def faders_db(theta: Tensor, most_db: float) -> Tensor:
    """Faders (b, stems) in dB of theta in [0, 1]: from -`most_db` to `most_db`, against their mean.

    What they have in common would be the master's level.
    """
    faders = (2 * theta - 1) * most_db
    return faders - faders.mean(-1, keepdim=True)


def weighted_energy(sounds: Sequence[Tensor], sample_rate: int) -> Tensor:
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
        self._wanted = weighted_energy([x[None] for x in inputs], sample_rate)

    def __call__(self, theta: Tensor) -> list[Tensor]:
        """The audio (b, 2, t) of each excerpt."""
        made = self._candidates(theta)
        gains = (self._wanted / weighted_energy(made, self._rate).clamp_min(SILENT_ENERGY)).sqrt()
        return [gains[:, None, None] * sound for sound in made]


@dataclass(frozen=True, eq=False)
class EmbeddingDistance:
    """Distance between a candidate's embedding, averaged over the excerpts, and the reference's (1, dim).

    A `stem` among `others`, its excerpts' place by place (1, 2, t), is embedded as a part of their mix.
    """

    encoder: Encoder
    target: Tensor
    stem: str = ""
    others: Sequence[Mapping[str, Tensor]] = ()

    def __call__(self, excerpts: Sequence[Tensor]) -> Tensor:
        """Distances (b,)."""
        around = self.others or [{}] * len(excerpts)
        embeddings = [
            embed_in_mix(self.encoder, excerpt, self.stem, others)
            for excerpt, others in zip(excerpts, around, strict=True)
        ]
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
