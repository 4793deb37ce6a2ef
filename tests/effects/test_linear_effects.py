"""Linear effects against their physics and against other implementations."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stito.dsp.biquad import cascade, peak
from stito.dsp.blockwise import Formula, blockwise
from stito.dsp.phase import delay_response
from stito.dsp.statistics import balance_db, log_grid, long_term_spectrum, ridge_gains, width_db
from stito.effects.effect import LinearEffect
from stito.effects.param import Settings, as_batch
from stito.errors import AudioError, MissingFileError
from stito.testing import check_effect, probe
from stito_effects.compressor import Compressor
from stito_effects.convolution_reverb import ConvolutionReverb
from stito_effects.delay import Delay
from stito_effects.eq import Equaliser
from stito_effects.gain import Gain
from stito_effects.imager import Imager
from stito_effects.panner import Panner
from stito_effects.parametric_eq import ParametricEqualiser
from stito_effects.reverb import Reverb

RATE = 44_100
CPU = torch.device("cpu")
EFFECTS = (Gain, Equaliser, ParametricEqualiser, Panner, Imager, Delay, Reverb, ConvolutionReverb)
EQUALISERS = (Equaliser, ParametricEqualiser)


def rendered(effect: LinearEffect, x: Tensor, **values: float) -> Tensor:
    """Audio (2, t) through an effect, at neutral but for `values`."""
    return effect.process(x[None], as_batch(effect.neutral() | values, dtype=x.dtype), RATE)[0]


def click(samples: int = RATE, dtype: torch.dtype = torch.float32) -> Tensor:
    x = torch.zeros(2, samples, dtype=dtype)
    x[:, 0] = 1
    return x


def noise(seconds: float, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(2, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def decibels(ratio: Tensor) -> float:
    return 10 * math.log10(ratio.item())


@pytest.mark.parametrize("effect", EFFECTS)
def test_keeps_the_contract(effect: type[LinearEffect]) -> None:
    check_effect(effect())


@pytest.mark.parametrize("rate", [8_000, 16_000, 32_000])
@pytest.mark.parametrize("effect", [Equaliser, ParametricEqualiser])
def test_an_equaliser_does_not_fold_over_at_low_rates(effect: type[LinearEffect], rate: int) -> None:
    equaliser = effect()
    shelf = next(name for name in equaliser.neutral() if name.startswith("high") and name.endswith("gain_db"))
    highest = {param.name: param.high for param in equaliser.params if param.name.endswith("hz")}
    settings = as_batch(equaliser.neutral() | highest | {shelf: 12.0}, dtype=torch.float64)
    n = 8 * rate
    response = equaliser.response(settings, n, rate)[0, 0]
    impulse = torch.fft.irfft(response, n)
    assert float(impulse[n // 2 :].square().sum()) < 1e-6  # nothing comes before its cause
    assert float(20 * response[n // 16].abs().log10()) == pytest.approx(0, abs=1.5)  # an eighth of Nyquist stays


@pytest.mark.parametrize("effect", EFFECTS)
def test_the_tail_is_long_enough(effect: type[LinearEffect]) -> None:
    """What the response still holds beyond its declared tail is under -90 dB, even at the extremes."""
    params = effect.params
    theta = (torch.rand(6, len(params), generator=torch.Generator().manual_seed(1)) > 0.5).double()
    p = {param.name: param.from_unit(theta[:, i]) for i, param in enumerate(params)}
    n = 2 * round((effect.tail_s + 0.5) * RATE)
    response = effect().response(p, n, RATE)
    if response.shape[-1] == 1:
        return  # the same at every frequency: no tail
    energy = torch.fft.irfft(response, n=n).flatten(1, -2).square().sum(dim=1)
    beyond = energy[:, round(effect.tail_s * RATE) : n - RATE // 100].sum(dim=1)  # the end is what comes before zero
    assert (beyond / energy.sum(dim=1)).max() < 1e-9


# --- gain, panner, imager


@given(st.floats(-24, 24))
@settings(max_examples=20)
def test_gain_is_in_decibels(gain_db: float) -> None:
    x = probe(RATE, 0.05)[0]
    change = 20 * torch.log10(rendered(Gain(), x, gain_db=gain_db).abs().max() / x.abs().max())
    assert change.item() == pytest.approx(gain_db, abs=1e-3)


@given(st.floats(-1, 1))
@settings(max_examples=20)
def test_panning_keeps_the_energy_of_equal_channels(pan: float) -> None:
    x = torch.ones(2, 64)
    assert rendered(Panner(), x, pan=pan).square().sum().item() == pytest.approx(128, rel=1e-5)


def test_panning_hard_silences_the_other_side() -> None:
    x = torch.ones(2, 64)
    for pan, silent in ((-1.0, 1), (1.0, 0)):
        y = rendered(Panner(), x, pan=pan)
        assert y[silent].abs().max() < 1e-6
        assert y[1 - silent].mean().item() == pytest.approx(math.sqrt(2), rel=1e-5)


@given(st.floats(0, 2), st.floats(0, 2))
@settings(max_examples=20)
def test_more_width_is_more_side_and_the_same_mid(a: float, b: float) -> None:
    x = probe(RATE, 0.05)[0]
    narrow, wide = (rendered(Imager(), x, width=width) for width in sorted((a, b)))
    assert width_db(narrow) <= width_db(wide) + 1e-3
    torch.testing.assert_close(narrow.sum(dim=0), wide.sum(dim=0), atol=1e-5, rtol=0)


def test_no_width_is_mono() -> None:
    y = rendered(Imager(), probe(RATE, 0.05)[0], width=0.0)
    torch.testing.assert_close(y[0], y[1])


# --- equalisers


def sos_of(bands: list[tuple[str, float, float, float]]) -> np.ndarray:
    """Second-order sections written out from the cookbook's digital formulae: a second implementation."""
    rows = []
    for shape, gain_db, hz, q in bands:
        a, w = 10 ** (gain_db / 40), 2 * np.pi * hz / RATE
        alpha, c, root = np.sin(w) / (2 * q), np.cos(w), 2 * np.sqrt(a) * np.sin(w) / (2 * q)
        if shape == "peak":
            row = [1 + alpha * a, -2 * c, 1 - alpha * a, 1 + alpha / a, -2 * c, 1 - alpha / a]
        else:
            s = 1 if shape == "low" else -1
            row = [
                a * ((a + 1) - s * (a - 1) * c + root),
                s * 2 * a * ((a - 1) - s * (a + 1) * c),
                a * ((a + 1) - s * (a - 1) * c - root),
                (a + 1) + s * (a - 1) * c + root,
                -s * 2 * ((a - 1) + s * (a + 1) * c),
                (a + 1) + s * (a - 1) * c - root,
            ]
        rows.append(np.array(row) / row[3])
    return np.stack(rows)


