"""Envelopes: the parallel recurrences against plain loops, levels and gain curves against their definitions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stito.dsp import envelope
from stito.dsp.envelope import (
    FLOOR_DB,
    attack,
    control_hop,
    decay_per_step,
    detect,
    link_channels,
    look_ahead,
    peak_level,
    release,
    scale_by_db,
)

RATE = 44_100


def looped_release(x: np.ndarray, decay: float) -> np.ndarray:
    """[GMR] eq. 17, first line, value by value."""
    held, fall, y = 0.0, math.exp(-decay), np.empty(len(x))
    for n, value in enumerate(x.tolist()):
        held = max(value, fall * held)
        y[n] = held
    return y


def looped_attack(x: np.ndarray, decay: float) -> np.ndarray:
    """[GMR] eq. 17, second line, value by value."""
    level, keep, y = 0.0, math.exp(-decay), np.empty(len(x))
    for n, value in enumerate(x.tolist()):
        level = keep * level + (1 - keep) * value
        y[n] = level
    return y


def bursts(length: int, seed: int = 0) -> np.ndarray:
    """Gain reductions as they come: long silence, steps, single peaks."""
    generator = np.random.default_rng(seed)
    loud = np.repeat(generator.random(length // 97 + 1) > 0.6, 97)[:length]
    return loud * generator.exponential(6.0, length) * (generator.random(length) > 0.3)


def stacked(*rows: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rows of values as (b, 1, n)."""
    return torch.tensor(np.stack(rows), dtype=dtype)[:, None]


@pytest.mark.parametrize(("parallel", "loop"), [(release, looped_release), (attack, looped_attack)])
@pytest.mark.parametrize("length", [1, 63, 64, 65, 64**2 + 1, 9000])
def test_parallel_recurrence_is_the_loop(
    parallel: Callable[[Tensor, Tensor], Tensor], loop: Callable[[np.ndarray, float], np.ndarray], length: int
) -> None:
    decays = [1e-4, 0.018, 0.7, 20.0]
    x = bursts(length)
    y = parallel(stacked(x), torch.tensor(decays).reshape(-1, 1, 1))
    assert y.shape == (len(decays), 1, length)
    for row, decay in enumerate(decays):
        np.testing.assert_allclose(y[row, 0].numpy(), loop(x, decay), rtol=1e-5, atol=1e-6)


@settings(max_examples=30)
@given(
    st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 80.0)), min_size=1, max_size=300),
    st.floats(1e-4, 5.0),
    st.floats(1e-4, 5.0),
)
def test_detector_is_equation_17(values: list[float], attack_step: float, release_step: float) -> None:
    x = np.array(values)
    steps = (torch.full((1, 1, 1), step, dtype=torch.float64) for step in (attack_step, release_step))
    y = detect(stacked(x, dtype=torch.float64), *steps)
    loop = looped_attack(looped_release(x, release_step), attack_step)
    np.testing.assert_allclose(y[0, 0].numpy(), loop, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("attack_ms", "release_ms"), [(0.5, 20.0), (100.0, 1000.0)])
def test_ten_minutes_keep_their_digits_in_float32(attack_ms: float, release_ms: float) -> None:
    length = 600 * RATE // control_hop(RATE)
    x = bursts(length).astype(np.float32).astype(float)
    steps = [decay_per_step(torch.tensor([ms]), RATE) for ms in (attack_ms, release_ms)]
    y = detect(stacked(x), *steps)[0, 0].double().numpy()
    loop = looped_attack(looped_release(x, steps[1].item()), steps[0].item())
    assert np.abs(y - loop).max() < 1e-4 * loop.max()
    heard = loop > 1e-3
    assert (np.abs(y - loop)[heard] / loop[heard]).max() < 1e-4


