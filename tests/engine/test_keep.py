"""What is kept does not move, and the search knows: width, level, balance; and keeping everything is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from conftest import CHAIN, RATE, as_mix, song
from stito import registry
from stito.cli import cli
from stito.console.strips import gain, loudness
from stito.effects.chain_files import load_chain
from stito.errors import SettingsError, UnknownNameError
from stito.mix import Mix, levels_of
from stito.search.base import Budget
from stito.workflows.transfer import Transfer, transfer

QUICK = {"chain": CHAIN, "excerpt_seconds": 1.5, "excerpt_count": 1}
FEW = Budget(evaluations=24)


def songs_of(*stems: str) -> tuple[Mix, Mix]:
    """A song, and another performance of style."""
    return song("night", stems=stems), song("street", styled=True, stems=stems)


def width_db(x: torch.Tensor) -> float:
    """Side over mid."""
    return levels_of(x, RATE).side_over_mid_db


def test_kept_width_leaves_side_and_mid_as_they_were() -> None:
    mix, reference = songs_of("other")
    options = {"method": "match", **QUICK, "chain": "imager | gain"}
    usual, kept = (transfer(mix, reference, keep=keep, **options) for keep in ("", "width"))
    assert abs(width_db(usual.audio) - width_db(mix.stems["other"])) > 1
    assert width_db(kept.audio) == pytest.approx(width_db(mix.stems["other"]), abs=0.01)
    assert loudness(kept.audio, RATE) - kept.rendered.output_gain_db == pytest.approx(
        loudness(reference.stems["other"], RATE), abs=0.3
    ), "the level moves"


@pytest.mark.parametrize("method", ["cma", "gradient"])
def test_a_search_does_without_what_is_kept(method: str) -> None:
    mix, reference = songs_of("drums")
    result = transfer(mix, reference, method=method, budget=FEW, keep="eq pan", **QUICK)
    (chain, settings) = result.solutions["drums"].strips["drums"]
    assert {knob.aspect for knob in chain.knobs} == {"dynamics", "width", "level"}
    assert settings["eq"] == load_chain("eq").neutral()["eq"]
    assert result.preset.provenance is not None
    assert result.preset.provenance.keep == ["eq", "pan"]


@pytest.mark.parametrize("to_a_mix", [False, True])
def test_kept_level_keeps_every_stem_as_loud_as_it_is(to_a_mix: bool) -> None:
    mix, reference = songs_of("drums", "bass")
    target = as_mix(reference) if to_a_mix else reference
    result = transfer(mix, target, budget=FEW, keep="level", init="match", **QUICK)
    up = gain(result.rendered.output_gain_db)
    for name, x in result.stems.items():
        assert loudness(x / up, RATE) == pytest.approx(loudness(mix.stems[name], RATE), abs=0.1), name


def test_a_search_that_keeps_the_level_is_not_led_by_loudness() -> None:
    mix, reference = songs_of("drums")
    loud = Mix({"drums": 8 * reference.stems["drums"]}, RATE, reference.format, "loud", (), "stems", reference.formats)
    options = {"budget": FEW, "keep": "level", "encoder": "features", "init": "neutral", "prior_weight": 0.0, **QUICK}
    heard: list[torch.Tensor] = []

    def energy(x: torch.Tensor, y: torch.Tensor, sample_rate: int) -> torch.Tensor:
        heard.append(torch.tensor([loudness(row, sample_rate) for row in x]))
        return x.square().mean((1, 2))

    transfer(mix, loud, objective=energy, **options)
    every = torch.cat(heard)
    assert float(every.max() - every.min()) < 1.5, "all candidates are as loud as the input"


def test_kept_balance_moves_all_stems_alike() -> None:
    mix, reference = songs_of("drums", "bass", "vocals")
    result = transfer(mix, reference, method="match", keep="balance", **QUICK)
    moved = [loudness(x, RATE) - loudness(mix.stems[name], RATE) for name, x in result.stems.items()]
    assert max(moved) - min(moved) < 0.1


def test_keeping_everything_is_an_error_before_anything_long(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no knob left") as error:
        Transfer(chain="eq | gain", keep="eq,level").read("nowhere.wav", "nowhere-else.wav")
    assert error.value.hint == "Its knobs are of eq, level: keep less, or take another chain."
    everything = load_chain(registry.default("chain of stems")).aspects
    with pytest.raises(SettingsError, match="no knob left"):
        transfer(*songs_of("drums"), keep=sorted(everything))
    with pytest.raises(SettingsError, match="width"):
        transfer(*songs_of("drums"), method="neural", keep="width")


def test_aspects_are_spelt_as_they_are() -> None:
    with pytest.raises(UnknownNameError) as error:
        Transfer(keep="levl,width")
    assert error.value.hint is not None
    assert "level" in error.value.hint
    done = CliRunner().invoke(cli, ["transfer", "a", "b", "-o", "c", "--keep", "widht"])
    assert isinstance(done.exception, UnknownNameError)


def test_a_chain_without_such_knobs_is_told_of() -> None:
    result = transfer(*songs_of("drums"), method="match", keep="reverb", **QUICK)
    assert any(note.startswith("reverb: the chain has no knob") for note in result.notes)


def test_the_command_line_and_the_command_that_makes_it_again() -> None:
    engine = Transfer(keep=("level", "width"))
    assert "--keep level,width" in engine.command(Path("a"), Path("b"))
    assert "--keep" not in Transfer().command(Path("a"), Path("b"))