EQ_CASES: list[tuple[type[LinearEffect], Settings, list[tuple[str, float, float, float]]]] = [
    (
        Equaliser,
        {
            **{"low_gain_db": 6.0, "low_hz": 60.0, "low_mid_gain_db": -5.0, "low_mid_hz": 400.0, "low_mid_q": 1.5},
            **{"mid_gain_db": 4.0, "mid_hz": 1800.0, "mid_q": 0.5, "high_mid_gain_db": -8.0, "high_mid_hz": 4000.0},
            **{"high_mid_q": 2.0, "high_gain_db": 7.0, "high_hz": 9000.0},
        },
        [
            *[("low", 6.0, 60.0, 0.7071), ("peak", -5.0, 400.0, 1.5), ("peak", 4.0, 1800.0, 0.5)],
            *[("peak", -8.0, 4000.0, 2.0), ("high", 7.0, 9000.0, 0.7071)],
        ],
    ),
    (
        ParametricEqualiser,
        {
            **{"low_shelf_gain_db": -6.0, "low_shelf_hz": 40.0, "low_shelf_q": 1.0, "low_gain_db": 9.0, "low_hz": 80.0},
            **{"low_q": 2.0, "low_mid_gain_db": -3.0, "low_mid_hz": 500.0, "high_mid_gain_db": 5.0},
            **{"high_mid_hz": 3000.0, "high_gain_db": -4.0, "high_q": 3.0, "high_shelf_gain_db": 8.0},
        },
        [
            *[("low", -6.0, 40.0, 1.0), ("peak", 9.0, 80.0, 2.0), ("peak", -3.0, 500.0, 0.7)],
            *[("peak", 5.0, 3000.0, 0.7), ("peak", -4.0, 6000.0, 3.0), ("high", 8.0, 9000.0, 0.7)],
        ],
    ),
]


