"""Fitting a chain to what is known."""

from __future__ import annotations

import pytest
import torch

from conftest import RATE, song
from stito.effects.chain_files import load_chain
from stito.search.fit import fit


@pytest.mark.parametrize("text", ["panner | gain", "pedalboard_gain"])
def test_what_a_chain_has_rendered_is_found_again(text: str) -> None:
    chain = load_chain(text)
    x = song("night", seconds=2.0).stems["other"]
    hidden = torch.full((chain.dim,), 0.6)
    truth = chain.render_one(x, chain.settings(hidden), RATE)
    found = fit([chain.prepare(x, RATE)], [truth], chain.encode({}), 60)
    made = chain.render_one(x, chain.settings(found), RATE)
    assert (made - truth).square().mean() < 0.05 * (x - truth).square().mean()
