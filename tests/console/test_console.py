"""The console: sums, faders, channel counts, and never a clipped output."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import song
from stito.audio import to_stereo
from stito.console.preset import Preset, StripPreset
from stito.console.strips import (
    CEILING_DBTP,
    balance_faders,
    bounded_balance,
    loudness,
    mix_down,
    render_preset,
    render_strip,
)
from stito.dsp.loudness import true_peak_db
from stito.effects.chain_files import load_chain

RATE = 44_100


def noise(channels: int = 2, seconds: float = 1.0, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(channels, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


@settings(max_examples=15)
@given(db=st.floats(-30, 40), stems=st.integers(1, 3))
def test_outputs_never_pass_the_ceiling(db: float, stems: int) -> None:
    sources = {str(i): noise(seed=i) * 10 ** (db / 20) for i in range(stems)}
    rendered = mix_down({name: x.clone() for name, x in sources.items()}, RATE)
    assert float(true_peak_db(rendered.mix[None], RATE)[0]) <= CEILING_DBTP + 0.01
    assert rendered.output_gain_db <= 0
    assert torch.allclose(torch.stack(list(rendered.stems.values())).sum(0), rendered.mix, atol=1e-5)


def test_quiet_audio_is_left_alone() -> None:
    x = noise() * 0.1
    assert torch.equal(mix_down({"a": x.clone()}, RATE).mix, x)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_any_channel_count_comes_back_as_it_came(channels: int) -> None:
    chain = load_chain("gain | eq")
    x = noise(channels)
    out = render_strip(x, StripPreset.of(chain, chain.settings(chain.encode({"gain": {"gain_db": 6.0}}))), RATE)
    assert out.shape == x.shape
    assert torch.allclose(out, x * 10 ** (6 / 20), atol=1e-3)


def test_faders_reach_the_reference_balance() -> None:
    stems = {"a": noise(seconds=2), "b": noise(seconds=2, seed=1), "c": noise(seconds=2, seed=2)}
    have = {name: loudness(x, RATE) for name, x in stems.items()}
    faders = balance_faders(have, have, {"a": have["a"] + 6, "b": have["b"] - 2})
    assert faders["a"] == pytest.approx(6, abs=0.01)
    assert faders["b"] == pytest.approx(-2, abs=0.01)
    assert faders["c"] == pytest.approx(2, abs=0.01)


def test_silence_has_no_fader_to_move() -> None:
    levels = {"a": loudness(noise(), RATE), "silent": loudness(torch.zeros(2, RATE), RATE)}
    faders = balance_faders(levels, levels, {"a": -30.0, "silent": -20.0})
    assert faders["silent"] == pytest.approx(faders["a"])


def test_a_stem_without_a_counterpart_keeps_its_place_whatever_effects_did_to_the_others() -> None:
    before, target = {"vocals": -34.0, "drums": -36.0}, {"vocals": -14.0}
    for after in (-14.0, -20.0, -40.0):
        faders = balance_faders(before, {"vocals": after, "drums": -36.0}, target)
        assert after + faders["vocals"] == pytest.approx(-14)
        assert faders["drums"] == pytest.approx(20)


@pytest.mark.parametrize("channels", [4, 6])
def test_many_channels_are_as_loud_as_they_are_in_stereo(channels: int) -> None:
    x = noise(channels, seconds=2)
    assert loudness(x, RATE) == pytest.approx(loudness(to_stereo(x), RATE))


def test_a_wire_leaves_its_input_alone() -> None:
    mix = song("night", stems=("drums", "other"))
    kept = {name: x.clone() for name, x in mix.stems.items()}
    preset = Preset(stems=dict.fromkeys(mix.stems, StripPreset(chain=[], fader_db=-6.0)))
    first, second = (render_preset(mix, preset).mix for _ in range(2))
    assert torch.equal(first, second)
    assert all(torch.equal(x, kept[name]) for name, x in mix.stems.items())


def test_a_joint_search_may_not_lose_a_stem() -> None:
    before = {"a": -20.0, "b": -22.0, "c": -24.0}
    faders = bounded_balance(before, {"a": -20.0, "b": -52.0, "c": -21.0})
    assert faders["a"] == faders["c"] == 0
    assert faders["b"] == pytest.approx(24), "6 dB below the middle, not 30"


def test_what_is_bypassed_is_not_heard_wherever_its_knobs_stand() -> None:
    x = 0.1 * torch.randn(2, RATE // 4, generator=torch.Generator().manual_seed(3))
    chain = load_chain("eq | compressor | gain")
    settings = chain.settings(torch.full((chain.dim,), 0.8))
    without = render_strip(x, StripPreset.of(chain.bypassing({"eq", "compressor"}), settings), RATE)
    alone = load_chain("gain")
    assert torch.equal(without, alone.render_one(x, {"gain": settings["gain"]}, RATE))
    wire = StripPreset.of(chain, settings).bypassed()
    assert wire.is_wire
    assert torch.equal(render_strip(x, wire, RATE), x)
    assert wire.blend(0.5).is_wire, "a part of the way to a wire is a wire"