@pytest.mark.parametrize(("effect", "values", "bands"), EQ_CASES, ids=["eq", "parametric_eq"])
def test_equalisers_agree_with_filtering_in_time(
    effect: type[LinearEffect], values: Settings, bands: list[tuple[str, float, float, float]]
) -> None:
    x = probe(RATE)[0]
    expected = torch.from_numpy(scipy.signal.sosfilt(sos_of(bands), x.double().numpy()))
    error = (rendered(effect(), x, **values) - expected).square().sum() / expected.square().sum()
    assert decibels(error) < -90


@given(st.floats(-15, 15), st.floats(200, 1000), st.floats(0.1, 2))
@settings(max_examples=20)
def test_a_bell_gives_its_gain_at_its_centre(gain_db: float, hz: float, q: float) -> None:
    n = 1 << 18
    values = as_batch({"gain_db": gain_db, "hz": round(hz * n / RATE) * RATE / n, "q": q})
    bell = peak(values["gain_db"], values["hz"], values["q"], RATE)[:, None]
    response = cascade(bell, n, torch.float32).whole().flatten()
    assert 20 * math.log10(response[round(hz * n / RATE)].abs().item()) == pytest.approx(gain_db, abs=1e-2)


def test_shelves_give_their_gain_at_the_ends() -> None:
    p = as_batch(Equaliser.neutral() | {"low_gain_db": 12.0, "high_gain_db": -12.0})
    response = Equaliser().response(p, 1 << 16, RATE)[0, 0].abs()
    assert 20 * math.log10(response[0].item()) == pytest.approx(12, abs=1e-3)
    assert 20 * math.log10(response[-1].item()) == pytest.approx(-12, abs=1e-3)


@pytest.mark.parametrize("effect", EQUALISERS)
def test_single_precision_holds_at_the_lowest_and_sharpest_settings(effect: type[LinearEffect]) -> None:
    """Every band at its lowest frequency with the most boost and Q: float32 is within -80 dB of float64."""
    worst = {param.name: param.low if param.unit == "Hz" else param.high for param in effect.params}
    single, double = (
        effect().response(as_batch(worst, dtype=dtype), 360_000, RATE) for dtype in (torch.float32, torch.float64)
    )
    assert ((single - double).abs() / double.abs()).max() < 1e-4


@pytest.mark.parametrize("effect", EQUALISERS)
def test_equaliser_match_finds_an_equaliser(effect: type[LinearEffect]) -> None:
    """The guess undoes most of a known tone, on other content and at another level."""
    params = [param.name for param in effect.params if param.name.endswith("_gain_db")]
    tone = dict(zip(params, (6.0, -5.0, 4.0, -3.0, 6.0, -4.0), strict=False))
    x, reference = noise(3.0, seed=1), 0.3 * rendered(effect(), noise(2.0, seed=2), **tone)
    guess = effect().initial_settings(x, reference, RATE)
    grid = log_grid(40.0, 15_000.0, 3)

    def distance(audio: Tensor) -> float:
        difference = long_term_spectrum(audio, RATE, grid) - long_term_spectrum(reference, RATE, grid)
        return (difference - difference.mean()).square().mean().sqrt().item()

    assert distance(rendered(effect(), x, **guess)) < 0.25 * distance(x)


@pytest.mark.parametrize("effect", EQUALISERS)
def test_equaliser_match_leaves_equal_tones_alone(effect: type[LinearEffect]) -> None:
    guess = effect().initial_settings(noise(3.0, seed=1), 0.1 * noise(3.0, seed=2), RATE)
    assert all(abs(value) < 0.8 for name, value in guess.items() if name.endswith("_gain_db"))


@pytest.mark.parametrize("effect", EFFECTS)
def test_match_stays_in_range_whatever_it_hears(effect: type[LinearEffect]) -> None:
    x, silence = probe(RATE, 0.8)[0], torch.zeros(2, RATE)
    one_sided = x * torch.tensor([[1.0], [0.0]])
    mono = x.mean(dim=0).expand(2, -1)
    for ours, theirs in ((x, 1e-3 * x), (1e-3 * x, x), (x, one_sided), (one_sided, x), (mono, x), (x, mono)):
        guess = effect().initial_settings(ours, theirs, RATE)
        assert guess.keys() == effect.neutral().keys()
        for param in effect.params:
            param.check(guess[param.name])
    effect().initial_settings(x, silence, RATE)


