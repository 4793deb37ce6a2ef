"""Amounts by aspect: reverb away and the tone as it was, in a transfer, a preset, a table and from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from conftest import RATE, as_mix, song
from stito import registry
from stito.cli import cli
from stito.console.preset import ConversionPreset, Preset, StripPreset, load_preset
from stito.console.strips import gain, loudness
from stito.effects.aspects import ASPECTS, Amount
from stito.effects.chain import Chain, Slot
from stito.effects.chain_files import load_chain
from stito.effects.effect import Effect
from stito.effects.param import Param
from stito.engine.render import render_part
from stito.errors import SettingsError, UnknownNameError
from stito.mix import Mix
from stito.workflows.transfer import Transfer, transfer

CHAIN = "eq | imager | reverb | gain"
TURNED = {
    "eq": {"low_gain_db": 6.0, "high_gain_db": -4.0},
    "imager": {"width": 1.5},
    "reverb": {"mix": 0.4, "decay_mid_s": 1.5},
    "gain": {"gain_db": -3.0},
}
QUICK = {"method": "match", "chain": CHAIN, "excerpt_seconds": 1.5, "excerpt_count": 1}


def turned() -> StripPreset:
    chain = load_chain(CHAIN)
    return StripPreset.of(chain, chain.settings(chain.encode(TURNED)), fader_db=4.0)


def test_an_amount_is_read_as_it_is_typed() -> None:
    assert Amount.of(0.8) == Amount(0.8) == Amount.of("0.8")
    assert Amount.of("0.8 reverb=0") == Amount(0.8, {"reverb": 0.0}) == Amount.of("reverb=0,0.8")
    assert Amount.of("reverb=0").whole == 1
    assert Amount.of("reverb=0 reverb=1").is_all
    assert Amount.of(str(Amount(0.25, {"eq": 0.5}))) == Amount(0.25, {"eq": 0.5})


@pytest.mark.parametrize("wrong", ["much", "", "reverb=", "=1", "reverb=2", "-1", "nan", "eq=nan"])
def test_what_is_no_amount_says_so(wrong: str) -> None:
    with pytest.raises((SettingsError, UnknownNameError)) as error:
        Amount.of(wrong)
    assert error.value.hint


def test_an_unknown_aspect_is_answered_with_the_nearest_and_all_of_them() -> None:
    with pytest.raises(UnknownNameError, match="revrb") as error:
        Transfer(amount="0.8 revrb=0")
    assert error.value.hint is not None
    assert "Did you mean reverb?" in error.value.hint
    assert all(name in error.value.hint for name in ASPECTS)


def test_without_reverb_the_tone_is_as_before() -> None:
    (_, full), (_, dry) = turned().build(), turned().blend("reverb=0").build()
    assert dry["reverb"] == pytest.approx(load_chain(CHAIN).neutral()["reverb"])
    for label in ("eq", "imager", "gain"):
        assert dry[label] == pytest.approx(full[label])
    _, part = turned().blend("0.5 eq=1").build()
    assert part["eq"] == pytest.approx(full["eq"])
    assert part["gain"]["gain_db"] == pytest.approx(-1.5)
    assert turned().blend("level=0").fader_db == 0
    assert turned().blend("reverb=0").fader_db == 4


def test_a_knob_may_belong_to_another_aspect_than_its_effect() -> None:
    class Strip(Effect):
        name = "strip"
        aspect = "eq"
        params = (Param("bass_db", -6.0, 6.0, 0.0), Param("squash", 0.0, 1.0, 0.0, aspect="dynamics"))

        def process(self, x: torch.Tensor, p: object, sample_rate: int) -> torch.Tensor:
            return x

    effect = Strip()
    chain = Chain("mine", (Slot("strip", effect, effect.params),))
    assert [knob.aspect for knob in chain.knobs] == ["eq", "dynamics"]
    half = chain.blend({"strip": {"bass_db": 6.0, "squash": 1.0}}, "dynamics=0.5")
    assert half["strip"] == pytest.approx({"bass_db": 6.0, "squash": 0.5})


def test_every_effect_of_ours_says_what_it_changes() -> None:
    ours = {plugin.name for plugin in registry.plugins("effect") if plugin.distribution == "stito"}
    ours.remove("vst3")  # what a plug-in changes, it says itself
    assert {registry.load("effect", name).aspect for name in ours} <= ASPECTS.keys()
    assert "Aspect: dynamics." in CliRunner().invoke(cli, ["effects", "compressor"]).output


def test_a_transfer_keeps_its_amounts_and_a_preset_gives_the_same() -> None:
    mix, reference = (song("night", stems=("drums", "bass"), styled=styled) for styled in (False, True))
    amount = "eq=0 level=0.5"
    whole, part = (transfer(mix, reference, amount=one, **QUICK) for one in (1.0, amount))
    assert part.preset.provenance is not None
    assert part.preset.provenance.amount_by_aspect == Amount.of(amount)
    for name in mix.stems:
        assert part.settings[name]["eq"] == pytest.approx(load_chain(CHAIN).neutral()["eq"])
        assert part.settings[name]["imager"] == pytest.approx(whole.settings[name]["imager"])
    rendered = render_part(mix, whole.preset, amount)
    for name, stem in rendered.stems.items():
        there = part.rendered.stems[name] / gain(part.rendered.output_gain_db)
        assert torch.allclose(stem / gain(rendered.output_gain_db), there, atol=5e-3)


def levels(mix: Mix, stems: dict[str, torch.Tensor]) -> dict[str, float]:
    """How far each stem has moved, in LU."""
    return {name: loudness(x, RATE) - loudness(mix.stems[name], RATE) for name, x in stems.items()}


def test_without_level_every_stem_stays_as_loud_as_it_was() -> None:
    mix, reference = song("night"), song("street", styled=True)
    for target in (reference, as_mix(reference)):
        result = transfer(mix, target, amount="level=0", **QUICK)
        undone = {name: x / gain(result.rendered.output_gain_db) for name, x in result.stems.items()}
        assert levels(mix, undone) == pytest.approx(dict.fromkeys(mix.stems, 0.0), abs=0.1)


def test_without_balance_all_stems_move_alike() -> None:
    mix, reference = song("night"), song("street", styled=True)
    moves = [levels(mix, dict(transfer(mix, reference, amount=one, **QUICK).stems)) for one in ("1", "balance=0")]
    spread = [max(each.values()) - min(each.values()) for each in moves]
    assert spread[0] > 1
    assert spread[1] < 0.1


def test_what_a_network_renders_has_no_knobs_to_leave_alone() -> None:
    mix, reference = song("night", stems=("drums",)), song("street", stems=("drums",))
    with pytest.raises(SettingsError, match="reverb"):
        transfer(mix, reference, method="neural", amount="reverb=0")
    strip = StripPreset(chain=[], conversion=ConversionPreset(converter="x", reference="", own=""))
    with pytest.raises(SettingsError, match="reverb"):
        strip.blend("reverb=0")


def test_the_command_line_takes_it_again_and_again(songs: Path, tmp_path: Path) -> None:
    preset = Preset(stems={name: turned() for name in ("drums", "bass", "other", "vocals")})
    (tmp_path / "preset.json").write_text(preset.to_json())
    words = ["apply", str(tmp_path / "preset.json"), str(songs / "night"), "-o", str(tmp_path / "a.wav")]
    done = CliRunner().invoke(cli, [*words, "--amount", ".8", "--amount", "reverb=0"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(cli, [*words, "--amount", "reverbb=0"])
    assert isinstance(done.exception, UnknownNameError)


def test_what_is_left_out_stays_left_out_wherever_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    mix, reference = (song("night", stems=("drums",), styled=styled) for styled in (False, True))
    monkeypatch.setattr("stito.engine.finish.is_further", lambda after, before: True)
    half, without = (transfer(mix, reference, amount=amount, **QUICK) for amount in (0.5, "eq=0"))
    assert half.solutions["drums"].kept
    assert not without.solutions["drums"].kept
    assert any("with these amounts" in note for note in without.notes)


def test_the_command_that_makes_it_again_has_it() -> None:
    assert "--amount '0.8 eq=0'" in Transfer(amount="0.8 eq=0").command(Path("a"), Path("b"))
    assert "--amount" not in Transfer(amount=1.0).command(Path("a"), Path("b"))


def test_a_cell_of_a_table_may_hold_several(songs: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(f"input,reference,name,amount\n{songs}/night,{songs}/street,a,0.8 eq=0\n")
    words = ["batch", str(table), "-o", str(tmp_path / "out"), "--method", "match", "--chain", CHAIN]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    preset = load_preset(tmp_path / "out" / "a" / "preset.json")
    assert preset.provenance is not None
    assert preset.provenance.amount_by_aspect == Amount(0.8, {"eq": 0.0})
    assert json.loads((tmp_path / "out" / "a" / "preset.json").read_text())["provenance"]["amounts"] == {"eq": 0}
