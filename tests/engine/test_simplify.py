"""Settings that an engineer would write down: few moves, level in the gain, what does nothing bypassed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from conftest import song
from stito import Mix, transfer
from stito.effects.chain import Chain, ChainSettings
from stito.effects.chain_files import load_chain
from stito.effects.param import Param
from stito.engine import pruning, simplify
from stito.engine.elimination import elimination_path
from stito.engine.equivalence import fewer_bands
from stito.engine.pruning import INAUDIBLE_DB, Strip
from stito.errors import SettingsError
from stito.search import Budget

RATE = 44_100
QUICK = {"excerpt_seconds": 1.5, "excerpt_count": 1, "encoder": "features"}


def excerpts(stem: str) -> list[Tensor]:
    return [song("night", stems=(stem,)).stems[stem][:, : 2 * RATE]]


def jittered(chain_name: str, truth: dict[str, dict[str, float]], seed: int = 0) -> Strip:
    """A strip as a search leaves it: what matters, and every knob a little off."""
    chain = load_chain(chain_name)
    noise = 0.03 * torch.randn(chain.dim, generator=torch.Generator().manual_seed(seed))
    return Strip(chain, chain.settings((chain.encode(truth) + noise).clamp(0, 1)), excerpts("vocals"), RATE)


TWO = {"eq": {"mid_gain_db": -9.0, "mid_hz": 1700.0}, "compressor": {"threshold_db": -30.0, "ratio": 4.0}}


def test_a_chain_whose_truth_moves_two_effects_comes_back_with_a_few() -> None:
    strip = jittered("eq | compressor | panner | imager | gain", TWO)
    settings = strip.simplified(0.15)
    playing = [slot.label for slot in strip.playing(settings).slots if not slot.bypass]
    assert {"eq", "compressor"} <= set(playing)
    assert "panner" not in playing
    assert "imager" not in playing
    neutral = strip.chain.neutral()
    moves = [
        (label, knob) for label, knobs in settings.items() for knob in knobs if knobs[knob] != neutral[label][knob]
    ]
    assert len(moves) <= 6
    assert settings["eq"]["mid_gain_db"] == pytest.approx(-9.0, abs=1.5)


def test_what_was_rendered_is_not_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    strip = jittered("eq | gain", {"eq": TWO["eq"]})
    first = strip.simplified(0.15)
    monkeypatch.delattr(pruning, "each_row")
    monkeypatch.delattr(pruning, "fewer_bands")
    assert strip.simplified(0.15) == first


@pytest.mark.parametrize("tolerance", [0.02, 0.1, 0.3])
def test_the_rendering_stays_within_the_tolerance(tolerance: float) -> None:
    strip = jittered("eq | compressor | panner | imager | gain", TWO)
    chain, x = strip.chain, excerpts("vocals")[0]

    def amplitudes(settings: dict[str, dict[str, float]], level_db: float = 0.0) -> Tensor:
        y = chain.render_one(x, settings, RATE)
        y = y * (10 ** (level_db / 20) / y.square().mean().sqrt())
        return torch.stft(y, 2048, 1024, window=torch.hann_window(2048), return_complex=True).abs().pow(0.8)

    full = amplitudes(strip.full)
    moved, allowed, inaudible = (
        float((other - full).abs().mean())
        for other in (
            amplitudes(strip.simplified(tolerance)),
            amplitudes(chain.neutral()),
            amplitudes(strip.full, INAUDIBLE_DB),
        )
    )
    # measured otherwise than where it was decided, so not to the last per cent
    assert moved < 1.3 * max(tolerance * allowed, inaudible)


def test_level_that_an_equaliser_makes_belongs_to_the_gain() -> None:
    chain = load_chain("eq | compressor | gain")
    gains = dict.fromkeys(("low_gain_db", "low_mid_gain_db", "high_mid_gain_db", "high_gain_db"), 8.0)
    truth = {"eq": {**gains, "mid_gain_db": 6.0}, "gain": {"gain_db": -9.0}}
    full = chain.settings(chain.encode(truth))
    settings = Strip(chain, full, excerpts("vocals"), RATE).simplified(0.15)
    bands = [value for knob, value in settings["eq"].items() if knob.endswith("gain_db")]
    assert not (min(bands) > 0 > settings["gain"]["gain_db"])
    assert sum(map(abs, bands)) < 0.7 * sum(abs(gain) for gain in (*gains.values(), 6.0))
    assert settings["gain"]["gain_db"] > -6.0


def test_an_equaliser_and_the_gain_behind_it_do_not_fight() -> None:
    chain = load_chain("eq | gain")
    up = dict.fromkeys(("low_gain_db", "low_mid_gain_db", "high_mid_gain_db", "high_gain_db"), 9.0)
    full = chain.settings(chain.encode({"eq": up, "gain": {"gain_db": -12.0}}))
    x = torch.randn(2, 2 * RATE, generator=torch.Generator().manual_seed(0))
    settings = Strip(chain, full, [x], RATE).simplified(0.3)
    bands = [value for knob, value in settings["eq"].items() if knob.endswith("gain_db")]
    assert settings["gain"]["gain_db"] > -5.0
    assert min(bands) < -3.0, "a cut where four were boosted"
    assert sum(map(abs, bands)) < 12.0


def test_what_does_not_fight_may_take_more_than_the_tolerance_and_not_any_amount() -> None:
    sane = [False, True, True]
    assert pruning._fewest([0.5, 0.9, 0.8], sane, allowed=1.0, reach=2.0) == 1, "the fewest bands that are allowed"
    assert pruning._fewest([0.5, 1.9, 1.8], sane, allowed=1.0, reach=2.0) == 2, "the closest within reach"
    assert pruning._fewest([0.5, 1.9, 1.8], sane, allowed=1.0, reach=1.0) == 0, "what is allowed, though it fights"
    assert pruning._fewest([1.5, 2.5, 2.1], sane, allowed=1.0, reach=2.0) is None


@pytest.mark.slow
def test_no_equaliser_goes_one_way_and_the_gain_the_other() -> None:
    chain, x = load_chain("eq | gain"), excerpts("vocals")
    gains = [name for name in chain.neutral()["eq"] if name.endswith("gain_db")]
    for seed in range(40):
        drawn = torch.rand(chain.dim, generator=torch.Generator().manual_seed(seed))
        full, way = chain.settings(drawn), (-1) ** seed
        full["eq"] |= {name: way * (1 + abs(full["eq"][name])) for name in gains}
        full["gain"]["gain_db"] = -way * (3 + abs(full["gain"]["gain_db"]) / 2)
        settings = Strip(chain, chain.settings(chain.encode(full)), x, RATE).simplified(0.2)
        bands = [settings["eq"][name] for name in gains]
        assert not min(bands) > 0 > settings["gain"]["gain_db"], seed
        assert not max(bands) < 0 < settings["gain"]["gain_db"], seed


def test_boosts_with_less_gain_are_cuts_with_more() -> None:
    (slot,) = load_chain("eq").slots
    up = dict.fromkeys(("low_gain_db", "low_mid_gain_db", "high_mid_gain_db", "high_gain_db"), 9.0)
    x = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    found = fewer_bands(slot, {**slot.neutral(), **up, "mid_gain_db": 1.0}, x, RATE)
    gains = [[one.settings[band[0]] for band in slot.effect.bands] for one in found]
    one_band = [each for each in gains if sum(gain != 0 for gain in each) == 1]
    assert {sum(each) > 0 for each in one_band} == {True, False}
    assert gains[0] == [0.0] * 5


def test_bands_that_cancel_are_merged_away() -> None:
    (slot,) = load_chain("parametric_eq").slots
    both = {"low_hz": 500.0, "low_gain_db": 9.0, "low_mid_hz": 500.0, "low_mid_gain_db": -6.0}
    found = fewer_bands(slot, {**slot.neutral(), **both}, excerpts("drums")[0], RATE)
    one = found[1].settings
    moved = [one[band[0]] for band in slot.effect.bands if one[band[0]] != 0]
    assert moved == pytest.approx([3.0], abs=1.0)


def test_what_is_the_input_has_no_move() -> None:
    chain = load_chain("mixing")
    strip = Strip(chain, chain.neutral(), excerpts("vocals"), RATE)
    settings = strip.simplified(0.15)
    assert settings == chain.neutral()
    assert all(slot.bypass for slot in strip.playing(settings).slots)


def test_a_width_that_is_heard_in_the_side_alone_stays() -> None:
    chain = load_chain("eq | imager | gain")
    truth = {"eq": {"mid_gain_db": -9.0, "mid_hz": 1700.0}, "imager": {"width": 1.5}}
    (drums,) = excerpts("drums")
    assert (drums[0] - drums[1]).square().mean() < 0.01 * (drums[0] + drums[1]).square().mean()
    settings = Strip(chain, chain.settings(chain.encode(truth)), [drums], RATE).simplified(0.2)
    assert settings["imager"]["width"] == pytest.approx(1.5, abs=0.1)


def test_a_limiter_that_works_is_not_bypassed() -> None:
    chain = load_chain("gain | limiter")
    settings = chain.settings(chain.encode({"gain": {"gain_db": 24.0}}))
    playing = Strip(chain, settings, excerpts("drums"), RATE).playing(settings)
    assert not any(slot.bypass for slot in playing.slots)
    quiet = chain.settings(chain.encode({"gain": {"gain_db": -24.0}}))
    assert [slot.bypass for slot in Strip(chain, quiet, excerpts("drums"), RATE).playing(quiet).slots] == [False, True]


def test_changes_that_cost_nothing_go_first_and_others_make_up() -> None:
    alike = torch.tensor([1.0, 0.0, 0.0, 0.0])
    changes = torch.stack([alike, -alike, torch.tensor([0.0, 1.0, 0.0, 0.0]), torch.zeros(4)])
    path = elimination_path(changes, torch.zeros(4))
    assert path[1].tolist().index(1) == 3, "a knob that does nothing"
    assert float(path[2][0]) == pytest.approx(float(path[2][1]), abs=0.05), "one that cancels takes the other along"
    assert path[-1].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "low", "high", "scale", "value", "rounded"),
    [
        ("gain_db", -15.0, 15.0, "linear", -6.8, -7.0),
        ("mid_hz", 1000.0, 3000.0, "log", 1730.0, 1800.0),
        ("mid_hz", 1000.0, 3000.0, "log", 2980.0, 3000.0),
        ("ratio", 1.0, 20.0, "log", 3.3, 3.0),
        ("attack_ms", 0.5, 100.0, "log", 34.0, 30.0),
        ("mix", 0.0, 1.0, "linear", 0.33, 0.35),
        ("mix", 0.0, 1.0, "linear", 0.024, 0.02),
    ],
)
def test_knobs_stand_where_people_put_them(
    name: str, low: float, high: float, scale: str, value: float, rounded: float
) -> None:
    param = Param(name, low, high, neutral=low, scale=scale)  # type: ignore[arg-type]
    assert param.rounded(value) == rounded
    assert abs(param.rounded(value, finely=True) - value) <= abs(rounded - value) + 1e-9


@pytest.mark.parametrize("simplify", [-0.1, 1.5, "on", float("nan")])
def test_other_strengths_are_refused(simplify: float) -> None:
    with pytest.raises(SettingsError, match="simplify"):
        transfer(Mix.from_arrays(torch.zeros(2, 100), RATE), "x.wav", simplify=simplify)


def test_a_transfer_says_what_each_effect_is_worth_and_off_says_nothing() -> None:
    stems = [song("night", stems=("bass",)), song("street", styled=True, stems=("bass",))]
    options = {"chain": "eq | compressor | panner | imager | gain", "budget": Budget(evaluations=60), **QUICK}
    fewer, full = (transfer(*stems, simplify=simplify, **options) for simplify in (0.5, "off"))
    (found,), (as_found,) = fewer.solutions.values(), full.solutions.values()
    assert fewer.preset.stems["bass"].moves < 0.6 * full.preset.stems["bass"].moves
    playing = {entry.label for entry in fewer.preset.stems["bass"].chain if not entry.bypass}
    assert found.worth["bass"].keys() == playing
    assert not any(entry.bypass for entry in full.preset.stems["bass"].chain)
    assert as_found.worth == {}
    assert found.history[-1].loss == as_found.history[-1].loss, "the search is the same"
    again = transfer(*stems, simplify=0.5, **options)
    assert again.settings == fewer.settings


def test_strips_that_cost_nothing_are_simplified_where_another_cannot_be() -> None:
    class Counted:
        """A strip whose settings say what part of a change they use; 1 is as it was found."""

        full: ChainSettings = {"gain": {"used": 0.0}}  # noqa: RUF012

        def simplified(self, tolerance: float, part: float) -> ChainSettings:
            return {"gain": {"used": part}}

        def playing(self, settings: ChainSettings) -> Chain:
            return chain

    class Judge:
        """Hears changes of the master only: a quarter of one is allowed."""

        def distances(self, choices: list[dict[str, ChainSettings]]) -> list[float]:
            return [1.0 + choice["master"]["gain"]["used"] * 0.3 for choice in choices]

    chain = load_chain("gain")
    made = {"drums": Counted(), "bass": Counted(), "master": Counted()}
    found = SimpleNamespace(loss_before=2.0, loss_after=1.0)
    strips, after = simplify._within_reach(made, found, Judge(), 0.5)  # type: ignore[arg-type]
    assert {name: settings["gain"]["used"] for name, (_, settings) in strips.items()} == {
        "drums": 1.0,
        "bass": 1.0,
        "master": 0.25,
    }
    assert after == pytest.approx(1.075)