def test_gain_match_brings_loudness_together() -> None:
    x = noise(2.0)
    assert Gain().initial_settings(x, 0.25 * noise(3.0, seed=3), RATE)["gain_db"] == pytest.approx(-12.04, abs=0.2)


@given(st.floats(-0.8, 0.8))
@settings(max_examples=10)
def test_panner_match_finds_the_place(pan: float) -> None:
    guess = Panner().initial_settings(noise(0.5), rendered(Panner(), noise(0.5, seed=4), pan=pan), RATE)
    assert guess["pan"] == pytest.approx(pan, abs=0.02)


@given(st.floats(0.1, 1.9))
@settings(max_examples=10)
def test_imager_match_finds_the_width(width: float) -> None:
    guess = Imager().initial_settings(noise(0.5), rendered(Imager(), noise(0.5, seed=4), width=width), RATE)
    assert guess["width"] == pytest.approx(width, rel=0.03)


def test_a_correction_starts_from_the_settings_that_made_it() -> None:
    x, other = noise(3.0, seed=1), noise(3.0, seed=2)
    for effect, far, right in (
        (Gain(), {"gain_db": 5.0}, {"gain_db": -3.0}),
        (Panner(), {"pan": -0.5}, {"pan": 0.4}),
        (Imager(), {"width": 1.6}, {"width": 0.5}),
        (
            Equaliser(),
            {"low_gain_db": 9.0, "mid_hz": 1200.0},
            {"low_gain_db": -3.0, "mid_gain_db": 6.0, "mid_hz": 1200.0},
        ),
    ):
        wrong = effect.neutral() | far
        found = effect.correct(wrong, rendered(effect, x, **wrong), rendered(effect, other, **right), RATE)
        for name, value in right.items():
            assert found[name] == pytest.approx(value, abs=1.0 if name.endswith("_db") else 0.03)


@pytest.mark.parametrize("effect", EQUALISERS)
def test_no_equaliser_is_told_to_go_further_than_twelve_decibels(effect: type[LinearEffect]) -> None:
    x = noise(3.0, seed=1)
    dull = rendered(effect(), rendered(effect(), noise(3.0, seed=2), low_gain_db=15.0), low_gain_db=15.0)
    assert effect().initial_settings(x, dull, RATE)["low_gain_db"] == 12
    assert effect().initial_settings(dull, x, RATE)["low_gain_db"] == -12
    loud = effect.neutral() | {"low_gain_db": 14.0}
    assert effect().correct(loud, x, dull, RATE)["low_gain_db"] == pytest.approx(14.0)
    assert -12 <= effect().correct(loud, dull, x, RATE)["low_gain_db"] < 0


def test_what_no_statistic_tells_is_left_as_it_is() -> None:
    loud = Compressor().neutral() | {"ratio": 4.0}
    assert Compressor().correct(loud, noise(1.0), noise(1.0, seed=5), RATE) == loud
    mono = noise(1.0).mean(dim=0).expand(2, -1)
    assert Imager().correct({"width": 0.3}, mono, noise(1.0), RATE) == {"width": 0.3}


# --- delay


def test_echoes_come_at_their_times_and_levels() -> None:
    y = rendered(Delay(), click(dtype=torch.float64), time_ms=100.0, feedback=0.5, mix=1.0, damping_hz=18_000.0)
    for repeat in range(1, 6):
        around = y[0, repeat * 4410 - 40 : repeat * 4410 + 40]
        assert around.sum().item() == pytest.approx(0.5 ** (repeat - 1), rel=0.02)
    between = y[0].clone()
    for repeat in range(1, 10):
        between[repeat * 4410 - 400 : repeat * 4410 + 400] = 0
    assert between.abs().max() < 1e-3


def test_ping_pong_changes_sides() -> None:
    y = rendered(Delay(), click(), time_ms=100.0, feedback=0.6, ping_pong=1.0, mix=1.0)
    energy = [y[:, k * 4410 - 400 : k * 4410 + 400].square().sum(dim=1).tolist() for k in range(1, 5)]
    for repeat, (left, right) in enumerate(energy):
        loud, soft = (left, right) if repeat % 2 == 0 else (right, left)
        assert soft < 1e-6 * loud


