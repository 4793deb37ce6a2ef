"""Recursive filters without a loop over samples: block by block, as matrix products.

In a block of n samples a recursive filter is y = T x + O s: T (n, n) is its impulse response as a triangle, and
O (n, k) what rings of its state s (k,) at the block's beginning. The states of successive blocks are again a recursion,
of n times fewer steps, and are found the same way. On a processor this costs much less than an FFT there and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["BLOCK", "Recursion", "Section", "recursion"]

Section = tuple[tuple[float, float, float], tuple[float, float, float]]
"""The coefficients of a second-order filter: those of its numerator, and those of its denominator."""

BLOCK = 64
"""Samples in a block: fewer leave more states, more need longer products."""


@dataclass(frozen=True)
class Recursion:
    """A cascade of second-order sections, ready for audio of one kind; `recursion` makes it.

    Attributes:
        sections: their coefficients.
        direct: (BLOCK, BLOCK), a block of samples to what it answers itself.
        ringing: (k, BLOCK), the state before a block to what rings in it.
        driven: (BLOCK, k), a block of samples to the state behind it, from rest.
    """

    sections: tuple[Section, ...]
    direct: Tensor
    ringing: Tensor
    driven: Tensor

    def rest(self, x: Tensor) -> Tensor:
        """The state (..., k) from which audio (..., t) is filtered where nothing came before."""
        return torch.zeros(*x.shape[:-1], len(self.ringing), dtype=torch.float64, device=x.device)

    def filtered(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Audio (..., t), t a multiple of `BLOCK`, filtered from a state, and the state behind it; differentiable."""
        blocks = x.reshape(*x.shape[:-1], -1, BLOCK)
        states, last = self._states((blocks @ self.driven).double(), state, 1)
        return (blocks @ self.direct + states.to(x) @ self.ringing).flatten(-2), last

    def _states(self, driven: Tensor, state: Tensor, level: int) -> tuple[Tensor, Tensor]:
        """s[i + 1] = step s[i] + driven[i] of (..., n, k), from `state` (..., k): all s[i] (..., n, k), and s[n]."""
        count, size = driven.shape[-2:]
        within, powers = _steps(self.sections, level, driven.device)
        groups = -(-count // BLOCK)
        padded = torch.nn.functional.pad(driven, (0, 0, 0, groups * BLOCK - count))
        local = padded.reshape(*driven.shape[:-2], groups, BLOCK * size) @ within
        begins = state[..., None, :]
        if groups > 1:
            begins, _ = self._states(local[..., -size:], state, level + 1)
        states = (local + begins @ powers).reshape(*driven.shape[:-2], groups, BLOCK + 1, size)
        behind = states[..., -1, (count - 1) % BLOCK + 1, :]
        return states[..., :-1, :].flatten(-3, -2)[..., :count, :], behind


@lru_cache(maxsize=16)
def recursion(sections: tuple[Section, ...], dtype: torch.dtype, device: torch.device) -> Recursion:
    """The cascade of sections, in their order, for audio of a type and place."""
    step, entry, exit_, through = _cascade(sections)
    states, rings = [entry], [exit_]
    for _ in range(BLOCK - 1):
        states.append(step @ states[-1])
        rings.append(rings[-1] @ step)
    answer = torch.stack([through, *(exit_ @ state for state in states[:-1])])
    lag = torch.arange(BLOCK) - torch.arange(BLOCK)[:, None]
    tables = answer[lag.clamp_min(0)] * (lag >= 0), torch.stack(rings, dim=1), torch.stack(states[::-1])
    return Recursion(sections, *(table.to(device, dtype) for table in tables))


@lru_cache(maxsize=32)
def _steps(sections: tuple[Section, ...], level: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Of `BLOCK` steps of the states of a level, each as many samples as there are in all steps of the level below.

    What drives them (BLOCK k,) to the states before each of them and behind the last, ((BLOCK + 1) k,); and the state
    before them to the same.
    """
    step = torch.linalg.matrix_power(_cascade(sections)[0], BLOCK**level).T
    powers = [torch.eye(len(step), dtype=torch.float64)]
    for _ in range(BLOCK):
        powers.append(powers[-1] @ step)
    size = len(step)
    within = torch.zeros(BLOCK, size, BLOCK + 1, size, dtype=torch.float64)
    for place in range(BLOCK):
        within[place, :, place + 1 :] = torch.stack(powers[: BLOCK - place], dim=1)
    return within.reshape(BLOCK * size, -1).to(device), torch.cat(powers, dim=1).to(device)


def _cascade(sections: Sequence[Section]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """State space of sections in a row (transposed direct form II): s' = A s + b x, y = c s + d x, in float64."""
    size = 2 * len(sections)
    step = torch.zeros(size, size, dtype=torch.float64)
    entry, exit_ = torch.zeros(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    through = torch.tensor(1.0, dtype=torch.float64)
    for number, (b, a) in enumerate(sections):
        (b0, b1, b2), (a1, a2) = (value / a[0] for value in b), (value / a[0] for value in a[1:])
        first, own = 2 * number, slice(2 * number, 2 * number + 2)
        taken = torch.tensor([b1 - a1 * b0, b2 - a2 * b0], dtype=torch.float64)
        step[own, own] = torch.tensor([[-a1, 1.0], [-a2, 0.0]], dtype=torch.float64)
        step[own, :first] = taken[:, None] * exit_[:first]
        entry[own] = taken * through
        exit_ = b0 * exit_
        exit_[first] = 1.0
        through = b0 * through
    return step, entry, exit_, through
