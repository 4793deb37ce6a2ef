"""Random search: even coverage."""

from __future__ import annotations

import torch

from stito.search.random import RandomSearch


def test_the_cube_is_filled_evenly() -> None:
    """Of 1024 points every sixteenth of every knob gets its share; independent draws would be off by tens."""
    search = RandomSearch(6, seed=4)
    theta = torch.cat([search.ask() for _ in range(64)])
    for knob in theta.T:
        counts = torch.histc(knob, bins=16, min=0, max=1)
        assert (counts - 64).abs().max() <= 2


def test_a_population_of_one_begins_with_the_start() -> None:
    search = RandomSearch(2, seed=0, start=torch.tensor([0.1, 0.9]), population=1)
    assert torch.equal(search.ask(), torch.tensor([[0.1, 0.9]]))
    assert search.ask().shape == (1, 2)