def test_parallel_echoes_keep_their_side() -> None:
    x = click()
    x[1] = 0
    assert rendered(Delay(), x, feedback=0.6, mix=1.0)[1].abs().max() < 1e-6


@given(st.floats(20, 800), st.floats(0, 0.7), st.floats(0, 1))
@settings(max_examples=6)
def test_a_delay_answers_only_after_its_time(time_ms: float, feedback: float, ping_pong: float) -> None:
    """Neither wrapped repeats nor later ones come early; the low-pass may reach 2 ms ahead."""
    y = rendered(Delay(), click(), time_ms=time_ms, feedback=feedback, ping_pong=ping_pong, damping_hz=4000.0, mix=1.0)
    before = y[:, : round((time_ms - 2) * RATE / 1000)]
    assert before.abs().max() < 1e-3 * y.abs().max()


def test_each_repeat_is_darker_than_the_one_before() -> None:
    y = rendered(Delay(), click(), time_ms=100.0, feedback=0.7, damping_hz=3000.0, mix=1.0)
    shares = []
    for repeat in range(1, 6):
        power = torch.fft.rfft(y[0, repeat * 4410 - 1000 : repeat * 4410 + 1000]).abs().square()
        shares.append((power[227:].sum() / power.sum()).item())  # above 5 kHz
    assert shares == sorted(shares, reverse=True)


def test_delay_phases_are_exact_anywhere_in_the_spectrum() -> None:
    n, samples = 360_000, torch.tensor([12_345.678])
    part = delay_response(samples, n, slice(100_003, 100_200))
    angle = -2 * math.pi * torch.arange(100_003, 100_200, dtype=torch.float64) * samples.double() / n
    torch.testing.assert_close(
        part[0].to(torch.complex128), torch.polar(torch.ones_like(angle), angle), atol=1e-6, rtol=0
    )


# --- reverbs


def decay_s(y: Tensor) -> float:
    """Time to -60 dB of a response (2, t), from its fall between -5 and -25 dB (Schroeder)."""
    ahead = 10 * torch.log10(y.double().square().sum(dim=0).flip(0).cumsum(0).flip(0))
    fallen = [int((ahead < ahead[0] - level).int().argmax()) for level in (5, 25)]
    return 3 * (fallen[1] - fallen[0]) / RATE


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.2])
def test_a_room_rings_as_long_as_it_says(seconds: float) -> None:
    decays = {f"decay_{band}_s": seconds for band in ("low", "mid", "high")}
    y = rendered(Reverb(), click(2 * RATE), **decays, mix=1.0, damping_hz=18_000.0, low_cut_hz=20.0)
    assert decay_s(y) == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize(("band", "low_hz", "high_hz"), [("low", 60, 200), ("mid", 600, 2000), ("high", 5000, 15_000)])
def test_each_band_has_its_own_decay(band: str, low_hz: float, high_hz: float) -> None:
    others = {f"decay_{name}_s": 0.15 for name in ("low", "mid", "high")}
    tone = {"mix": 1.0, "damping_hz": 18_000.0, "low_cut_hz": 20.0}
    y = rendered(Reverb(), click(2 * RATE), **others | {f"decay_{band}_s": 1.0}, **tone)
    sos = scipy.signal.butter(4, [low_hz, high_hz], "bandpass", fs=RATE, output="sos")
    assert decay_s(torch.from_numpy(scipy.signal.sosfilt(sos, y.numpy()).copy())) == pytest.approx(1.0, rel=0.2)


def rooms(count: int) -> dict[str, Tensor]:
    """Every corner of the three decays, and rooms in between, all wet."""
    corners = [[(corner >> band) & 1 for band in range(3)] for corner in range(8)]
    inside = torch.rand(count, 3, generator=torch.Generator().manual_seed(6)).tolist()
    theta = torch.tensor([[*place, 0.3, 1.0, 0.0, 1.0] for place in [*corners, *inside]])
    return {param.name: param.from_unit(theta[:, i]) for i, param in enumerate(Reverb.params)}


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_prepared_reverb_is_the_same_reverb(rate: int) -> None:
    """The table of rooms is within -90 dB of the rooms themselves, whatever the decays."""
    p, n = rooms(8), 150_000
    direct, quick = (effect.response(p, n, rate) for effect in (Reverb(), Reverb().prepared(n, rate, CPU)))
    error = (quick - direct).abs().square().sum(dim=(1, 2)) / direct.abs().square().sum(dim=(1, 2))
    assert 0 < error.max() < 1e-9


