"""Compressor, expander, limiter and saturation: the contract, and what each does to a signal, against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stito.dsp.envelope import control_hop
from stito.effects.effect import Effect
from stito.testing import check_effect, probe
from stito_effects import saturation
from stito_effects.compressor import Compressor, soft_overshoot
from stito_effects.expander import Expander
from stito_effects.limiter import Limiter
from stito_effects.saturation import Saturation

RATE = 44_100
EFFECTS: list[Effect] = [Compressor(), Expander(), Limiter(), Saturation()]
named = pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.name)


def render(effect: Effect, x: Tensor, **knobs: float) -> Tensor:
    """One candidate, neutral but for `knobs`: (1, 2, t)."""
    values = effect.neutral() | knobs
    return effect.process(x, {name: torch.tensor([value], dtype=x.dtype) for name, value in values.items()}, RATE)


def sine(hz: float, level_db: float, seconds: float = 1.0, dtype: torch.dtype = torch.float32) -> Tensor:
    """A sine with its peak at `level_db` on both channels."""
    t = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    return (10 ** (level_db / 20) * torch.sin(2 * torch.pi * hz * t)).to(dtype).expand(1, 2, -1).clone()


def steps(*levels_db: float, seconds: float = 0.5) -> Tensor:
    """Constant levels, one after the other, on both channels: what leaves is the gain."""
    values = torch.tensor([10 ** (level / 20) for level in levels_db])
    return values.repeat_interleave(round(seconds * RATE)).expand(1, 2, -1).clone()


def peak_db(x: Tensor) -> float:
    return 20 * math.log10(x.abs().max().item())


def gain_db(y: Tensor, x: Tensor) -> Tensor:
    """Gain of the left channel at each sample, in dB."""
    return 20 * torch.log10(y[0, 0] / x[0, 0])


@named
def test_contract(effect: Effect) -> None:
    check_effect(effect)


@named
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_neutral_is_exactly_the_identity(effect: Effect, rate: int) -> None:
    x = probe(rate, 0.3)
    neutral = {name: torch.tensor([value]) for name, value in effect.neutral().items()}
    assert torch.equal(effect.process(x, neutral, rate), x)


@named
def test_one_setting_serves_many_inputs(effect: Effect) -> None:
    x = probe(RATE, 0.1) * torch.linspace(0.2, 1.2, 6)[:, None, None]
    p = {param.name: torch.tensor([param.from_unit(0.6)]) for param in effect.params}
    together = effect.process(x, p, RATE)
    alone = torch.cat([effect.process(x[row : row + 1], p, RATE) for row in range(6)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@named
def test_gradcheck(effect: Effect) -> None:
    generator = torch.Generator().manual_seed(1)
    # sixteen samples a step: one of each dominates, so that finite differences do not move the peak elsewhere
    x = 0.02 * torch.rand(2, 2, 48, generator=generator, dtype=torch.float64) + 0.01
    x[..., 7::16] = torch.tensor([0.5, 0.2, 0.8], dtype=torch.float64) * torch.tensor([[1.0], [0.7]])
    theta = 0.3 + 0.3 * torch.rand(2, len(effect.params), generator=generator, dtype=torch.float64)

    def of(audio: Tensor, place: Tensor) -> Tensor:
        p = {param.name: param.from_unit(place[:, i]) for i, param in enumerate(effect.params)}
        return effect.process(audio, p, RATE)[..., ::3]

    assert torch.autograd.gradcheck(of, (x.requires_grad_(), theta.requires_grad_()), atol=1e-5, fast_mode=True)


# --- compressor ---------------------------------------------------------------------------------------------------


def looped_compressor(x: np.ndarray, k: dict[str, float]) -> np.ndarray:
    """GMR 2012, eq. 4 and 17, step by step and then sample by sample, on audio (2, t)."""
    hop = control_hop(RATE)
    starts = range(0, x.shape[1], hop)
    level = [[20 * math.log10(max(abs(channel[n : n + hop]).max(), 1e-6)) for n in starts] for channel in x]
    a, r = (math.exp(-hop / (RATE * k[name] / 1000)) for name in ("attack_ms", "release_ms"))
    y = np.empty_like(x)
    for c in (0, 1):
        y1 = yl = gain = 0.0
        for n, (own, other) in enumerate(zip(level[c], level[1 - c], strict=True)):
            heard = own + k["link"] * (max(own, other) - own)
            over, knee = heard - k["threshold_db"], k["knee_db"]
            if 2 * over < -knee:
                out = heard
            elif 2 * abs(over) <= knee:
                out = heard + (1 / k["ratio"] - 1) * (over + knee / 2) ** 2 / (2 * knee)
            else:
                out = k["threshold_db"] + over / k["ratio"]
            y1 = max(heard - out, r * y1)
            yl = a * yl + (1 - a) * y1
            start, end = 10 ** (gain / 20), 10 ** (-yl / 20)
            for i in range(n * hop, min((n + 1) * hop, x.shape[1])):
                y[c, i] = x[c, i] * (start + (end - start) * (i - n * hop + 1) / hop)
            gain = -yl
    return y


@pytest.mark.parametrize("link", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("knee", [1.0, 6.0, 12.0])
def test_compressor_is_the_papers_loop(link: float, knee: float) -> None:
    knobs = {"threshold_db": -25.0, "ratio": 5.0, "attack_ms": 3.0, "release_ms": 60.0, "knee_db": knee, "link": link}
    x = probe(RATE, 0.3, torch.float64)
    y = render(Compressor(), x, **knobs)
    np.testing.assert_allclose(y[0].numpy(), looped_compressor(x[0].numpy(), knobs), atol=2e-5)


def test_compressor_brings_a_sine_to_its_static_curve() -> None:
    y = render(Compressor(), sine(1000, -10.0), threshold_db=-20, ratio=4, knee_db=0, attack_ms=5, release_ms=200)
    assert peak_db(y[..., RATE // 2 :]) == pytest.approx(-17.5, abs=0.3)


def test_compressor_leaves_what_is_below_its_knee() -> None:
    x = sine(500, -27.0)
    assert torch.equal(render(Compressor(), x, threshold_db=-20, ratio=20, knee_db=12), x)


def test_knee_is_smooth_and_meets_both_straights() -> None:
    excess = torch.linspace(-20, 20, 4001, dtype=torch.float64)
    for knee in (0.0, 6.0, 12.0):
        over = soft_overshoot(excess, torch.tensor(knee, dtype=torch.float64))
        outside = excess.abs() >= knee / 2 + 0.01
        torch.testing.assert_close(over[outside], excess.clamp_min(0)[outside], atol=1e-3, rtol=0)
        slope = over.diff() / excess.diff()
        assert slope.min() >= 0
        assert slope.max() <= 1 + 1e-9
    middle = soft_overshoot(torch.tensor(0.0), torch.tensor(6.0)).item()
    assert middle == pytest.approx(6 / 8, abs=1e-3)


@pytest.mark.parametrize("attack_ms", [2.0, 10.0, 80.0])
def test_attack_covers_63_percent_in_its_time(attack_ms: float) -> None:
    x = steps(-40.0, -10.0)
    y = render(Compressor(), x, threshold_db=-20, ratio=4, knee_db=0, attack_ms=attack_ms, release_ms=500)
    gain = gain_db(y, x)[RATE // 2 :]
    reached = int((gain < -7.5 * (1 - math.exp(-1))).int().argmax())
    assert 1000 * reached / RATE == pytest.approx(attack_ms, rel=0.1)


@pytest.mark.parametrize("release_ms", [20.0, 100.0, 300.0])
def test_release_gives_back_63_percent_in_its_time(release_ms: float) -> None:
    x = steps(-10.0, -40.0)
    y = render(Compressor(), x, threshold_db=-20, ratio=4, knee_db=0, attack_ms=0.5, release_ms=release_ms)
    gain = gain_db(y, x)[RATE // 2 :]
    reached = int((gain > -7.5 * math.exp(-1)).int().argmax())
    assert 1000 * reached / RATE == pytest.approx(release_ms, rel=0.1)


def test_linked_compressor_keeps_the_balance_and_unlinked_does_not() -> None:
    x = sine(300, -6.0)
    x[:, 1] *= 0.1
    knobs = {"threshold_db": -20.0, "ratio": 4.0}
    settled = [render(Compressor(), x, link=link, **knobs)[..., RATE // 2 :] for link in (1, 0)]
    balance = [peak_db(y[:, 0]) - peak_db(y[:, 1]) for y in settled]
    assert balance[0] == pytest.approx(20.0, abs=0.01)
    assert balance[1] < 12


def beats(soft_db: float, seconds: float = 4.0) -> Tensor:
    """A beat of noise every 150 ms, every fifth loud, the others `soft_db` against it: (2, t)."""
    t = torch.arange(round(seconds * RATE)) / RATE
    beat = (t / 0.15).long()
    level = torch.where(beat % 5 == 0, 0.0, soft_db)
    noise = torch.randn(2, len(t), generator=torch.Generator().manual_seed(3)).clamp(-2, 2) / 4
    return noise * torch.exp(-(t % 0.15) / 0.5) * 10 ** (level / 20)


def spread_db(x: Tensor) -> float:
    """How far the loudest of the beats stand above the usual ones, in RMS level."""
    levels = 10 * torch.log10(x.unfold(-1, 6615, 6615).square().mean(dim=(0, 2)))
    return (levels.quantile(0.95) - levels.median()).item()


def test_match_compresses_towards_a_flatter_reference() -> None:
    x, reference = beats(-20.0), 0.3 * beats(-8.0)
    guess = Compressor().initial_settings(x, reference, RATE)
    assert guess["ratio"] > 1.3
    y = render(Compressor(), x[None], **guess)[0]
    before, after = (abs(spread_db(audio) - spread_db(reference)) for audio in (x, y))
    assert after < 0.7 * before


@pytest.mark.parametrize("pair", ["more dynamic", "the same", "silent", "silent input", "very short"])
def test_match_is_neutral_where_compression_cannot_help(pair: str) -> None:
    flat, lively = beats(-8.0), beats(-20.0)
    silence = torch.zeros(2, 5000)
    x, reference = {
        "more dynamic": (flat, lively),
        "the same": (flat, 0.1 * flat),
        "silent": (lively, silence),
        "silent input": (silence, lively),
        "very short": (lively, lively[:, :10]),
    }[pair]
    guess = Compressor().initial_settings(x, reference, RATE)
    assert guess["ratio"] == pytest.approx(1.0, abs=1e-3)


def test_match_stays_in_range_and_below_six_to_one() -> None:
    guess = Compressor().initial_settings(beats(-40.0), beats(-0.5), RATE)
    assert guess["ratio"] == 6.0
    for param in Compressor.params:
        param.check(guess[param.name])


# --- expander -----------------------------------------------------------------------------------------------------


def looped_expander(x: np.ndarray, k: dict[str, float]) -> np.ndarray:
    """The gain in dB at the end of each control step of audio (2, t): detector on the level, then the static curve."""
    hop = control_hop(RATE)
    a, r = (math.exp(-hop / (RATE * k[name] / 1000)) for name in ("attack_ms", "release_ms"))
    gains: list[float] = []
    y1 = yl = math.nan
    for n in range(0, x.shape[1], hop):
        height = 20 * math.log10(max(abs(x[:, n : n + hop]).max(), 1e-6)) + 120
        y1 = max(height, r * y1) if gains else height
        yl = a * yl + (1 - a) * y1 if gains else height
        gains.append(-min(max(k["threshold_db"] - (yl - 120), 0) * (k["ratio"] - 1), k["range_db"]))
    return np.array(gains)


def test_expander_is_the_loop() -> None:
    knobs = {"threshold_db": -20.0, "ratio": 3.0, "attack_ms": 3.0, "release_ms": 60.0, "range_db": 30.0}
    x = probe(RATE, 0.3, torch.float64)
    y = render(Expander(), x, **knobs)
    ends = slice(control_hop(RATE) - 1, None, control_hop(RATE))
    gains = looped_expander(x[0].numpy(), knobs)
    assert gains.min() < -3
    np.testing.assert_allclose((y / x)[0, 0, ends].numpy(), 10 ** (gains[: y.shape[-1] // 16] / 20), atol=1e-6)


def test_expander_passes_above_and_attenuates_below_its_threshold() -> None:
    knobs = {"threshold_db": -30.0, "ratio": 3.0, "range_db": 60.0}
    loud, soft = sine(1000, -20.0), sine(1000, -40.0)
    assert torch.equal(render(Expander(), loud, **knobs), loud)
    assert peak_db(render(Expander(), soft, **knobs)[..., RATE // 2 :]) == pytest.approx(-60.0, abs=0.3)


def test_expander_attenuates_by_no_more_than_its_range() -> None:
    y = render(Expander(), sine(1000, -60.0), threshold_db=-30, ratio=20, range_db=25)
    assert peak_db(y) == pytest.approx(-85.0, abs=0.01)


def first_at(gain: Tensor, open_: bool) -> int:
    """Samples until half the range of 40 dB is open, or closed."""
    return int(((gain > -20) if open_ else (gain < -20)).int().argmax())


def test_attack_opens_and_release_closes_the_gate() -> None:
    rise, fall = steps(-70.0, -10.0), steps(-10.0, -70.0)
    gate = {"threshold_db": -30.0, "ratio": 20.0, "range_db": 40.0}
    opened, closed = {}, {}
    for attack_ms, release_ms in ((0.5, 50.0), (5.0, 50.0), (50.0, 50.0), (0.5, 200.0)):
        knobs = gate | {"attack_ms": attack_ms, "release_ms": release_ms}
        key = attack_ms, release_ms
        opened[key] = first_at(gain_db(render(Expander(), rise, **knobs), rise)[RATE // 2 :], True)
        closed[key] = first_at(gain_db(render(Expander(), fall, **knobs), fall)[RATE // 2 :], False)
    assert opened[50, 50] == pytest.approx(10 * opened[5, 50], rel=0.1)
    assert closed[0.5, 200] == pytest.approx(4 * closed[0.5, 50], rel=0.1)
    assert opened[0.5, 200] == opened[0.5, 50]


# --- limiter ------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.floats(-24, 0), st.floats(10, 1000), st.integers(0, 10_000), st.integers(1, 3000), st.floats(0, 3))
def test_limiter_never_exceeds_its_threshold(
    threshold: float, release: float, seed: int, length: int, sparsity: float
) -> None:
    x = torch.randn(1, 2, length, generator=torch.Generator().manual_seed(seed))
    x = 3 * x * (x.abs() >= sparsity)
    y = render(Limiter(), x, threshold_db=threshold, release_ms=release)
    assert y.abs().max().item() <= 10 ** (threshold / 20) * (1 + 1e-6)


def test_limiter_needs_no_clipping_to_hold_its_threshold() -> None:
    """The gain alone suffices: both channels keep their ratio at every sample, peaks too."""
    x = 3 * torch.randn(1, 2, 20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = render(Limiter(), x, threshold_db=-6.0, release_ms=50.0)
    torch.testing.assert_close(y[:, 0] * x[:, 1], y[:, 1] * x[:, 0])


def test_limiter_turns_down_before_the_peak_and_delays_nothing() -> None:
    x = 0.2 * torch.ones(1, 2, 8000)
    x[..., 4000] = 1.0
    y = render(Limiter(), x, threshold_db=-12.0, release_ms=20.0)
    assert int(y[0, 0].argmax()) == 4000
    assert y[0, 0, 4000].item() == pytest.approx(10 ** (-12 / 20), rel=1e-3)
    early, before = y[0, 0, : 4000 - 150], y[0, 0, 4000 - 20]
    assert torch.equal(early, x[0, 0, : 4000 - 150])
    assert before < 0.15
    assert torch.all((y[0, 0, 3800:3980].diff()) <= 1e-7)


def test_limiter_leaves_alone_what_is_below() -> None:
    x = sine(200, -7.0)
    assert torch.equal(render(Limiter(), x, threshold_db=-6.0), x)


def test_limiter_releases_in_its_time() -> None:
    x = steps(0.0, -20.0)
    y = render(Limiter(), x, threshold_db=-10.0, release_ms=100.0)
    gain = gain_db(y, x)[RATE // 2 :]
    reached = int((gain > -10 * math.exp(-1)).int().argmax())
    assert 1000 * reached / RATE == pytest.approx(100.0, rel=0.1)


# --- saturation ---------------------------------------------------------------------------------------------------


def harmonics(y: Tensor, hz: int) -> tuple[Tensor, float]:
    """Power of the left channel's harmonics 1, 2, ... in the second of its three seconds, and of all between them."""
    power = torch.fft.rfft(y[0, 0, RATE : 2 * RATE].double()).abs().square()
    at = torch.arange(hz, len(power), hz)
    between = power.clone()
    between[at] = 0
    return power[at], between[20:].sum().item()


