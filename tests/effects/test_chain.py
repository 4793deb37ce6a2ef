"""Chains: theta and settings, fused rendering, chain files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stito import registry
from stito.console.strips import loudness
from stito.dsp import spectrum
from stito.effects.chain import Chain
from stito.effects.chain_files import load_chain, parse_chain
from stito.errors import ChainError, MissingFileError, SettingsError, UnknownNameError

RATE = 44_100
CHAINS = ["mixing", "mastering", "pedalboard", "vocal"]


def noise(seed: int = 0, samples: int = RATE // 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.2 * torch.randn(2, samples, generator=generator)


@pytest.mark.parametrize("name", CHAINS)
def test_shipped_chains_do_nothing_at_neutral(name: str) -> None:
    chain, x = load_chain(name), noise()
    assert torch.allclose(chain.render_one(x, chain.neutral(), RATE), x, atol=2e-4)


@pytest.mark.parametrize("name", CHAINS)
@settings(max_examples=20)
@given(data=st.data())
def test_theta_to_settings_and_back(name: str, data: st.DataObject) -> None:
    chain = load_chain(name)
    theta = torch.tensor(data.draw(st.lists(st.floats(0, 1), min_size=chain.dim, max_size=chain.dim)))
    assert torch.allclose(chain.encode(chain.settings(theta)), theta, atol=1e-4)


@pytest.mark.parametrize(
    "text", ["eq | panner | compressor | imager | reverb | gain", "eq | gain", "reverb | delay | eq"]
)
def test_fused_rendering_equals_one_effect_after_the_other(text: str) -> None:
    chain = load_chain(text)
    x, generator = noise(), torch.Generator().manual_seed(1)
    theta = torch.rand(3, chain.dim, generator=generator)
    values = chain.decode(theta)
    one_by_one = x[None]
    for slot in chain.slots:
        one_by_one = slot.effect.process(one_by_one, values[slot.label], RATE)
    prepared = chain.prepare(x, RATE).render(theta)
    assert torch.allclose(prepared, one_by_one, atol=1e-4)
    assert torch.allclose(chain.render(x[None], values, RATE), one_by_one, atol=1e-4)


def test_a_row_of_a_batch_equals_that_row_alone() -> None:
    chain = load_chain("mixing")
    prepared = chain.prepare(noise(), RATE)
    theta = torch.rand(4, chain.dim, generator=torch.Generator().manual_seed(2))
    batch = prepared.render(theta)
    for row in range(4):
        assert torch.allclose(batch[row], prepared.render(theta[row : row + 1])[0], atol=1e-5)


def test_candidates_are_what_is_rendered_in_the_end() -> None:
    """What a search hears, with its tables, is within -90 dB of the rendering."""
    chain, x = load_chain("mixing"), noise()
    theta = torch.rand(3, chain.dim, generator=torch.Generator().manual_seed(5))
    heard, final = chain.prepare(x, RATE).render(theta), chain.render(x[None], chain.decode(theta), RATE)
    assert 10 * torch.log10((heard - final).square().sum() / final.square().sum()) < -90


@pytest.mark.parametrize("text", ["eq | imager | reverb | gain", "convolution_reverb", "imager | gain"])
def test_long_audio_is_filtered_in_blocks_with_the_same_result(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    chain, x = load_chain(text), noise(samples=3 * RATE)
    theta = torch.rand(chain.dim, generator=torch.Generator().manual_seed(3))
    whole = chain.render_one(x, chain.settings(theta), RATE)
    monkeypatch.setattr(spectrum, "BLOCK", RATE)
    blocks = chain.render_one(x, chain.settings(theta), RATE)
    assert 20 * torch.log10((whole - blocks).abs().max()) < -90


def test_frozen_knobs_leave_theta_and_narrowed_ones_stay_inside() -> None:
    text = '[[effects]]\neffect = "compressor"\nfreeze = { link = 0.5 }\nnarrow = { ratio = [2, 4] }\n'
    chain = parse_chain(text, source="c.toml", name="c")
    assert "compressor.link" not in [str(knob) for knob in chain.knobs]
    for place in (0.0, 1.0):
        found = chain.settings(torch.full((chain.dim,), place))["compressor"]
        assert found["link"] == 0.5
        assert 2 <= found["ratio"] <= 4


def test_blend_goes_from_neutral_to_the_settings() -> None:
    chain = load_chain("eq | gain")
    full = chain.settings(torch.rand(chain.dim, generator=torch.Generator().manual_seed(4)))
    assert chain.blend(full, 0.0)["gain"]["gain_db"] == pytest.approx(0, abs=1e-5)
    assert chain.blend(full, 1.0)["gain"]["gain_db"] == pytest.approx(full["gain"]["gain_db"], abs=1e-3)
    assert chain.blend(full, 0.5)["gain"]["gain_db"] == pytest.approx(full["gain"]["gain_db"] / 2, abs=1e-3)


def test_text_chains_label_repeated_effects() -> None:
    assert [slot.label for slot in load_chain("gain | eq | gain").slots] == ["gain", "eq", "gain_2"]


def test_what_stands_behind_a_colon_is_the_effects_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("hall.wav", noise(samples=RATE).T.numpy(), RATE)
    (eq, room) = load_chain("eq | convolution_reverb:hall.wav").slots
    assert (eq.options, room.label, room.options) == ({}, "convolution_reverb", {"ir": str(tmp_path / "hall.wav")})


def test_repeated_labels_are_refused() -> None:
    slot = load_chain("gain").slots[0]
    with pytest.raises(ChainError, match="labelled gain"):
        Chain("twice", (slot, slot))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[effects]]\neffect = "eq"\n[[effects]]\neffect = "compresor"\n', r"c\.toml, line 4: Unknown effect"),
        ('[[effects]]\neffect = "gain"\nfreeze = { gian_db = 1 }\n', r"c\.toml, line 3: Unknown param of gain"),
        ('[[effects]]\neffect = "gain"\nfreeze = { gain_db = 99 }\n', r"c\.toml, line 3: gain_db = 99 is outside"),
        ('[[effects]]\neffect = "gain"\nnarrow = { gain_db = [1] }\n', r"c\.toml, line 3"),
        ('[[effects]]\neffekt = "gain"\n', r"c\.toml, line"),
        ("effects = []\n", r"c\.toml, line 1"),
        ('[[effects]]\neffect = "gain"\n[prior]\n"gain.gian_db" = [0.5, 0.1]\n', r"c\.toml, line 4: prior"),
        ('[[effects]]\neffect = "gain"\noptions = { colour = 1 }\n', r"c\.toml, line 2"),
    ],
)
def test_a_bad_chain_file_names_file_and_line(text: str, message: str) -> None:
    with pytest.raises(ChainError, match=message):
        parse_chain(text, source="c.toml", name="c")


def test_chains_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        load_chain(tmp_path / "none.toml")
    with pytest.raises(UnknownNameError) as caught:
        load_chain("mixin")
    assert "mixing" in (caught.value.hint or "")
    with pytest.raises(ChainError, match="empty place"):
        load_chain("eq | | gain")


def test_theta_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(SettingsError, match="theta must be"):
        load_chain("gain").decode(torch.zeros(1, 7))


def test_every_registered_chain_loads() -> None:
    for name in registry.names("chain"):
        assert load_chain(name).dim > 0


def test_the_closed_form_guess_comes_nearer() -> None:
    """What was turned down, darkened and panned is brought most of the way back."""
    chain, x = load_chain("eq | panner | gain"), noise(samples=2 * RATE)
    hidden = chain.encode({"eq": {"high_gain_db": -9.0}, "panner": {"pan": 0.4}, "gain": {"gain_db": -8.0}})
    reference = chain.render_one(noise(seed=9, samples=2 * RATE), chain.settings(hidden), RATE)
    guess = chain.initial_settings(x, reference, RATE)
    assert guess["gain"]["gain_db"] == pytest.approx(-8, abs=1.5)
    assert guess["panner"]["pan"] == pytest.approx(0.4, abs=0.1)
    assert guess["eq"]["high_gain_db"] < -4


def test_a_closed_form_renders_no_more_than_it_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does nothing, and what nobody listens to, is not rendered; the settings are those of one after the other."""
    chain = load_chain("eq | saturation | gain | limiter")
    x, reference = noise(samples=2 * RATE), 0.3 * noise(seed=9, samples=2 * RATE)
    toned = load_chain("eq").initial_settings(x, reference, RATE)
    after = load_chain("eq").render_one(x, toned, RATE)
    expected = toned | load_chain("gain").initial_settings(after, reference, RATE)

    def refuse(*args: object) -> Tensor:
        raise AssertionError("rendered")

    for label in ("saturation", "limiter"):
        (effect,) = (slot.effect for slot in chain.slots if slot.label == label)
        monkeypatch.setattr(type(effect), "process", refuse)
    found = chain.initial_settings(x, reference, RATE)
    for label, values in expected.items():
        assert found[label] == pytest.approx(values, abs=1e-3)


