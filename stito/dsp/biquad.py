"""Second-order filters: their design, and the response of many of them in a row at the price of one.

A section is kept as an analogue prototype in s = j tan(w / 2), the variable of the bilinear transform: six numbers,
numerator and denominator in rising powers of s, (..., 6). Its response on the unit circle is exactly that of the
digital biquad, and float32 stays accurate at 20 Hz, where the digital coefficients cancel.

Source: R. Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from stito.dsp.blockwise import Formula

__all__ = ["Sections", "below_nyquist", "cascade", "from_digital", "high_shelf", "low_shelf", "peak"]

Sections = Tensor
"""Biquads (..., 6): numerator then denominator, each in rising powers of s."""

GROUP = 3
"""How many sections are multiplied out before they are evaluated: more is faster, and loses accuracy in float32
where sharp bands coincide (all four bands of +24 dB and Q 4 at one frequency: -86 dB with 3, -24 dB with 6)."""

HIGHEST = 0.49
"""Of the sample rate: filters act no higher."""

IDENTITY = (1.0, 2.0, 1.0, 1.0, 2.0, 1.0)
"""(1 + s)^2 / (1 + s)^2: fills up the last group, and is nowhere near zero."""


def peak(gain_db: Tensor, centre_hz: Tensor, q: Tensor, sample_rate: int) -> Sections:
    """A bell: `gain_db` at the centre, nothing far from it. H(s) = (s^2 + s A/Q + 1) / (s^2 + s/(AQ) + 1)."""
    k, a = _warped(centre_hz, sample_rate), _amplitude(gain_db)
    q = q.double()
    return _sections(k, (1, a / q, 1), (1, 1 / (a * q), 1))


def low_shelf(gain_db: Tensor, corner_hz: Tensor, q: Tensor, sample_rate: int) -> Sections:
    """`gain_db` below the corner. H(s) = A (s^2 + s sqrt(A)/Q + A) / (A s^2 + s sqrt(A)/Q + 1)."""
    k, a = _warped(corner_hz, sample_rate), _amplitude(gain_db)
    slope = a.sqrt() / q.double()
    return _sections(k, (a * a, a * slope, a), (1, slope, a))


def high_shelf(gain_db: Tensor, corner_hz: Tensor, q: Tensor, sample_rate: int) -> Sections:
    """`gain_db` above the corner. H(s) = A (A s^2 + s sqrt(A)/Q + 1) / (s^2 + s sqrt(A)/Q + A)."""
    k, a = _warped(corner_hz, sample_rate), _amplitude(gain_db)
    slope = a.sqrt() / q.double()
    return _sections(k, (a, a * slope, a * a), (a, slope, 1))


def from_digital(b: Tensor, a: Tensor) -> Sections:
    """Biquads given as digital coefficients b, a (..., 3) in falling powers of z."""
    return torch.cat([_to_analogue(b.double()), _to_analogue(a.double())], dim=-1)


def cascade(sections: Sections, n: int, dtype: torch.dtype) -> Formula:
    """The response of sections in a row, (b, sections, 6), on the bins of an `n`-point real FFT: complex (b, 1, f).

    Numerators and denominators are multiplied out in groups, as polynomials in s, and evaluated as a matrix product
    with a table of powers. `dtype` is that of the audio.
    """
    missing = -sections.shape[1] % min(GROUP, sections.shape[1])
    filler = sections.new_tensor(IDENTITY).expand(len(sections), missing, -1)
    filled = torch.cat([sections, filler], dim=1)
    # the size of the denominator cancels out, and at 20 Hz its square would be too small for float32
    size = (filled[..., 3:4] * filled[..., 5:6]).detach().sqrt()
    groups = (filled / size).reshape(len(sections), -1, min(GROUP, sections.shape[1]), 6)
    polynomials = torch.stack([_product(groups[..., :3]), _product(groups[..., 3:])]).transpose(1, 2)
    table = _powers(n, polynomials.shape[-1] - 1, dtype, polynomials.device)

    def evaluate(inputs: Sequence[Tensor], bins: slice) -> Tensor:
        return _ratio(inputs[0], table[:, 2 * bins.start : 2 * bins.stop])[:, None]

    return Formula(evaluate, [polynomials.to(dtype)], n // 2 + 1)


def _ratio(polynomials: Tensor, table: Tensor) -> Tensor:
    """The product over groups of numerators over denominators (2, groups, b, k): complex (b, bins of the table)."""
    flat = polynomials.flatten(0, -2) @ table
    values = torch.view_as_complex(flat.reshape(*polynomials.shape[:-1], -1, 2))
    product = values[:, 0]
    for group in range(1, values.shape[1]):
        product = product * values[:, group]
    return product[0] * product[1].reciprocal()


@lru_cache(maxsize=8)
def _powers(n: int, degree: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(j sin)^k cos^(degree - k) of w / 2 on the bins, real and imaginary parts interleaved: (degree + 1, 2 f).

    These are the powers of s times cos^degree, a factor that numerator and denominator share; so no entry is larger
    than one, up to and including Nyquist, where s itself is infinite.
    """
    half = torch.pi * torch.arange(n // 2 + 1, dtype=torch.float64, device=device) / n
    sine, cosine = half.sin(), half.cos()
    rows = [sine**k * cosine ** (degree - k) * 1j**k for k in range(degree + 1)]
    return torch.view_as_real(torch.stack(rows)).flatten(1).to(dtype)


def _product(polynomials: Tensor) -> Tensor:
    """The product of quadratics (..., sections, 3): coefficients (..., 2 sections + 1)."""
    product = polynomials[..., 0, :]
    for i in range(1, polynomials.shape[-2]):
        factor = polynomials[..., i, :]
        product = sum(
            (torch.nn.functional.pad(product * factor[..., k : k + 1], (k, 2 - k)) for k in range(1, 3)),
            start=torch.nn.functional.pad(product * factor[..., :1], (0, 2)),
        )
    return product


def _sections(k: Tensor, numerator: tuple[Tensor | int, ...], denominator: tuple[Tensor | int, ...]) -> Sections:
    """Sections whose polynomials, normalised to their own frequency, are moved to the frequency with tan(w/2) = k."""
    scale = (k.square(), k, torch.ones_like(k))
    return torch.stack(
        [value * power for side in (numerator, denominator) for value, power in zip(side, scale, strict=True)], dim=-1
    )


def _to_analogue(c: Tensor) -> Tensor:
    """The bilinear transform z^-1 = (1 - s) / (1 + s) of c0 + c1 z^-1 + c2 z^-2, times (1 + s)^2."""
    return torch.stack(
        [c[..., 0] + c[..., 1] + c[..., 2], 2 * (c[..., 0] - c[..., 2]), c[..., 0] - c[..., 1] + c[..., 2]], dim=-1
    )


def below_nyquist(hz: Tensor, sample_rate: int) -> Tensor:
    """Frequencies in Hz that a filter can have at a sample rate: beyond, it would act at their mirror images."""
    return hz.clamp(max=HIGHEST * sample_rate)


def _warped(hz: Tensor, sample_rate: int) -> Tensor:
    return torch.tan(math.pi * below_nyquist(hz.double(), sample_rate) / sample_rate)


def _amplitude(gain_db: Tensor) -> Tensor:
    return torch.exp(gain_db.double() * (math.log(10) / 40))
