"""Intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from stito.evaluation.statistics import bootstrap


@pytest.mark.parametrize("count", [8, 12, 40])
def test_intervals_cover_the_mean_as_often_as_they_say(count: int) -> None:
    generator = np.random.default_rng(count)
    found = [bootstrap(generator.normal(size=count)) for _ in range(600)]
    covered = np.mean([low <= 0 <= high for low, high in found])
    assert 0.92 < covered < 0.98


def test_one_value_is_its_own_interval() -> None:
    assert bootstrap(np.array([3.0])) == (3.0, 3.0)
