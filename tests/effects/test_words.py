"""Every effect says what it does as an engineer would, and nothing where it does nothing."""

from __future__ import annotations

import re

import pytest
import torch

from stito import registry
from stito.dsp.reduction import GainReduction, gain_reduction
from stito.effects.devices import Band, Compressor, Equalizer, Limiter
from stito.effects.effect import Effect

RATE = 44_100
EFFECTS = registry.names("effect")


def said(name: str, reduction: GainReduction | None = None, **settings: float) -> list[str]:
    effect: type[Effect] = registry.load("effect", name)
    moves = effect.describe(effect.neutral() | settings, reduction)
    return [move.text for move in sorted(moves, key=lambda move: -move.size_db)]


@pytest.mark.parametrize("name", EFFECTS)
def test_neutral_settings_need_no_word(name: str) -> None:
    assert said(name) == []


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("place", [0.0, 0.25, 0.9, 1.0])
def test_sentences_are_whole_and_short_wherever_the_knobs_stand(name: str, place: float) -> None:
    effect: type[Effect] = registry.load("effect", name)
    sentences = said(name, **{param.name: param.from_unit(place) for param in effect.params})
    assert len(sentences) <= 4
    assert all(re.fullmatch(r"[A-Z].{5,120}\.", sentence) for sentence in sentences)
    assert not any(word in sentence for sentence in sentences for word in ("_", "nan", "e+", "e-0"))


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_has_words_for_what_it_does(name: str) -> None:
    effect: type[Effect] = registry.load("effect", name)
    assert any(said(name, **{param.name: param.from_unit(place) for param in effect.params}) for place in (0.25, 0.9))


def test_the_words_are_those_of_the_trade() -> None:
    cut = {"mid_gain_db": -9.0, "mid_hz": 1718.0, "mid_q": 0.5, "low_gain_db": 2.0, "low_hz": 90.0}
    assert said("eq", **cut) == ["Cut 9 dB around 1.7 kHz, wide.", "Boost 2 dB below 90 Hz."]
    knobs = {"threshold_db": -24.0, "ratio": 2.0, "attack_ms": 30.0, "release_ms": 150.0}
    assert said("compressor", **knobs) == ["Compress gently: 2:1 from -24 dB, 30 ms attack, 150 ms release."]
    assert said("compressor", GainReduction(3.1, 6.0), **knobs) == [
        "Compress gently: 2:1 from -24 dB, 30 ms attack, 150 ms release, about 3 dB of gain reduction."
    ]
    assert said("reverb", mix=0.14, decay_mid_s=0.6) == ["A room of .6 s at 14 %."]
    assert said("imager", width=0.0) == ["Make it mono."]
    assert said("panner", pan=-0.4) == ["Pan 40 % to the left."]
    assert said("gain", gain_db=-3.5) == ["Turn it down 3.5 dB."]


def test_ours_and_those_of_pedalboard_say_the_same_of_the_same_settings() -> None:
    knobs = {"threshold_db": -20.5, "ratio": 4.0, "attack_ms": 5.0, "release_ms": 80.0}
    assert said("compressor", **knobs) == said("pedalboard_compressor", **knobs)
    assert said("gain", gain_db=4.0) == said("pedalboard_gain", gain_db=4.0)


def test_a_compressor_that_the_sound_never_reaches_needs_no_word() -> None:
    assert said("compressor", GainReduction(0.05, 0.2), threshold_db=-3.0, ratio=8.0) == []
    assert said("limiter", GainReduction(0.0, 0.0), threshold_db=-3.0) == []


def test_the_largest_bands_come_first_and_small_ones_are_left_out() -> None:
    bands = [Band("bell", 100.0 * 2**octave, 0.7, gain) for octave, gain in enumerate((1.0, -6.0, 0.4, 3.0, 2.0, 5.0))]
    sizes = [move.size_db for move in Equalizer(tuple(bands)).moves()]
    assert len(sizes) == 4
    assert sizes == sorted(sizes, reverse=True)


def test_an_effect_of_others_is_told_by_its_name_and_its_knobs() -> None:
    assert said("pedalboard_chorus", mix=0.4, rate_hz=3.0) == ["Pedalboard chorus: rate 3 Hz, mix .4."]
    assert said("pedalboard_chorus", rate_hz=3.0) == [], "without an amount its other knobs change nothing"


def test_hard_and_gentle_are_ratios() -> None:
    first = [Compressor(-20.0, ratio, 10.0, 100.0).moves()[0].text.split(":")[0] for ratio in (2.0, 4.0, 8.0)]
    assert first == ["Compress gently", "Compress firmly", "Compress hard"]
    assert Limiter(-3.0, 100.0).moves()[0].text == "Limit at -3 dB."


class TestGainReduction:
    def test_a_gain_is_its_own_reduction(self) -> None:
        x = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
        found = gain_reduction(x, x * 10 ** (-6 / 20), RATE)
        assert found.mean_db == pytest.approx(6, abs=1e-3)
        assert found.most_db == pytest.approx(6, abs=1e-3)

    def test_loud_passages_count_most(self) -> None:
        """The needle is read where the music is."""
        x = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
        x[:, : RATE // 2] *= 0.05
        y = x.clone()
        y[:, RATE // 2 :] *= 0.5
        assert gain_reduction(x, y, RATE).mean_db == pytest.approx(6, abs=0.1)

    def test_silence_and_what_gets_louder_are_not_turned_down(self) -> None:
        silence = torch.zeros(2, RATE)
        assert gain_reduction(silence, silence, RATE) == GainReduction(0.0, 0.0)
        x = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
        assert gain_reduction(x, 2 * x, RATE) == GainReduction(0.0, 0.0)

    def test_a_compressor_of_2_to_1_takes_half_of_what_is_above_its_threshold(self) -> None:
        effect = registry.load("effect", "compressor")()
        tone = torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE)[None, None].expand(1, 2, -1)
        settings = effect.neutral() | {"threshold_db": -24.0, "ratio": 2.0, "knee_db": 0.0}
        made = effect.process(tone, {name: torch.tensor([value]) for name, value in settings.items()}, RATE)
        assert gain_reduction(tone[0], made[0], RATE).mean_db == pytest.approx(12, abs=0.5)
