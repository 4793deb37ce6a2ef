"""The spectra of all rooms of the reverb as sums of a few: a candidate's is a small matrix product, without an FFT.

A room is noise in bands, each under an envelope exp(-k t). Over a range of decays the envelopes are, to -100 dB, sums
of a dozen fixed curves; and in one stretch of the spectrum the bands' noises are much alike, since one noise was split
into them. So the principal components of all rooms, stretch by stretch, are few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from stito.dsp.blockwise import Formula
from stito.dsp.impulse import ENERGY_RATE

__all__ = ["RoomTable", "room_table"]

NODES = 20
"""Envelopes are interpolated between this many decays, by polynomials in the log of the decay."""
MARGIN = 1.05
"""The range of decays is extended by this: the polynomials have no derivative at its ends."""
CURVES = 13
TRIALS = 1024
"""Random rooms that tell how much of each component is needed."""
NEGLIGIBLE = 1e-10
"""The power of what may be left out, over that of the room."""
STRETCH = 1 << 14
"""Bins with components of their own."""
THINNED = 4
"""Every fourth bin is enough to find the components: there are thousands in a stretch, and neighbours are alike."""


@dataclass(frozen=True)
class RoomTable:
    """Components (2, k, 2 bins) of each stretch, left and right, with real and imaginary parts interleaved.

    With the polynomials (bands NODES,) of a room's decays, `weights` (bands NODES, all k) gives how much of each
    component is in it, and `energy` (bands NODES, bands NODES), multiplied from both sides, its energy.
    """

    n: int
    sample_rate: int
    shortest_s: float
    longest_s: float
    components: tuple[Tensor, ...]
    weights: Tensor
    energy: Tensor

    def serves(self, decays_s: Tensor, n: int, sample_rate: int) -> bool:
        """Whether the table is for such an FFT, and for numbers of that precision and place."""
        like = self.components[0]
        same = (decays_s.dtype, decays_s.device) == (like.dtype, like.device)
        return same and (n, sample_rate) == (self.n, self.sample_rate)

    def spectrum(self, decays_s: Tensor) -> Formula:
        """The spectra of rooms of unit energy with times to -60 dB (b, bands): (b, 2, f)."""
        middle, reach = _range(self.shortest_s, self.longest_s)
        polynomials = _polynomials((decays_s.double().log() - middle) / reach).flatten(1)
        energy = ((polynomials @ self.energy) * polynomials).sum(dim=1, keepdim=True)
        weights = (polynomials * energy.rsqrt() @ self.weights).to(decays_s.dtype)
        ends = accumulate((part.shape[1] for part in self.components), initial=0)
        places = [slice(*pair) for pair in pairwise(ends)]

        def evaluate(inputs: Sequence[Tensor], bins: slice) -> Tensor:
            stretch = bins.start // STRETCH  # blocks are stretches
            block = self.components[stretch][..., : 2 * (bins.stop - bins.start)]
            parts = torch.bmm(inputs[0][:, places[stretch]].expand(2, -1, -1), block)  # `@` copies for a derivative
            return torch.view_as_complex(parts.reshape(*parts.shape[:2], -1, 2)).transpose(0, 1)

        return Formula(evaluate, [weights], self.n // 2 + 1, size=STRETCH)


def room_table(noise: Tensor, shortest_s: float, longest_s: float, n: int, sample_rate: int) -> RoomTable:
    """The table of noise in bands (bands, 2, t), in float64, for decays in a range and an `n`-point FFT.

    It is made on one thread, so that it is the same to the last bit on machines with more.
    """
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as alone:
        return alone.submit(_made, noise, shortest_s, longest_s, n, sample_rate).result()


@torch.no_grad()
def _made(noise: Tensor, shortest_s: float, longest_s: float, n: int, sample_rate: int) -> RoomTable:
    curves, of_curves = _curves(noise.shape[-1], shortest_s, longest_s, sample_rate)
    weights = torch.kron(torch.eye(len(noise), dtype=torch.float64), of_curves)
    rooms = (noise[:, None] * curves[:, None]).flatten(0, 1)
    energy = torch.einsum("ict,jct->ij", rooms, rooms) * (sample_rate / ENERGY_RATE / 2)
    usual = _usual_weights(weights, energy, len(noise))

    spectra = torch.view_as_real(torch.fft.rfft(rooms.float(), n=n)).transpose(0, 1).flatten(2)
    components, mixed = [], []
    for part in torch.split(spectra, 2 * STRETCH, dim=-1):
        kept = _principal(part, usual)
        components.append(((usual @ kept).T.float() @ part).contiguous())
        mixed.append(torch.linalg.solve(usual.T, kept))
    weights_of_all = weights @ torch.cat(mixed, dim=1)
    return RoomTable(
        n, sample_rate, shortest_s, longest_s, tuple(components), weights_of_all, weights @ energy @ weights.T
    )


def _curves(samples: int, shortest_s: float, longest_s: float, sample_rate: int) -> tuple[Tensor, Tensor]:
    """Curves (CURVES, samples) that add up to any envelope, and their weights for its polynomials (NODES, CURVES)."""
    middle, reach = _range(shortest_s, longest_s)
    nodes = torch.cos(math.pi * (torch.arange(NODES, dtype=torch.float64) + 0.5) / NODES)
    rates = 3 * math.log(10) / torch.exp(middle + reach * nodes)
    time = torch.arange(samples, dtype=torch.float64) / sample_rate
    envelopes = torch.exp(-rates[:, None] * time)
    size = envelopes.norm(dim=1, keepdim=True)
    shapes = envelopes / size
    _, directions = torch.linalg.eigh(shapes @ shapes.T)  # the largest come last
    kept = directions[:, -CURVES:]
    return kept.T @ shapes, torch.linalg.solve(_polynomials(nodes), size * kept).contiguous()


def _usual_weights(weights: Tensor, energy: Tensor, bands: int) -> Tensor:
    """A square root (curves, curves) of the second moments that the curves' weights have in rooms of unit energy.

    The decays of the trials crowd at the ends of the range, where a sum of few curves fits worst.
    """
    generator = torch.Generator().manual_seed(0)
    turns = torch.rand(TRIALS, bands, generator=generator, dtype=torch.float64) * math.pi
    trials = _polynomials(torch.cos(turns) / MARGIN).flatten(1) @ weights
    trials = trials / ((trials @ energy) * trials).sum(dim=1, keepdim=True).sqrt()
    root: Tensor = torch.linalg.cholesky(trials.T @ trials / TRIALS)
    return root


def _principal(part: Tensor, usual: Tensor) -> Tensor:
    """The directions (curves, k) in which rooms differ in a stretch of the curves' spectra (2, curves, 2 bins)."""
    thinned = part.reshape(*part.shape[:2], -1, 2)[:, :, ::THINNED].flatten(2).double()
    moments = usual.T @ (thinned @ thinned.mT).sum(dim=0) @ usual
    size, directions = torch.linalg.eigh(moments)
    # a room of unit energy has a power of about one in each bin of a channel
    left_out = size.clamp_min(0).cumsum(0) / thinned.shape[-1]
    kept: Tensor = directions[:, left_out > NEGLIGIBLE]
    return kept


def _range(shortest_s: float, longest_s: float) -> tuple[float, float]:
    """The middle of the range of log decays, and how far it reaches to either side, with the margin."""
    return math.log(shortest_s * longest_s) / 2, MARGIN * math.log(longest_s / shortest_s) / 2


def _polynomials(places: Tensor) -> Tensor:
    """The Chebyshev polynomials of degrees below `NODES` at places within (-1, 1): (..., NODES)."""
    degrees = torch.arange(NODES, dtype=places.dtype, device=places.device)
    return torch.cos(degrees * torch.acos(places)[..., None])
