"""Imaging and panning in the time domain: a stem in the middle, as wide as its kind usually is.

Source: Koo et al., "Music mixing style transfer", ICASSP 2023, which matches the energies of mid and side, evens out
left and right, and matches mid and side again. Evening out first makes the first of the three needless, undoes a
panner exactly, and the width stays: between equally loud channels, scaling the side moves nothing to a side.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stito.data.fxnorm.pieces import filter_pieces
from stito.data.fxnorm.statistics import BLOCK, covariance, mid_ratio
from stito.dsp.spectrum import unit_circle

__all__ = ["image"]

FOLD_DB = 30.0
"""A channel this far under the other holds noise rather than a side of the recording: both get their sum."""
WIDEN_DB = 12.0
"""The most by which a recorded side is raised; what is then still missing is made from the mid."""
MISSING = 0.02
"""Of the wanted side's energy: less is not worth making."""
DELAYS_MS = (2.3, 3.9, 6.7)
DIFFUSION = 0.5
SPREAD_ABOVE_HZ = 150.0
"""Lows stay in the middle."""
TAIL_S = 0.25
INVERTED = 1e-4
"""A share of the mid as small as this comes from a channel that is wired the wrong way round."""


def image(x: Tensor, ratio: float, sample_rate: int) -> Tensor:
    """Audio (2, t) with equally loud channels, whose mid has the share `ratio` of the energy of mid and side: (2, t).

    The mid keeps its sound. Mono gets a side made of it, which cancels when both channels are summed.
    """
    x = _mixed(x, _untangled(covariance(x)))
    measured = covariance(x)
    centred = _mixed(x, _width(_balanced(measured), ratio) @ _balance(measured))
    wanted = (1 - ratio) / ratio
    mid, side = _mid_and_side(covariance(centred))
    if wanted * mid - side <= MISSING * wanted * mid:
        return centred
    spread = _spread(centred, sample_rate)
    made = float(spread.double().square().mean())
    if made <= 0:
        return centred
    factor = min(math.sqrt((wanted * mid - side) / made), 10 ** (WIDEN_DB / 20))
    widened = centred + factor * torch.stack([spread, -spread])
    measured = covariance(widened)  # the side that was made may lean to a side, and follow the recorded one
    return _mixed(widened, _width(_balanced(measured), ratio) @ _balance(measured))


def _mixed(x: Tensor, matrix: Tensor) -> Tensor:
    """Channels mixed by a matrix (2, 2), piece by piece."""
    if torch.equal(matrix, torch.eye(2, dtype=matrix.dtype)):
        return x
    factors, out = matrix.to(x), torch.empty_like(x)
    for start in range(0, x.shape[-1], BLOCK):
        out[:, start : start + BLOCK] = factors @ x[:, start : start + BLOCK]
    return out


def _untangled(measured: Tensor) -> Tensor:
    """What makes audio of covariance `measured` a stereo pair, where one channel is empty or upside down."""
    left, right = measured.diagonal().tolist()
    if min(left, right) < 10 ** (-FOLD_DB / 10) * max(left, right):
        return torch.ones(2, 2, dtype=torch.float64)
    if mid_ratio(_balanced(measured)) < INVERTED:
        return torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    return torch.eye(2, dtype=torch.float64)


def _balance(measured: Tensor) -> Tensor:
    """The gains that make both channels as loud as their average."""
    energies = measured.diagonal()
    return torch.diag((energies.mean() / energies).sqrt())


def _balanced(measured: Tensor) -> Tensor:
    gains = _balance(measured)
    return gains @ measured @ gains


def _width(measured: Tensor, ratio: float) -> Tensor:
    """The side scaled to its share, up to the limit; with no side, nothing."""
    mid, side = _mid_and_side(measured)
    wanted = mid * (1 - ratio) / ratio
    factor = min(math.sqrt(wanted / side), 10 ** (WIDEN_DB / 20)) if side > 1e-9 * mid else 1.0
    same, other = (1 + factor) / 2, (1 - factor) / 2
    return torch.tensor([[same, other], [other, same]], dtype=torch.float64)


def _mid_and_side(measured: Tensor) -> tuple[float, float]:
    """Energies of (L + R) / 2 and (L - R) / 2."""
    sides, cross = float(measured.trace()), 2 * float(measured[0, 1])
    return (sides + cross) / 4, max(sides - cross, 0.0) / 4


def _spread(x: Tensor, sample_rate: int) -> Tensor:
    """The mid of audio (2, t) without its lows and with its phases scattered, unlike itself but of one colour: (t,).

    All-passes in a row (Schroeder, "Natural sounding artificial reverberation", JAES 1962), shorter than an echo.
    """
    mid = x.mean(0, keepdim=True)
    return filter_pieces(mid, lambda n: _diffuser(n, sample_rate), before=round(TAIL_S * sample_rate))[0]


def _diffuser(n: int, sample_rate: int) -> Tensor:
    """Complex (n // 2 + 1,): a high-pass of 12 dB an octave, and all-passes (g + z^-d) / (1 + g z^-d)."""
    z = unit_circle(n, torch.float64)
    corner = math.tan(math.pi * SPREAD_ABOVE_HZ / sample_rate)
    response = ((1 - z) / ((1 - z) + corner * (1 + z))) ** 2
    for delay_ms in DELAYS_MS:
        delayed = z ** round(delay_ms * sample_rate / 1000)
        response = response * (DIFFUSION + delayed) / (1 + DIFFUSION * delayed)
    return response.to(torch.complex64)