def test_symmetric_saturation_has_odd_harmonics_only_and_asymmetry_adds_even_ones() -> None:
    x = sine(441, -12.0, seconds=3)
    odd, _ = harmonics(render(Saturation(), x, drive_db=12, mix=1), 441)
    both, _ = harmonics(render(Saturation(), x, drive_db=12, mix=1, asymmetry=0.7), 441)
    assert odd[2] > 1e-4 * odd[0]
    assert odd[1] < 1e-9 * odd[0]
    assert both[1] > 1e-3 * both[0]


@pytest.mark.parametrize(("hz", "drive_db"), [(1237, 24), (3701, 24), (3701, 36), (7013, 12)])
def test_saturation_aliases_far_less_than_the_bare_curve(hz: int, drive_db: float) -> None:
    x = sine(hz, -6.0, seconds=3, dtype=torch.float64)
    kept, folded = harmonics(render(Saturation(), x, drive_db=drive_db, mix=1), hz)
    bare, bare_folded = harmonics(torch.tanh(10 ** (drive_db / 20) * x), hz)
    assert folded / kept.sum().item() < 0.02 * bare_folded / bare.sum().item()


@pytest.mark.parametrize(
    ("hz", "drive_db", "most_db"), [(1237, 24, -105), (3701, 24, -51), (3701, 36, -36), (7013, 12, -86)]
)
def test_saturation_aliases_no_more_than_the_exact_curve(hz: int, drive_db: float, most_db: float) -> None:
    """What means of the exact tanh at twice the sample rate leave, over the power of the harmonics."""
    kept, folded = harmonics(render(Saturation(), sine(hz, -6.0, 3, torch.float64), drive_db=drive_db, mix=1), hz)
    assert 10 * math.log10(folded / kept.sum().item()) < most_db


