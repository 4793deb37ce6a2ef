"""Recursive filters as matrix products: the loop over samples, and nothing else."""

from __future__ import annotations

import pytest
import torch

from stito.dsp.recursion import BLOCK, Section, recursion

LOW: Section = ((0.2, 0.3, 0.1), (2.0, -1.8, 0.5))
HIGH: Section = ((1.0, -2.0, 1.0), (1.0, -1.99, 0.9902))
CPU = torch.device("cpu")


def looped(x: torch.Tensor, sections: tuple[Section, ...]) -> torch.Tensor:
    """Audio (t,) by the difference equation."""
    y = x.tolist()
    for b, a in sections:
        out: list[float] = []
        for n in range(len(y)):
            taken = sum(b[k] * y[n - k] for k in range(3) if n >= k)
            rung = sum(a[k] * out[n - k] for k in (1, 2) if n >= k)
            out.append((taken - rung) / a[0])
        y = out
    return torch.tensor(y, dtype=torch.float64)


@pytest.mark.parametrize("blocks", [1, 3, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_it_is_the_loop(blocks: int) -> None:
    x = torch.randn(2, 3, blocks * BLOCK, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    filter = recursion((LOW, HIGH), torch.float64, CPU)
    made, _ = filter.filtered(x, filter.rest(x))
    assert (made[1, 2] - looped(x[1, 2], (LOW, HIGH))).abs().max() < 1e-9


def test_a_state_goes_on_where_a_piece_ended() -> None:
    x = torch.randn(2, 200 * BLOCK, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    filter = recursion((LOW, HIGH), torch.float64, CPU)
    whole, end = filter.filtered(x, filter.rest(x))
    first, state = filter.filtered(x[:, : 70 * BLOCK], filter.rest(x))
    second, state = filter.filtered(x[:, 70 * BLOCK :], state)
    assert torch.allclose(torch.cat([first, second], dim=-1), whole, atol=1e-9)
    assert torch.allclose(state, end, atol=1e-9)


def test_float32_is_close_at_a_constant_that_a_high_pass_takes_away() -> None:
    x = 0.5 + 1e-3 * torch.randn(1, 500 * BLOCK, generator=torch.Generator().manual_seed(2))
    found, wanted = (
        filter.filtered(x.to(kind), filter.rest(x))[0].double()
        for kind in (torch.float32, torch.float64)
        for filter in [recursion((HIGH,), kind, CPU)]
    )
    assert (found - wanted).abs().max() < 0.5 * 10 ** (-85 / 20)


def test_gradients_are_right() -> None:
    x = torch.randn(1, 2 * BLOCK, dtype=torch.float64, requires_grad=True)
    filter = recursion((LOW, HIGH), torch.float64, CPU)
    assert torch.autograd.gradcheck(lambda x: filter.filtered(x, filter.rest(x))[0], [x])
