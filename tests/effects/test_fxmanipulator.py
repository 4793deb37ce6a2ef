"""FXmanipulator: every effect is heard, what is off is left alone, and what was drawn is what was published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from stito.data.manipulation import Manipulation
from stito.errors import SettingsError, UnknownNameError
from stito.stems import STEMS
from stito.testing import ContractError, check_manipulator
from stito_effects.fxmanipulator.impulses import Impulses
from stito_effects.fxmanipulator.manipulator import EFFECTS, PROBABILITIES, REVERB_PROBABILITIES, FXmanipulator

RATE = 44_100
SAMPLES = RATE // 2


@pytest.fixture(scope="module")
def manipulator() -> FXmanipulator:
    return FXmanipulator(Impulses.synthetic(count=8))


def test_it_keeps_the_contract_of_manipulators(manipulator: FXmanipulator) -> None:
    check_manipulator(manipulator)


def sound(rows: int, seed: int = 0, samples: int = SAMPLES) -> Tensor:
    """Pulsing noise at about -25 dBFS, wide but not unrelated: (rows, 2, t)."""
    generator = torch.Generator().manual_seed(seed)
    common, sides = (
        torch.randn(rows, 1, samples, generator=generator),
        torch.randn(rows, 2, samples, generator=generator),
    )
    pulse = 0.2 + torch.linspace(0, 60, samples).sin().square()
    return 0.05 * (common + 0.6 * sides) * pulse


def drawn(manipulator: FXmanipulator, rows: int, seed: int = 0, **options: str) -> Manipulation:
    stems = [STEMS[row % len(STEMS)] for row in range(rows)]
    return manipulator.sample(stems, np.random.default_rng(seed), **options)


def with_settings(manipulation: Manipulation, effect: str, **values: float) -> Manipulation:
    """The same configurations with some knobs of one effect set by hand."""
    changed = {name: torch.full_like(manipulation.settings[effect][name], value) for name, value in values.items()}
    settings = {**manipulation.settings, effect: {**manipulation.settings[effect], **changed}}
    return replace(manipulation, settings=settings)


def rms(x: Tensor) -> Tensor:
    return x.square().mean(dim=(1, 2)).sqrt()


def test_published_probabilities_are_hit(manipulator: FXmanipulator) -> None:
    rows = 8000
    manipulation = drawn(manipulator, rows)
    for effect in set(EFFECTS) - {"reverb"}:
        share = float(manipulation.active[effect].float().mean())
        assert share == pytest.approx(PROBABILITIES[effect], abs=0.03), effect
    for number, stem in enumerate(STEMS):
        share = float(manipulation.active["reverb"][number :: len(STEMS)].float().mean())
        assert share == pytest.approx(REVERB_PROBABILITIES[stem], abs=0.04), stem
    for pair, first in manipulation.order.items():
        assert float(first.float().mean()) == pytest.approx(0.5, abs=0.03), pair


def test_drawing_again_does_not_wear_probabilities_down(manipulator: FXmanipulator) -> None:
    generator = np.random.default_rng(0)
    shares = [manipulator.sample(["vocals"] * 2000, generator).active["reverb"].float().mean() for _ in range(4)]
    assert all(share == pytest.approx(0.9, abs=0.04) for share in shares)


def test_published_ranges_are_filled_and_not_left(manipulator: FXmanipulator) -> None:
    settings = drawn(manipulator, 4000).settings
    ranges = {
        ("compressor", "threshold_db"): (-80, -5),
        ("compressor", "ratio"): (4, 40),
        ("compressor", "attack_ms"): (1, 20),
        ("compressor", "release_ms"): (50, 500),
        ("panner", "pan"): (-1, 1),
        ("imager", "width"): (0, 2),
        ("gain", "gain_db"): (-6, 9),
        ("eq", "mid_hz"): (1000, 3000),
        ("eq", "high_gain_db"): (-15, 15),
    }
    for (effect, name), (low, high) in ranges.items():
        values = settings[effect][name]
        slack = 0.02 * (high - low)
        assert low - 1e-4 <= float(values.min()) < low + slack, name
        assert high - slack < float(values.max()) <= high + 1e-3, name
    assert set(settings["panner"]["centre_db"].tolist()) == {-6.0, -4.5, -3.0}
    assert set(settings["gain"]["inverted"].tolist()) == {0.0, 1.0}
    assert set(settings["reverb"]["impulse"].tolist()) == set(range(8))
    vocals = settings["reverb"]["dry"][::4]
    assert 0 <= float(vocals.min()) < 0.01 < 0.49 < float(vocals.max()) <= 0.5


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_effect_alone_is_heard_on_every_row(manipulator: FXmanipulator, effect: str) -> None:
    x = sound(8)
    manipulation = drawn(manipulator, 8, only=effect)
    if effect == "compressor":  # a threshold over every peak would be no compression
        manipulation = with_settings(manipulation, effect, threshold_db=-40.0)
    y = manipulator.render(x, manipulation)
    change = rms(y - x) / rms(x)
    assert (change > 0.01).all(), change
    assert y.isfinite().all()


def test_nothing_active_is_exactly_the_input(manipulator: FXmanipulator) -> None:
    x = sound(4)
    silent = FXmanipulator(manipulator.impulses, probabilities=dict.fromkeys(EFFECTS, 0.0))
    y = silent.render(x, drawn(silent, 4))
    assert torch.equal(y, x)
    assert y.data_ptr() != x.data_ptr(), "what comes out may be changed without changing what went in"


def test_rows_without_an_effect_are_exactly_as_they_came(manipulator: FXmanipulator) -> None:
    x = sound(4)
    for effect in EFFECTS:
        manipulation = drawn(manipulator, 4, only=effect)
        some = torch.tensor([True, False, True, False])
        active = {**manipulation.active, effect: some}
        mixed = replace(manipulation, active=active)
        y = manipulator.render(x, mixed)
        assert torch.equal(y[~some], x[~some]), effect
        assert not torch.equal(y[some], x[some]), effect


def test_every_effect_but_gain_keeps_the_level(manipulator: FXmanipulator) -> None:
    x = sound(16)
    for effect in set(EFFECTS) - {"gain"}:
        y = manipulator.render(x, drawn(manipulator, 16, only=effect))
        torch.testing.assert_close(rms(y), rms(x), rtol=1e-4, atol=0)
    gain = drawn(manipulator, 16, only="gain")
    change_db = 20 * torch.log10(rms(manipulator.render(x, gain)) / rms(x))
    torch.testing.assert_close(change_db, gain.settings["gain"]["gain_db"], atol=1e-3, rtol=0)


def test_polarity_is_turned(manipulator: FXmanipulator) -> None:
    x = sound(1)
    turned = with_settings(drawn(manipulator, 1, only="gain"), "gain", gain_db=0.0, inverted=1.0)
    torch.testing.assert_close(manipulator.render(x, turned), -x)


@pytest.mark.parametrize(("centre_db", "balance_db"), [(-6.0, 9.54), (-4.5, 8.60), (-3.0, 7.66)])
def test_pan_laws_differ_between_centre_and_side(
    manipulator: FXmanipulator, centre_db: float, balance_db: float
) -> None:
    """Three quarters of the way to the right: p = 0.75, so (1 - p) : p = 1 : 3 and cos : sin = 1 : 2.41."""
    x = sound(1)[:, :1].expand(-1, 2, -1)
    panned = with_settings(drawn(manipulator, 1, only="panner"), "panner", pan=0.5, centre_db=centre_db)
    left, right = manipulator.render(x, panned)[0].square().mean(-1)
    assert 10 * np.log10(float(right / left)) == pytest.approx(balance_db, abs=0.02)


@pytest.mark.parametrize("centre_db", [-6.0, -4.5, -3.0])
def test_hard_left_leaves_nothing_on_the_right(manipulator: FXmanipulator, centre_db: float) -> None:
    panned = with_settings(drawn(manipulator, 1, only="panner"), "panner", pan=-1.0, centre_db=centre_db)
    left, right = manipulator.render(sound(1), panned)[0].square().mean(-1)
    assert right < 1e-9 * left


def test_both_orders_are_rendered_in_one_batch(manipulator: FXmanipulator) -> None:
    """A compressor after an equaliser is given what the equaliser made; panning after narrowing is still panned."""
    base = drawn(manipulator, 1, seed=3).rows([0, 0])
    turn = torch.tensor([True, False])
    for pair, on in (("eq_first", ("eq", "compressor")), ("panner_first", ("panner", "imager"))):
        active = {effect: torch.full((2,), effect in on) for effect in EFFECTS}
        manipulation = replace(base, active=active, order={**base.order, pair: turn})
        manipulation = with_settings(manipulation, "compressor", threshold_db=-40.0)
        manipulation = with_settings(manipulation, "panner", pan=-1.0)
        manipulation = with_settings(manipulation, "imager", width=0.0)
        y = manipulator.render(sound(1), manipulation)
        assert rms(y[:1] - y[1:]) > 0.05 * rms(y[:1])
        if pair == "panner_first":
            torch.testing.assert_close(y[0, 0], y[0, 1])
            assert y[1, 1].abs().max() < 1e-4


def test_lows_of_drums_stay_dry(manipulator: FXmanipulator) -> None:
    """A burst at 40 Hz stops when it stops, one at 1 kHz rings on; in other stems both ring on."""
    time = torch.arange(SAMPLES) / RATE
    burst = torch.sin(2 * torch.pi * torch.tensor([[40.0], [1000.0]]) * time) * torch.hann_window(SAMPLES // 2).repeat(
        2
    )
    x = (0.1 * burst * (time < 0.25))[:, None].expand(-1, 2, -1)
    rings = {}
    for stem in ("drums", "other"):
        manipulation = manipulator.sample([stem] * 2, np.random.default_rng(1), only="reverb")
        manipulation = with_settings(manipulation, "reverb", impulse=7.0)
        y = manipulator.render(x, manipulation)
        late = y[..., round(0.3 * RATE) :].square().mean((1, 2)) / y.square().mean((1, 2))
        rings[stem] = (10 * torch.log10(late)).tolist()
    assert rings["drums"][0] < -35
    assert rings["drums"][1] > -20
    assert min(rings["other"]) > -20
    lows = manipulator.render(x, manipulator.sample(["drums"] * 2, np.random.default_rng(1), only="reverb"))[0]
    assert lows.abs().max() == pytest.approx(0.1, rel=0.05), "and as loud as they were"


def test_few_drums_have_reverb_on_their_lows(manipulator: FXmanipulator) -> None:
    low_dry = manipulator.sample(["drums"] * 8000, np.random.default_rng(0)).settings["reverb"]["low_dry"]
    assert float((low_dry < 1).float().mean()) == pytest.approx(0.01, abs=0.005)


def test_a_row_is_the_same_alone_and_in_a_batch(manipulator: FXmanipulator) -> None:
    x, manipulation = sound(37), drawn(manipulator, 37, seed=2)
    together = manipulator.render(x, manipulation)
    for row in (0, 5, 18, 36):
        alone = manipulator.render(x[row : row + 1], manipulation.rows([row]))
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-5)


def test_long_audio_is_rendered_like_short(manipulator: FXmanipulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a long song join without a seam, at the crossover of drums too."""
    x, manipulation = sound(2), manipulator.sample(["drums", "vocals"], np.random.default_rng(0), only="reverb")
    whole = manipulator.render(x, manipulation)
    monkeypatch.setattr("stito.dsp.spectrum.BLOCK", 6000)
    torch.testing.assert_close(manipulator.render(x, manipulation), whole, atol=1e-6, rtol=1e-4)