def test_saturation_is_the_tanh_of_the_audio() -> None:
    """At low frequencies nothing folds and nothing is lost: sample by sample it is the curve."""
    x = sine(200, -6.0, seconds=1, dtype=torch.float64)
    for drive_db in (0.0, 12.0, 18.0):
        drive = 10 ** (drive_db / 20)
        y = render(Saturation(), x, drive_db=drive_db, mix=1)
        expected = torch.tanh(drive * x) * 0.25 / math.tanh(0.25 * drive)
        middle = slice(RATE // 4, -RATE // 4)
        assert (y - expected)[..., middle].abs().max() < 0.01 * expected.abs().max()


def test_gentle_saturation_neither_delays_nor_dulls() -> None:
    """From 40 Hz to 19.5 kHz a soft signal comes out as it went in, at the slope of the curve."""
    x = 1e-3 * probe(RATE, 0.5, torch.float64)
    y = render(Saturation(), x, drive_db=0, mix=1)
    hz = torch.fft.rfftfreq(x.shape[-1], 1 / RATE)
    heard = (hz > 40) & (hz < 19_500)
    before, after = (torch.fft.rfft(audio)[..., heard] for audio in (x, y))
    slope = 0.25 / math.tanh(0.25)
    assert (after - slope * before).abs().square().mean() < 1e-4 * before.abs().square().mean()


@pytest.mark.parametrize("drive_db", [0.0, 18.0, 36.0])
@pytest.mark.parametrize("asymmetry", [0.0, 1.0])
def test_drive_keeps_the_level_of_usual_peaks(drive_db: float, asymmetry: float) -> None:
    x = sine(441, -12.0)
    y = render(Saturation(), x, drive_db=drive_db, asymmetry=asymmetry, mix=1)[..., RATE // 4 : -RATE // 4]
    change = 20 * math.log10((y.std() / x.std()).item())
    assert -1.0 < change < 3.2  # a square wave is 3 dB louder than a sine of its peak


def test_asymmetry_leaves_no_offset() -> None:
    y = render(Saturation(), sine(441, -6.0, 2.0), drive_db=24, asymmetry=1, mix=1)
    middle = y[..., RATE // 2 : 3 * RATE // 2]
    assert middle.mean().abs() < 1e-4 * middle.std()


def test_half_a_mix_is_half_of_both() -> None:
    x = probe(RATE, 0.2)
    wet = render(Saturation(), x, drive_db=20, asymmetry=0.5, mix=1)
    torch.testing.assert_close(render(Saturation(), x, drive_db=20, asymmetry=0.5, mix=0.5), (x + wet) / 2)


def test_silence_stays_silent() -> None:
    y = render(Saturation(), torch.zeros(1, 2, 5000), drive_db=36, asymmetry=1, mix=1)
    assert y.abs().max() < 1e-6


def test_blocks_and_groups_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    x = probe(RATE, 1.0)
    p = {"drive_db": torch.tensor([6.0, 30.0, 20.0]), "asymmetry": torch.tensor([0.0, 1.0, 0.4]), "mix": torch.ones(3)}
    whole = Saturation().process(x, p, RATE)
    monkeypatch.setattr(saturation, "BLOCK", 12_000)
    monkeypatch.setattr(saturation, "AT_ONCE", 40_000)
    parts = Saturation().process(x, p, RATE)
    assert (parts - whole).std() < 5e-4 * whole.std()
