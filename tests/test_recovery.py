"""What the searches are for: hidden settings on the same performance are found again."""

from __future__ import annotations

import pytest

from conftest import RATE, song
from stito.effects.chain_files import load_chain
from stito.metrics.spectral import multi_scale_spectral
from stito.mix import Mix
from stito.search.base import Budget
from stito.workflows.transfer import transfer

HIDDEN = {"eq": {"high_gain_db": 9.0, "low_gain_db": -6.0}, "compressor": {"threshold_db": -30.0, "ratio": 6.0}}


@pytest.mark.slow
@pytest.mark.parametrize(("method", "evaluations"), [("cma", 1000), ("gradient", 300)])
def test_the_reduction_of_the_distance_to_the_truth_is_large(method: str, evaluations: int) -> None:
    chain = load_chain("mixing")
    songs = song("night", stems=("drums",), seconds=6.0)
    dry = Mix(songs.stems, RATE, songs.format, "dry", (), "stem", songs.formats)
    truth = chain.render_one(dry.stems["drums"], chain.settings(chain.encode(HIDDEN)), RATE)
    reference = Mix({"drums": truth}, RATE, songs.format, "reference", (), "stem", songs.formats)
    result = transfer(dry, reference, method=method, budget=Budget(evaluations=evaluations))

    def apart(x) -> float:  # type: ignore[no-untyped-def]
        found = multi_scale_spectral(x[None], truth[None])
        return float(0.5 * (found.left_right + found.mid_side)[0])

    assert apart(result.rendered.mix) < 0.2 * apart(dry.stems["drums"])
