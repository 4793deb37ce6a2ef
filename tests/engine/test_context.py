"""What a method works with."""

from __future__ import annotations

import torch

from conftest import RATE
from stito.effects.chain_files import load_chain
from stito.engine.context import Context
from stito.engine.networks import Networks
from stito.engine.options import TransferOptions
from stito.engine.pairs import PairExcerpts
from stito.models.blend import Blend
from stito.models.loading import load_encoder


def test_excerpts_ring_in_a_circle_but_the_beginning_of_a_song() -> None:
    chain = load_chain("reverb | gain")
    context = Context(TransferOptions(), chain, load_encoder("features"), Networks(chain))
    x = 0.1 * torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    pair = PairExcerpts("drums", {"drums": [x, x]}, [x, x], Blend.of([x]), False, RATE, places=(0, 5 * RATE))
    theta = torch.full((2, chain.dim), 0.5)
    plain, wrapped = (chain.prepare(x, RATE, wrapped=around).render(theta) for around in (False, True))
    assert not torch.allclose(plain, wrapped)
    for rendered in (context.stem(pair)(theta), context.sums(pair).rendered(theta)[0][0]):
        assert torch.equal(rendered[0], plain)
        assert torch.equal(rendered[1], wrapped)
