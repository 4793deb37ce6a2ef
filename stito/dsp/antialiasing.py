"""The curve of tanh without the aliasing that it makes at every sample: what saturation is made of.

First-order antiderivative anti-aliasing (Parker, Zavalishin and Le Bivic, DAFx 2016) puts the mean of a curve on the
way from one sample to the next in the place of its value. With the antiderivative F that mean is
(F(v) - F(u)) / (v - u), which loses its digits as the step shrinks. For F = sqrt(Q(u^2)) nothing need be subtracted:

    (F(v) - F(u)) / (v - u) = (u + v) / (F(u) + F(v)) * (Q(v^2) - Q(u^2)) / (v^2 - u^2),

and the last factor can be worked out for a rational Q. Here Q(w) = w + 1 / B(w)^2 with a polynomial B of third degree,
fitted so that F is nearly the logarithm of 2 cosh, and its slope tanh to within `DEVIATION`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Places", "mean_tanh"]

B = (1.44287866, 0.46048765, 0.02044459, 0.00154277)
"""The polynomial's coefficients in rising powers, of the smallest deviation from tanh."""
DEVIATION = 7e-5
"""The largest deviation from tanh: -83 dB."""


@dataclass(frozen=True)
class Places:
    """Where on the curve samples are, and what the means to their neighbours share.

    Attributes:
        u: the argument of tanh, any shape.
        w: its square.
        r: 1 / B(w).
        area: the antiderivative, ln cosh u + ln 2.
    """

    u: Tensor
    w: Tensor
    r: Tensor
    area: Tensor

    @classmethod
    def of(cls, u: Tensor) -> Places:
        """The places of the arguments `u`."""
        b0, b1, b2, _ = u.new_tensor(B).unbind()
        w = u * u
        polynomial = torch.addcmul(b0, torch.addcmul(b1, torch.add(b2, w, alpha=B[3]), w), w)
        r = polynomial.reciprocal()
        return cls(u, w, r, torch.addcmul(w, r, r).sqrt())

    def __getitem__(self, part: slice) -> Places:
        """A range of the last dimension."""
        return Places(self.u[..., part], self.w[..., part], self.r[..., part], self.area[..., part])


def mean_tanh(start: Places, end: Places) -> Tensor:
    """The mean of tanh on the straight way from each start to its end."""
    _, b1, b2, _ = start.u.new_tensor(B).unbind()
    both = start.w + end.w
    # (B(v^2) - B(u^2)) / (v^2 - u^2) for cubes is the square of the sum less the product
    rise = torch.addcmul(b1, torch.add(b2, both, alpha=B[3]), both)
    rise = torch.addcmul(rise, start.w, end.w, value=-B[3]) * (start.r + end.r)
    quotient = torch.addcmul(start.u.new_ones(()), start.r * end.r, rise, value=-1)
    return (start.u + end.u) * quotient / (start.area + end.area)