def test_a_prepared_reverb_has_the_same_gradient() -> None:
    """Also at the ends of the range, where polynomials are worst."""
    n = 150_000
    p = {name: value.clone().requires_grad_(name.startswith("decay")) for name, value in rooms(2).items()}
    weight = torch.randn(10, 2, n, generator=torch.Generator().manual_seed(7))
    found = []
    for effect in (Reverb(), Reverb().prepared(n, RATE, CPU)):
        y = torch.fft.irfft(effect.response(p, n, RATE), n=n)
        decays = [value for value in p.values() if value.requires_grad]
        found.append(torch.stack(torch.autograd.grad((y * weight).sum(), decays)))
    torch.testing.assert_close(*found, rtol=1e-2, atol=1e-3 * found[0].abs().max().item())


def test_a_prepared_reverb_serves_other_lengths_and_precisions_too() -> None:
    prepared, p = Reverb().prepared(150_000, RATE, CPU), rooms(0)
    assert torch.equal(prepared.response(p, 100_000, RATE), Reverb().response(p, 100_000, RATE))
    double = {name: value.double() for name, value in p.items()}
    assert torch.equal(prepared.response(double, 150_000, RATE), Reverb().response(double, 150_000, RATE))


@pytest.mark.parametrize("effect", [Reverb, ConvolutionReverb])
def test_half_wet_keeps_the_level(effect: type[LinearEffect]) -> None:
    x = noise(4.0, seed=5)
    top = {param.name: param.high for param in effect.params if param.name in ("damping_hz", "high_cut_hz")}
    y = rendered(effect(), x, mix=0.5, low_cut_hz=20.0, **top)
    assert abs(decibels(y[:, RATE:].square().mean() / x[:, RATE:].square().mean())) < 1.0


@pytest.mark.parametrize("effect", [Reverb, ConvolutionReverb])
def test_pre_delay_moves_the_room_away(effect: type[LinearEffect]) -> None:
    near, far = (rendered(effect(), click(), mix=1.0, pre_delay_ms=ms) for ms in (0.0, 100.0))
    assert far[:, : 4410 - 100].abs().max() < 0.02 * far.abs().max()
    torch.testing.assert_close(far[:, 4410:], near[:, :-4410], atol=1e-4, rtol=0)


@pytest.mark.parametrize("effect", [Reverb, ConvolutionReverb])
def test_a_room_is_wide_and_survives_mono(effect: type[LinearEffect]) -> None:
    y = rendered(effect(), click(2 * RATE), mix=1.0)
    similarity = (y[0] * y[1]).sum() / (y[0].norm() * y[1].norm())
    assert 0.0 < similarity < 0.6


def test_a_shorter_decay_shortens_the_recording() -> None:
    full, half = (rendered(ConvolutionReverb(), click(3 * RATE), mix=1.0, decay=decay) for decay in (1.0, 0.5))
    assert decay_s(half) < 0.75 * decay_s(full)


