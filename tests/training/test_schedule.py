"""Schedules: the rate's way up and down, and probabilities that go where the loss is."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stito.training.schedule import learning_rate, scheduled_probabilities


def test_the_rate_warms_up_and_comes_down_a_cosine() -> None:
    rates = [learning_rate(step, rate=2.0, steps=110, warmup=10, final=0.1) for step in range(111)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] == rates[10] == 2.0
    assert rates[60] == pytest.approx(2.0 * 0.55)
    assert rates[110] == pytest.approx(0.2)
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))


def test_the_hardest_effect_is_used_most_and_the_easiest_least() -> None:
    assert scheduled_probabilities({"eq": 2.0, "gain": 1.0, "reverb": 4.0}) == pytest.approx(
        {"eq": 0.4, "gain": 0.1, "reverb": 1.0}
    )


def test_equal_losses_leave_nothing_to_choose() -> None:
    assert scheduled_probabilities({"eq": 1.5, "gain": 1.5}) == {"eq": 1.0, "gain": 1.0}


def test_a_loss_that_is_no_number_counts_as_hardest() -> None:
    assert scheduled_probabilities({"eq": math.nan, "gain": 1.0, "reverb": 2.0})["eq"] == 1.0
    assert scheduled_probabilities({"eq": math.nan}) == {"eq": 1.0}


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 100), min_size=1))
def test_probabilities_keep_the_order_of_the_losses_and_the_bounds(losses: dict[str, float]) -> None:
    probabilities = scheduled_probabilities(losses)
    assert all(0.1 <= p <= 1.0 for p in probabilities.values())
    ranked = sorted(losses, key=losses.__getitem__)
    assert all(probabilities[a] <= probabilities[b] + 1e-9 for a, b in pairwise(ranked))
