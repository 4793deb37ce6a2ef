"""Which seconds are heard."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stito.audio import resample
from stito.engine.excerpts import _best_apart, active_starts, cut, same_performance

RATE = 8_000


def noise(seconds: float, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def test_the_active_part_is_chosen() -> None:
    x = 1e-4 * noise(30)
    x[:, 20 * RATE : 25 * RATE] += 0.3 * noise(5, 1)
    (start,) = active_starts(x, RATE, seconds=4, count=1)
    assert 20 * RATE <= start <= 21 * RATE


def test_a_single_click_does_not_decide() -> None:
    x = torch.zeros(2, 30 * RATE)
    x[:, 5 * RATE] = 1.0
    x[:, 15 * RATE : 25 * RATE] = 0.1 * noise(10)
    (start,) = active_starts(x, RATE, seconds=5, count=1)
    assert 15 * RATE <= start <= 20 * RATE


def test_excerpts_do_not_overlap_and_come_in_order() -> None:
    starts = active_starts(noise(60), RATE, seconds=5, count=4)
    assert len(starts) == 4
    assert all(b - a >= 5 * RATE for a, b in itertools.pairwise(starts))


def test_a_short_song_is_one_excerpt() -> None:
    x = noise(2)
    assert active_starts(x, RATE, seconds=5, count=3) == [0]
    assert cut(x, RATE, [0], seconds=5)[0].shape == x.shape


def test_excerpts_leave_room_for_each_other() -> None:
    x = 0.5 * noise(12.05)
    x[:, 4 * RATE : 8 * RATE] *= 1.2  # the best by itself, but it would leave no room for a second
    first, second = active_starts(x, RATE, seconds=6, count=8)
    assert (first, second - first >= 6 * RATE) == (0, True)


def test_silence_is_not_listened_to() -> None:
    x = torch.zeros(2, 60 * RATE)
    x[:, 20 * RATE : 31 * RATE] = noise(11)
    starts = active_starts(x, RATE, seconds=5, count=8)
    assert len(starts) == 2
    assert all(20 * RATE <= start <= 26 * RATE for start in starts)
    assert len(active_starts(torch.zeros(2, 60 * RATE), RATE, seconds=5, count=8)) >= 1


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9), st.integers(1, 4), st.integers(1, 4))
def test_the_chosen_places_are_the_best_of_all(scores: list[float], window: int, count: int) -> None:
    def apart(places: tuple[int, ...]) -> bool:
        return all(b - a >= window for a, b in itertools.pairwise(places))

    subsets = (c for size in range(count + 1) for c in itertools.combinations(range(len(scores)), size))
    best = max(sum(scores[place] for place in places) for places in subsets if apart(places))
    found = _best_apart(torch.tensor(scores, dtype=torch.float64), window, count)
    assert apart(tuple(found))
    assert len(found) <= count
    assert sum(scores[place] for place in found) == pytest.approx(best)


def test_the_last_excerpt_is_whole() -> None:
    x = 1e-3 * noise(11.03)
    x[:, 6 * RATE :] += noise(5.03, 1)
    for start in active_starts(x, RATE, seconds=5, count=2):
        assert start + 5 * RATE <= x.shape[-1]


def bursts(seed: int) -> torch.Tensor:
    envelope = (
        (torch.rand(200, generator=torch.Generator().manual_seed(seed)) > 0.6).float().repeat_interleave(RATE // 10)
    )
    return noise(20, 7) * (0.01 + envelope)


def test_the_same_performance_is_recognised_under_processing() -> None:
    dry = bursts(1)
    processed = torch.tanh(3 * dry) * 0.2
    assert same_performance(dry, processed, RATE)
    assert same_performance(dry, processed[:, : -RATE // 20], RATE)


def test_the_same_performance_is_recognised_at_another_rate() -> None:
    dry = bursts(1)
    assert same_performance(dry, resample(dry, RATE, 48_000), RATE, 48_000)
    assert not same_performance(bursts(1), resample(bursts(2), RATE, 48_000), RATE, 48_000)


def test_another_performance_is_not() -> None:
    assert not same_performance(bursts(1), bursts(2), RATE)
    assert not same_performance(bursts(1), bursts(1)[:, : 15 * RATE], RATE)
    assert not same_performance(noise(0.3), noise(0.3), RATE)