def test_a_correction_goes_the_share_of_the_way_that_is_asked_for() -> None:
    chain, x = load_chain("imager | gain"), noise(samples=2 * RATE)
    reference = 0.25 * chain.render_one(
        noise(seed=9, samples=2 * RATE), chain.neutral() | {"imager": {"width": 0.4}}, RATE
    )
    here = {"imager": {"width": 1.0}, "gain": {"gain_db": 0.0}}
    half = chain.correct(here, x, reference, RATE, {"imager": 0.5})
    assert half["imager"]["width"] == pytest.approx(0.7, abs=0.05)
    assert half["gain"] == here["gain"]
    whole = chain.correct(here, x, reference, RATE, {"imager": 1.0, "gain": 1.0})
    assert whole["imager"]["width"] == pytest.approx(0.4, abs=0.05)
    made = chain.render_one(x, whole, RATE)
    assert loudness(made, RATE) == pytest.approx(loudness(reference, RATE), abs=0.1)
    assert here == {"imager": {"width": 1.0}, "gain": {"gain_db": 0.0}}


def test_a_correction_renders_only_what_comes_behind_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, x = load_chain("eq | compressor | imager | gain"), noise(samples=2 * RATE)
    (compressor,) = (type(slot.effect) for slot in chain.slots if slot.label == "compressor")
    process, rendered = compressor.process, []

    def counted(*args: Any) -> Tensor:
        rendered.append(1)
        return process(*args)

    monkeypatch.setattr(compressor, "process", counted)
    shares = {"eq": 0.6, "imager": 1.0, "gain": 1.0}
    corrected = chain.correct(chain.neutral(), x, 0.3 * noise(seed=9, samples=2 * RATE), RATE, shares)
    assert len(rendered) == 2
    one_by_one = chain.neutral()
    for label, share in shares.items():
        one_by_one = chain.correct(one_by_one, x, 0.3 * noise(seed=9, samples=2 * RATE), RATE, {label: share})
    assert corrected == one_by_one