def test_convolves_with_a_file_from_its_first_sound_on(tmp_path: Path) -> None:
    impulse = np.zeros((RATE // 2, 2), dtype=np.float32)
    impulse[1000] = 0.5
    impulse[1000 + 441, 0] = -0.25
    path = tmp_path / "room.wav"
    soundfile.write(path, impulse, RATE, subtype="FLOAT")
    y = rendered(ConvolutionReverb(str(path)), click(), mix=1.0, low_cut_hz=20.0, high_cut_hz=18_000.0)
    ratio = y[0, 441] / y[0, 0]
    assert ratio.item() == pytest.approx(-0.5, abs=0.05)
    assert y[1, 400:].abs().max() < 0.05 * y.abs().max()


def test_an_unusable_recording_is_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros((RATE, 2), dtype=np.float32), RATE)
    with pytest.raises(AudioError, match="silent"):
        ConvolutionReverb(str(path))
    with pytest.raises(MissingFileError):
        ConvolutionReverb(str(tmp_path / "nowhere.wav"))


# --- what they are made of


def test_blockwise_is_the_formula_and_its_derivative() -> None:
    generator = torch.Generator().manual_seed(0)
    length = 70_001
    small, long = torch.rand(3, 1, generator=generator).double(), torch.rand(3, length, generator=generator).double()
    scales = (small.clone().requires_grad_(), small.clone().requires_grad_())
    rows = (long.clone().requires_grad_(), long.clone().requires_grad_())
    times = torch.arange(length, dtype=torch.float64)
    blocks = blockwise(
        lambda inputs, part: torch.sin(inputs[1] * times[part]) * inputs[0], [scales[0]], length, along=[rows[0]]
    )
    whole = torch.sin(scales[1] * times) * rows[1]
    torch.testing.assert_close(blocks, whole)
    weight = torch.cos(times)
    ours = torch.autograd.grad((blocks * weight).sum(), [scales[0], rows[0]])
    theirs = torch.autograd.grad((whole * weight).sum(), [scales[1], rows[1]])
    torch.testing.assert_close(ours, theirs)


def test_a_formula_is_combined_and_scaled_as_its_tensor_is() -> None:
    generator = torch.Generator().manual_seed(0)
    length = 70_001
    slope, gain, x, weight = (
        torch.rand(size, generator=generator, dtype=torch.float64).requires_grad_()
        for size in ((3, 1), (3, 1), (1, length), (3, length))
    )
    times = torch.linspace(0, 3, length, dtype=torch.float64)
    formula = Formula(lambda inputs, part: torch.sin(inputs[0] * times[part]), [slope], length, size=4096)
    blocks, whole = formula.scaled(gain).combined(torch.mul, x), torch.sin(slope * times) * gain * x
    torch.testing.assert_close(blocks, whole)
    torch.testing.assert_close(formula.scaled(gain).whole(), torch.sin(slope * times) * gain)
    ours, theirs = (torch.autograd.grad((y * weight).sum(), [slope, gain, x]) for y in (blocks, whole))
    torch.testing.assert_close(ours, theirs)


def test_a_formula_that_mixes_channels_is_scaled_row_by_row() -> None:
    small, gain = torch.rand(3, 2, 2, 1), torch.rand(3, 1, 1)
    bins = torch.linspace(0, 1, 50)
    formula = Formula(lambda inputs, part: inputs[0] + bins[part], [small], 50)
    torch.testing.assert_close(formula.scaled(gain).whole(), formula.whole() * gain[..., None])


def test_white_noise_has_a_flat_long_term_spectrum_at_its_level() -> None:
    spectrum = long_term_spectrum(noise(5.0), RATE, log_grid(100.0, 15_000.0, 3))
    assert (spectrum + 20).abs().max() < 1.0


def test_the_long_term_spectrum_finds_a_tone() -> None:
    t = torch.arange(RATE) / RATE
    grid = log_grid(50.0, 10_000.0, 6)
    spectrum = long_term_spectrum(torch.sin(2 * math.pi * 1000 * t).expand(2, -1), RATE, grid)
    assert grid[spectrum.argmax()].item() == pytest.approx(1000, rel=0.1)


@given(st.floats(-20, 20))
@settings(max_examples=10)
def test_balance_and_width_are_in_decibels(level_db: float) -> None:
    x, factor = noise(0.2), 10 ** (level_db / 20)
    assert balance_db(torch.stack([x[0], factor * x[0]])) == pytest.approx(level_db, abs=1e-3)
    mid, side = x[0], factor * x[0].flip(0)
    assert width_db(torch.stack([mid + side, mid - side])) == pytest.approx(level_db, abs=1e-3)


def test_ridge_gains_recover_gains_and_ignore_level() -> None:
    grid = torch.linspace(0, 1, 50, dtype=torch.float64)
    curves = torch.stack([torch.exp(-((grid - centre) / 0.1).square()) for centre in (0.2, 0.5, 0.8)])
    wanted = 3 * curves[0] - 20 * curves[2] + 7
    gains = ridge_gains(curves, wanted, ridge=1e-6)
    torch.testing.assert_close(gains, torch.tensor([3.0, 0.0, -20.0], dtype=torch.float64), atol=0.01, rtol=0)