def test_silence_stays_silence(manipulator: FXmanipulator) -> None:
    y = manipulator.render(torch.zeros(32, 2, SAMPLES // 4), drawn(manipulator, 32))
    assert (y == 0).all()


def test_what_an_effect_removes_is_not_brought_back_as_noise(manipulator: FXmanipulator) -> None:
    x = sound(1)
    sides = torch.stack([x[:, 0], -x[:, 0]], dim=1)
    mono = with_settings(drawn(manipulator, 1, only="imager"), "imager", width=0.0)
    assert manipulator.render(sides, mono).abs().max() < 1e-6


def test_extremes_are_finite_and_at_level(manipulator: FXmanipulator) -> None:
    x = 10 * sound(2).clamp(-0.1, 0.1)
    squashed = with_settings(
        drawn(manipulator, 2, only="compressor"), "compressor", threshold_db=-80.0, ratio=40.0, attack_ms=1.0
    )
    y = manipulator.render(x, squashed)
    assert y.isfinite().all()
    torch.testing.assert_close(rms(y), rms(x), rtol=1e-3, atol=0)


def test_the_input_is_not_modified_and_nothing_is_differentiated(manipulator: FXmanipulator) -> None:
    x = sound(8).requires_grad_()
    before = x.detach().clone()
    y = manipulator.render(x, drawn(manipulator, 8))
    assert not y.requires_grad
    assert torch.equal(x, before)


def test_same_seed_same_bytes(manipulator: FXmanipulator) -> None:
    x = sound(9)
    first, again, other = (manipulator.render(x, drawn(manipulator, 9, seed=seed)) for seed in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_probabilities_do_not_move_what_is_drawn(manipulator: FXmanipulator) -> None:
    rare = FXmanipulator(manipulator.impulses, probabilities={"eq": 0.1})
    often, seldom = drawn(manipulator, 64), drawn(rare, 64)
    assert seldom.active["eq"].sum() < often.active["eq"].sum()
    assert torch.equal(often.settings["eq"]["mid_hz"], seldom.settings["eq"]["mid_hz"])
    assert torch.equal(often.active["panner"], seldom.active["panner"])


def test_a_style_is_put_on_other_content(manipulator: FXmanipulator) -> None:
    """The same configuration does the same to other content: a gain and an equaliser are the same filter."""
    manipulation = drawn(manipulator, 4, only="eq")
    gains = []
    for seed in (0, 1):
        x = sound(4, seed)
        y = manipulator.render(x, manipulation)
        spectra = [torch.fft.rfft(audio).abs().square().sum(1)[:, 1:].unfold(1, 500, 500).mean(-1) for audio in (y, x)]
        curve = 10 * torch.log10(spectra[0] / spectra[1])
        gains.append(curve - curve.mean(1, keepdim=True))
    assert (gains[0] - gains[1]).abs().median() < 0.2 < gains[0].abs().median()


def test_one_input_under_many_configurations(manipulator: FXmanipulator) -> None:
    x, manipulation = sound(1), drawn(manipulator, 6)
    torch.testing.assert_close(
        manipulator.render(x, manipulation), manipulator.render(x.expand(6, -1, -1), manipulation)
    )


def test_between_two_configurations(manipulator: FXmanipulator) -> None:
    generator = np.random.default_rng(4)
    start, end = (manipulator.sample([*STEMS] * 20, generator) for _ in range(2))
    same, halfway, there = (manipulator.between(start, end, amount) for amount in (0.0, 0.5, 1.0))
    # at equal effects and order what is left of the way is the rest of it
    end = replace(end, active=start.active, order=start.order)
    places = [manipulation.vector()[0] for manipulation in (start, same, halfway, there, end)]
    names = start.vector()[1]
    smooth = [
        index for index, name in enumerate(names) if name.split(".")[1] not in ("decay_s", "centre_db", "inverted")
    ]
    assert torch.allclose(places[0], places[1], atol=1e-6)
    assert torch.allclose(places[2][:, smooth], (places[0] + places[4])[:, smooth] / 2, atol=1e-6)
    assert torch.allclose(places[3][:, smooth], places[4][:, smooth], atol=1e-6)
    room = halfway.settings["reverb"]
    assert torch.equal(room["decay_s"], manipulator.impulses.decay_s[room["impulse"].long()])
    assert torch.equal(
        room["low_dry"] == room["dry"], start.settings["reverb"]["low_dry"] == start.settings["reverb"]["dry"]
    )
    assert torch.equal(halfway.settings["gain"]["inverted"], start.settings["gain"]["inverted"])


def test_milder_effects_do_less_down_to_nothing(manipulator: FXmanipulator) -> None:
    x = sound(8)
    full = with_settings(drawn(manipulator, 8), "gain", inverted=0.0)
    assert torch.equal(manipulator.render(x, drawn(manipulator, 8).milder(0.0)), x), "polarity is as it was"
    strengths = (0.0, 0.3, 0.6, 1.0)
    changes = torch.stack([rms(manipulator.render(x, full.milder(part)) - x) / rms(x) for part in strengths])
    assert changes[0].max() == 0
    assert (changes.diff(dim=0).mean(1) > 0.02).all()
    each = full.milder(torch.tensor([0.0, 1.0] * 4))
    assert torch.equal(manipulator.render(x, each)[1::2], manipulator.render(x, full)[1::2])
    assert torch.equal(full.milder(1.0).vector()[0], full.vector()[0])
    middle, pan = full.milder(0.5).settings, full.settings["panner"]["pan"]
    assert torch.allclose(middle["panner"]["pan"], pan / 2, atol=1e-6)
    kept, taken = (1 - 1 / one["compressor"]["ratio"] for one in (middle, full.settings))
    assert torch.allclose(kept, taken / 2), "half the decibels over the threshold are taken away"
    assert torch.equal(middle["reverb"]["impulse"], full.settings["reverb"]["impulse"])


def test_rows_and_join_rearrange(manipulator: FXmanipulator) -> None:
    manipulation = drawn(manipulator, 6)
    chosen = manipulation.rows(torch.tensor([4, 0, 4]))
    assert chosen.stems == tuple(manipulation.stems[row] for row in (4, 0, 4))
    joined = Manipulation.join([manipulation.rows([0, 1]), manipulation.rows(slice(2, 6))])
    assert len(joined) == 6
    x = sound(6)
    assert torch.equal(manipulator.render(x, joined), manipulator.render(x, manipulation))


def test_the_vector_places_factors_between_0_and_1(manipulator: FXmanipulator) -> None:
    manipulation = drawn(manipulator, 200)
    vector, names = manipulation.vector()
    assert vector.shape == (200, len(names))
    assert vector.min() >= 0
    assert vector.max() <= 1
    gain = vector[:, names.index("eq.mid_gain_db")]
    assert (gain[~manipulation.active["eq"]] == 0.5).all(), "an effect that is off boosts by nothing"
    expected = (manipulation.settings["eq"]["mid_gain_db"] + 15) / 30
    torch.testing.assert_close(gain[manipulation.active["eq"]], expected[manipulation.active["eq"]])
    still = manipulation.active["compressor"].logical_not()
    assert (vector[still, names.index("compressor.ratio")] == 0).all()


def test_a_description_is_json_in_the_order_of_the_signal(manipulator: FXmanipulator) -> None:
    manipulation = drawn(manipulator, 20)
    for row in range(20):
        described = json.loads(json.dumps(manipulation.describe(row)))
        sequence = [entry["effect"] for entry in described["chain"]]
        assert set(sequence) == {effect for effect in EFFECTS if manipulation.active[effect][row]}
        if {"eq", "compressor"} <= set(sequence):
            earlier = sequence.index("eq") < sequence.index("compressor")
            assert earlier == bool(manipulation.order["eq_first"][row])


def test_mistakes_are_errors_with_a_hint(manipulator: FXmanipulator) -> None:
    with pytest.raises(UnknownNameError, match="flanger"):
        manipulator.sample(["bass"], np.random.default_rng(0), only="flanger")
    with pytest.raises(SettingsError, match="probability of eq"):
        FXmanipulator(manipulator.impulses, probabilities={"eq": 1.5})
    with pytest.raises(UnknownNameError, match="equalizer"):
        FXmanipulator(manipulator.impulses, probabilities={"equalizer": 0.5})
    with pytest.raises(SettingsError, match="3 configurations"):
        manipulator.render(sound(2), drawn(manipulator, 3))


class Lazy(FXmanipulator):
    """Draws from a generator that it has kept, whatever it is given."""

    kept = np.random.default_rng(0)

    def sample(self, stems: Sequence[str], generator: np.random.Generator, *, only: str | None = None) -> Manipulation:
        return super().sample(stems, self.kept, only=only)


class Careless(FXmanipulator):
    """Turns down what it renders, in place."""

    def render(self, x: Tensor, manipulation: Manipulation) -> Tensor:
        return super().render(x.mul_(0.5), manipulation)


@pytest.mark.parametrize(("broken", "rule"), [(Lazy, "the same seed"), (Careless, "modified")])
def test_a_broken_contract_is_found(manipulator: FXmanipulator, broken: type[FXmanipulator], rule: str) -> None:
    with pytest.raises(ContractError, match=rule):
        check_manipulator(broken(manipulator.impulses))
