"""Effects rendered by pedalboard: the contract, what each does to a signal, and that groups and scripts agree."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pedalboard
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stito.errors import AudioError
from stito.testing import check_effect, probe
from stito_effects.pedalboard_effects import base
from stito_effects.pedalboard_effects.base import PedalboardEffect, render_board
from stito_effects.pedalboard_effects.export import EFFECTS, script
from stito_effects.pedalboard_effects.stages import Blend, Plug

RATE = 44_100
FIVE = ("pedalboard_eq", "pedalboard_compressor", "pedalboard_distortion", "pedalboard_delay", "pedalboard_reverb")


def middle(name: str, place: float = 0.6) -> dict[str, float]:
    """Settings with every knob at the same place of its range."""
    return {param.name: param.from_unit(place) for param in EFFECTS[name].params}


def batched(*rows: dict[str, float]) -> dict[str, Tensor]:
    return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


def render(name: str, x: Tensor, **knobs: float) -> Tensor:
    """One candidate, neutral but for `knobs`: (1, 2, t)."""
    effect = EFFECTS[name]()
    return effect.process(x, batched(effect.neutral() | knobs), RATE)


def sine(hz: float, level_db: float, seconds: float = 0.5) -> Tensor:
    t = torch.arange(round(seconds * RATE)) / RATE
    return (10 ** (level_db / 20) * torch.sin(2 * torch.pi * hz * t)).expand(1, 2, -1).clone()


def impulse(at: int = 100, samples: int = 4_000, amplitude: float = 0.5) -> Tensor:
    x = torch.zeros(1, 2, samples)
    x[..., at] = amplitude
    return x


def gain_db(y: Tensor, x: Tensor) -> float:
    """Change of level in the second half, where the envelope has settled."""
    half = x.shape[-1] // 2
    return 20 * float(torch.log10(y[..., half:].std() / x[..., half:].std()))


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_every_effect_keeps_the_contract(name: str) -> None:
    check_effect(EFFECTS[name]())


@pytest.mark.parametrize("name", sorted(EFFECTS))
@settings(max_examples=8)
@given(data=st.data())
def test_anywhere_on_the_knobs_is_finite_and_repeatable(name: str, data: st.DataObject) -> None:
    effect = EFFECTS[name]()
    places = [data.draw(st.floats(0, 1), label=param.name) for param in effect.params]
    p = batched({param.name: param.from_unit(place) for param, place in zip(effect.params, places, strict=True)})
    x = probe(RATE, 0.05)
    y = effect.process(x, p, RATE)
    assert bool(torch.isfinite(y).all())
    assert torch.equal(y, effect.process(x, p, RATE))


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_nothing_comes_early_or_late(name: str) -> None:
    """An impulse through settings that let the direct sound pass keeps its place."""
    knobs = middle(name) | ({"mix": 0.3} if "mix" in middle(name) else {})
    y = EFFECTS[name]().process(impulse(), batched(knobs), RATE)
    assert y[..., :100].abs().max() == 0
    assert (y[..., 100] != 0).all()


def test_the_equaliser_boosts_where_it_is_told() -> None:
    for hz, expected in ((2_000.0, 12.0), (100.0, 0.0), (15_000.0, 0.0)):
        x = sine(hz, -20)
        boosted = render("pedalboard_eq", x, band3_gain_db=12, band3_hz=2_000, band3_q=2)
        assert gain_db(boosted, x) == pytest.approx(expected, abs=0.3)


def test_the_shelves_move_the_ends_of_the_spectrum() -> None:
    for band, inside, outside in (("low_shelf", 40.0, 8_000.0), ("high_shelf", 16_000.0, 200.0)):
        knobs = {f"{band}_gain_db": -12.0, f"{band}_hz": 1_000.0}
        assert gain_db(render("pedalboard_eq", sine(inside, -20), **knobs), sine(inside, -20)) < -11
        assert gain_db(render("pedalboard_eq", sine(outside, -20), **knobs), sine(outside, -20)) > -1


def test_the_compressor_keeps_its_ratio() -> None:
    """Well above the threshold, 12 dB more going in is 12/4 dB more coming out."""
    knobs = {"threshold_db": -40.0, "ratio": 4.0, "attack_ms": 0.1, "release_ms": 1_000.0}
    quiet, loud = (render("pedalboard_compressor", sine(1_000, level), **knobs) for level in (-18, -6))
    assert gain_db(loud, quiet) == pytest.approx(3.0, abs=0.2)
    soft = sine(1_000, -45)
    torch.testing.assert_close(render("pedalboard_compressor", soft, **knobs), soft)


@given(st.floats(-30, 0), st.floats(10, 1_000))
@settings(max_examples=20)
def test_nothing_passes_the_limiter(threshold_db: float, release_ms: float) -> None:
    x = 2.0 * probe(RATE, 0.1)
    y = render("pedalboard_limiter", x, threshold_db=threshold_db, release_ms=release_ms)
    assert y.abs().max() <= 10 ** (threshold_db / 20) * (1 + 1e-5)


def test_the_open_limiter_leaves_full_scale_alone() -> None:
    x = probe(RATE, 0.2)
    x = x / x.abs().max()
    assert torch.equal(render("pedalboard_limiter", x), x)


def test_the_gate_closes_on_what_is_quiet() -> None:
    knobs = {"threshold_db": -40.0, "ratio": 10.0}
    assert gain_db(render("pedalboard_gate", sine(1_000, -60), **knobs), sine(1_000, -60)) < -40
    assert gain_db(render("pedalboard_gate", sine(1_000, -20), **knobs), sine(1_000, -20)) > -0.1


def test_the_distortion_is_tanh_beside_the_clean_signal() -> None:
    x = sine(200, -6, 0.05)
    y = render("pedalboard_distortion", x, drive_db=12, output_db=-6, mix=0.3)
    wet = 10 ** (-6 / 20) * torch.tanh(x * 10 ** (12 / 20))
    torch.testing.assert_close(y, 0.7 * x + 0.3 * wet, atol=1e-6, rtol=1e-5)


def test_the_delay_repeats_on_time() -> None:
    y = render("pedalboard_delay", impulse(at=0, samples=10_000), delay_ms=50, feedback=0.5, mix=0.4)
    expected = torch.zeros(10_000)
    expected[0], expected[2_205:10_000:2_205] = 0.3, 0.2 * 0.5 ** torch.arange(4)
    torch.testing.assert_close(y[0, 0], expected)


def test_a_larger_room_rings_longer() -> None:
    def tail(room_size: float) -> Tensor:
        return render("pedalboard_reverb", impulse(samples=RATE), room_size=room_size, mix=0.5)[..., RATE // 2 :].std()

    assert tail(0.9) > 3 * tail(0.2)


@pytest.mark.parametrize("name", ["pedalboard_chorus", "pedalboard_phaser"])
def test_modulation_moves(name: str) -> None:
    """A steady tone comes out with an envelope that is not steady."""
    y = render(name, sine(1_000, -12, 2.0), rate_hz=2, depth=0.8, mix=0.5)
    envelope = y[0, 0, RATE:].reshape(-1, 441).square().mean(dim=1).sqrt()
    assert envelope.max() > 1.1 * envelope.min()


def test_a_group_is_its_effects_one_after_another() -> None:
    x = probe(RATE, 0.2)
    steps = [(EFFECTS[name](), batched(middle(name, 0.4), middle(name, 0.7))) for name in FIVE]
    expected = x
    for effect, p in steps:
        expected = effect.process(expected, p, RATE)
    fused = PedalboardEffect.process_group(steps, x, RATE)
    assert fused.shape == (2, 2, x.shape[-1])
    torch.testing.assert_close(fused, expected, atol=1e-6, rtol=1e-5)


def test_a_shared_setting_serves_every_row() -> None:
    x = torch.cat([probe(RATE, 0.1), 0.5 * probe(RATE, 0.1)])
    y = EFFECTS["pedalboard_gain"]().process(x, {"gain_db": torch.tensor([6.0])}, RATE)
    torch.testing.assert_close(y, x * 10 ** (6 / 20))


@pytest.mark.usefixtures("two_threads")
def test_threads_change_nothing() -> None:
    x = probe(RATE, 0.2)
    rows = [middle(FIVE[0], place) for place in (0.2, 0.4, 0.6, 0.8)]
    together = EFFECTS[FIVE[0]]().process(x, batched(*rows), RATE)
    alone = [EFFECTS[FIVE[0]]().process(x, batched(row), RATE) for row in rows]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_long_audio_joins_without_a_seam(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, p = probe(RATE, 0.3), batched(middle(name))
    whole = EFFECTS[name]().process(x, p, RATE)
    monkeypatch.setattr(base, "BLOCK", 1_000)
    torch.testing.assert_close(EFFECTS[name]().process(x, p, RATE), whole, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 2, 3])
def test_the_shortest_audio_renders(samples: int) -> None:
    x = probe(RATE, 0.01)[..., :samples]
    torch.testing.assert_close(render("pedalboard_gain", x, gain_db=6), x * 10 ** (6 / 20))


def test_gradients_and_doubles_stop_at_the_border() -> None:
    x = probe(RATE, 0.05).double().requires_grad_()
    y = render("pedalboard_gain", x, gain_db=6)
    assert y.dtype == torch.float64
    assert not y.requires_grad


def test_boards_and_audio_must_agree() -> None:
    with pytest.raises(AudioError, match="2 boards") as caught:
        render_board(torch.zeros(3, 2, 10), [list, list], RATE)
    assert caught.value.hint is not None


def test_a_stage_writes_the_plug_in_that_it_builds() -> None:
    x = np.random.default_rng(0).uniform(-0.9, 0.9, (2, 1_000)).astype(np.float32)
    for mix in (0.0, 0.123456789, 1.0):
        stage = Blend([Plug(pedalboard.Distortion, {"drive_db": 100 / 7})], mix)
        written = eval(stage.source(), {"pedalboard": pedalboard})
        np.testing.assert_array_equal(written.process(x, RATE), stage.build().process(x, RATE))


def run_script(folder: Path, output: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", *(str(folder / name) for name in ("apply.py", "in.wav", output))]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_script_renders_what_we_render(tmp_path: Path) -> None:
    x = probe(RATE, 0.5)
    soundfile.write(tmp_path / "in.wav", x[0].T.numpy(), RATE, subtype="FLOAT")
    ours = PedalboardEffect.process_group([(EFFECTS[name](), batched(middle(name))) for name in EFFECTS], x, RATE)
    text = script([(name, middle(name)) for name in EFFECTS])
    assert text is not None
    assert "stito" not in text
    (tmp_path / "apply.py").write_text(text, encoding="utf-8")
    assert run_script(tmp_path, "out.wav").returncode == 0
    theirs, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == RATE
    assert float((torch.from_numpy(theirs.T) - ours[0]).abs().max()) < 10 ** (-90 / 20)


def test_the_script_makes_mono_stereo_and_refuses_what_would_clip(tmp_path: Path) -> None:
    mono = sine(300, -6, 0.05)[0, 0]
    soundfile.write(tmp_path / "in.wav", mono.numpy(), RATE, subtype="FLOAT")
    (tmp_path / "apply.py").write_text(script([("pedalboard_gain", {"gain_db": 20.0})]) or "", encoding="utf-8")
    assert run_script(tmp_path, "out.wav").returncode == 0
    louder, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    torch.testing.assert_close(torch.from_numpy(louder.T), (10 * mono).expand(2, -1), atol=1e-6, rtol=1e-5)
    refused = run_script(tmp_path, "out.flac")
    assert refused.returncode == 2
    assert ".wav" in refused.stderr


def test_all_effects_share_one_exporter() -> None:
    steps = [(name, middle(name)) for name in FIVE]
    assert {EFFECTS[name].script.__func__ for name in FIVE} == {PedalboardEffect.script.__func__}
    assert PedalboardEffect.script(steps) == script(steps)


def test_no_script_for_effects_of_another_kind() -> None:
    assert script([("pedalboard_gain", {"gain_db": 1.0}), ("somebody_elses", {})]) is None