def test_a_correction_turns_no_frozen_knob_and_leaves_no_range() -> None:
    text = """
        name = "mine"
        [[effects]]
        effect = "imager"
        freeze = { width = 0.9 }
        [[effects]]
        effect = "gain"
        narrow = { gain_db = [-3.0, 3.0] }"""
    chain, x = parse_chain(text, source="mine.toml", name="mine"), noise(samples=2 * RATE)
    found = chain.correct(chain.neutral(), x, 0.1 * x.mean(0).expand(2, -1), RATE, {"imager": 1.0, "gain": 1.0})
    assert found["imager"]["width"] == 0.9
    assert found["gain"]["gain_db"] == pytest.approx(-3)


@pytest.mark.parametrize("text", ["reverb | gain", "eq | compressor | delay | reverb"])
def test_a_wrapped_excerpt_is_one_that_was_played_before(text: str) -> None:
    """What rings on from the excerpt's end is at its beginning; an effect with a memory of its own begins anew."""
    chain, samples = load_chain(text), 1 << 18
    x = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(0))
    theta = torch.full((2, chain.dim), 0.4)
    if "compressor" in text:  # at rest
        theta[:, [str(knob) for knob in chain.knobs].index("compressor.threshold_db")] = 1.0
    wrapped = chain.prepare(x, 44_100, wrapped=True).render(theta)
    played = chain.prepare(x.repeat(1, 3), 44_100).render(theta)[..., -samples:]
    assert (wrapped - played).square().mean() < 1e-6 * played.square().mean()
    plain = chain.prepare(x, 44_100).render(theta)
    assert (plain - played).square().mean() > 1e-4 * played.square().mean()


def test_a_wrapped_excerpt_may_be_shorter_than_what_rings() -> None:
    chain = load_chain("reverb | gain")
    x = 0.1 * torch.randn(2, 11_025, generator=torch.Generator().manual_seed(0))
    theta = torch.full((1, chain.dim), 0.5)
    wrapped, plain = (chain.prepare(x, 44_100, wrapped=wrapped).render(theta) for wrapped in (True, False))
    assert (wrapped - plain).square().mean() < 1e-2 * plain.square().mean()