def test_one_input_under_many_settings_is_each_setting_alone() -> None:
    x = stacked(bursts(1000), bursts(1000, 1)).transpose(0, 1)
    decay = torch.tensor([0.01, 0.3, 2.0]).reshape(-1, 1, 1)
    together = detect(x, decay, 0.1 * decay)
    assert together.shape == (3, 2, 1000)
    for row in range(3):
        alone = detect(x, decay[row : row + 1], 0.1 * decay[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)


@pytest.mark.parametrize("recurrence", [release, attack])
def test_gradients_are_right_across_blocks(recurrence: Callable[[Tensor, Tensor], Tensor]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 1, 150, generator=generator, dtype=torch.float64).requires_grad_()
    decay = torch.tensor([0.02, 0.4], dtype=torch.float64).reshape(-1, 1, 1).requires_grad_()
    assert torch.autograd.gradcheck(recurrence, (x, decay))


def test_silence_has_finite_gradients() -> None:
    x = torch.zeros(1, 2, 5000, requires_grad=True)
    decay = torch.full((1, 1, 1), 0.5, requires_grad=True)
    gradients = torch.autograd.grad(detect(x, decay, decay).sum() + peak_level(x, RATE).sum(), [x, decay])
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_decay_reaches_37_percent_after_its_time() -> None:
    for rate in (44_100, 48_000, 96_000):
        step = decay_per_step(torch.tensor([50.0]), rate).item()
        steps_in_50_ms = 0.05 * rate / control_hop(rate)
        assert math.exp(-step * steps_in_50_ms) == pytest.approx(math.exp(-1), rel=1e-5)


def test_control_steps_last_a_third_of_a_millisecond_at_any_rate() -> None:
    assert control_hop(44_100) == 16
    for rate in (8000, 22_050, 48_000, 88_200, 192_000):
        assert control_hop(rate) / rate == pytest.approx(16 / 44_100, rel=0.06)


@settings(max_examples=20)
@given(st.integers(1, 100))
def test_peak_level_is_the_peak_of_each_step_and_of_the_rest(length: int) -> None:
    x = torch.randn(1, 2, length, generator=torch.Generator().manual_seed(length))
    level = peak_level(x, RATE)
    peaks = [x[..., start : start + 16].abs().amax(dim=-1) for start in range(0, length, 16)]
    torch.testing.assert_close(level, 20 * torch.log10(torch.stack(peaks, dim=-1)))


def test_silence_has_the_level_of_the_floor() -> None:
    torch.testing.assert_close(peak_level(torch.zeros(1, 2, 40), RATE), torch.full((1, 2, 3), FLOOR_DB))


def test_linked_channels_follow_the_louder() -> None:
    level = torch.tensor([[[-10.0], [-30.0]]])
    assert link_channels(level, torch.tensor([[[0.0]], [[0.5]], [[1.0]]])).flatten().tolist() == [
        *[-10.0, -30.0],
        *[-10.0, -20.0],
        *[-10.0, -10.0],
    ]


@settings(max_examples=40)
@given(st.lists(st.floats(0.0, 40.0, width=32), min_size=1, max_size=60), st.integers(1, 9))
def test_look_ahead_covers_every_peak_and_invents_none(values: list[float], window: int) -> None:
    x = torch.tensor(values).reshape(1, 1, -1)
    y = look_ahead(x, window)
    assert y.shape == x.shape
    assert bool((y >= x - 1e-5).all())
    assert y.max().item() <= x.max().item() + 1e-5


def test_look_ahead_climbs_straight_and_falls_with_the_curve() -> None:
    x = torch.zeros(1, 1, 12)
    x[..., 6] = 4.0
    assert look_ahead(x, 4).flatten().tolist() == [0, 0, 0, 1, 2, 3, 4, 3, 2, 1, 0, 0]


def test_gain_curves_are_straight_between_control_steps() -> None:
    gain_db = torch.tensor([[[0.0, -6.0, -40.0, 3.0]]])
    y = scale_by_db(torch.ones(1, 2, 40), gain_db, RATE)
    ends = 10 ** (gain_db[0, 0].numpy() / 20)
    wanted = np.interp(np.arange(1, 41), np.arange(4) * 16, ends)
    for channel in range(2):
        np.testing.assert_allclose(y[0, channel].numpy(), wanted, rtol=1e-5)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_no_gain_change_is_exactly_the_input(rate: int) -> None:
    x = torch.randn(1, 2, 1001, generator=torch.Generator().manual_seed(0))
    steps = -(-1001 // control_hop(rate))
    assert torch.equal(scale_by_db(x, torch.zeros(1, 1, steps + 1), rate), x)


def test_long_audio_is_scaled_in_blocks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    x, gain_db = torch.randn(1, 2, 1001, generator=generator), -20 * torch.rand(2, 2, 64, generator=generator)
    whole = scale_by_db(x, gain_db, RATE)
    for block in (16, 160, 300):
        monkeypatch.setattr(envelope, "RENDER_BLOCK", block)
        assert torch.equal(scale_by_db(x, gain_db, RATE), whole)
