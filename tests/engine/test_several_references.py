"""Several references: nothing beside is nothing, the same twice is once, and what lies between lies between."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from conftest import CHAIN, RATE, as_mix, song
from stito.cli import cli
from stito.console.strips import gain, loudness
from stito.effects.chain_files import load_chain
from stito.errors import AudioError, MissingFileError, SettingsError
from stito.mix import Mix
from stito.models.blend import Blend
from stito.models.encoder import distance, embed_blend, embed_excerpts
from stito.models.loading import load_encoder
from stito.search.base import Budget
from stito.workflows.transfer import Transfer, transfer

QUICK = {"chain": CHAIN, "excerpt_seconds": 1.5, "excerpt_count": 1}
BUDGET = Budget(evaluations=24)


def one(name: str, *stems: str, db: float = 0.0, styled: bool = True) -> Mix:
    """A demo song, louder or quieter."""
    mix = song(name, styled=styled, stems=stems or ("drums",))
    return replace(mix, stems={stem: x * gain(db) for stem, x in mix.stems.items()}, name=f"{name} {db:+g}")


@pytest.mark.parametrize("method", ["cma", "match"])
def test_without_weight_a_reference_is_none(method: str) -> None:
    mix, reference, other = one("night", styled=False), one("street"), one("street", db=-9, styled=False)
    options = {"method": method, "budget": BUDGET, "init": "match", **QUICK}
    without, none = (transfer(mix, reference, also=also, **options) for also in ([], [(other, 0.0)]))
    assert none.preset.stems == without.preset.stems
    assert torch.equal(none.audio, without.audio)


@pytest.mark.parametrize("method", ["cma", "match"])
def test_the_same_twice_is_the_same_once(method: str) -> None:
    mix, reference = one("night", styled=False), one("street")
    options = {"method": method, "budget": BUDGET, "init": "match", "encoder": "features", **QUICK}
    once, twice = (transfer(mix, reference, also=also, **options) for also in ([], [(one("street"), 1.0)]))
    for label, settings in once.settings["drums"].items():
        assert twice.settings["drums"][label] == pytest.approx(settings, rel=1e-3, abs=1e-3)
    assert twice.solutions["drums"].loss_after == pytest.approx(once.solutions["drums"].loss_after, abs=1e-3)
    assert torch.allclose(twice.audio, once.audio, atol=1e-3)


@pytest.mark.parametrize("kind", ["stems", "mix"])
def test_loudness_is_the_weighted_mean(kind: str) -> None:
    mix = one("night", "drums", "bass", styled=False)
    near, far = one("street", "drums", "bass", db=-6), one("street", "drums", "bass", db=-18)
    if kind == "mix":
        near, far = as_mix(near), as_mix(far)
    solved = Transfer(method="match", also=[(far, 0.5)], **QUICK).solve(mix, near)  # type: ignore[arg-type]
    for name, lufs in (solved.preset.target_lufs or {}).items():
        whole, other = (loudness(each.sum() if kind == "mix" else each.stems[name], RATE) for each in (near, far))
        assert other == pytest.approx(whole - 12, abs=0.1)
        assert lufs == pytest.approx(whole - 4, abs=0.1), "a third of the way"
    assert solved.preset.target_lufs


def test_a_closed_form_lies_between_those_of_each() -> None:
    x = one("night", styled=False).stems["drums"]
    chain = load_chain("eq | gain")
    bright, dark = (
        chain.render_one(x, chain.settings(chain.encode({"eq": {"high_gain_db": db}})), RATE) for db in (6, -6)
    )
    found = [
        chain.initial_settings(x, reference, RATE)["eq"]["high_gain_db"]
        for reference in (bright, dark, [(bright, 0.75), (dark, 0.25)])
    ]
    assert found[2] == pytest.approx(0.75 * found[0] + 0.25 * found[1], abs=0.01)


@pytest.mark.parametrize("name", ["features", "fxencoder", "fxencoder*0.7+features*0.3"])
def test_a_mean_embedding_is_nearer_to_the_heavier(name: str) -> None:
    encoder = load_encoder(name)
    a, b = (one(each).stems["drums"] for each in ("night", "street"))
    with torch.no_grad():
        blended = embed_blend(encoder, Blend([([a], 0.8), ([b], 0.2)]))
        near, far = (float(distance(encoder, blended, embed_excerpts(encoder, [x]))) for x in (a, b))
        alone = embed_blend(encoder, Blend.of([a]))
        twice = embed_blend(encoder, Blend([([a], 0.5), ([a], 0.5)]))
        assert float(distance(encoder, twice, embed_excerpts(encoder, [a]))) < 1e-4
    assert near < far
    assert torch.equal(alone, embed_excerpts(encoder, [a]))


def test_an_objective_of_ones_own_is_the_mean_over_references() -> None:
    mix, near, far = one("night", styled=False), one("street"), one("street", db=-12)

    def level(x: torch.Tensor, reference: torch.Tensor, sample_rate: int) -> torch.Tensor:
        return (reference.square().mean() * 100).expand(len(x)) + 0 * x.mean((1, 2))

    options = {"method": "match", "objective": level, **QUICK}
    alone = [transfer(mix, one_, **options).solutions["drums"].loss_before for one_ in (near, far)]
    both = transfer(mix, near, also=[far], **options).solutions["drums"].loss_before
    assert both == pytest.approx(sum(alone) / 2, rel=1e-3)


@pytest.mark.parametrize("method", ["predict", "ensemble", "neural"])
def test_networks_take_several_too(method: str) -> None:
    mix, reference = one("night", styled=False), one("street")
    result = transfer(mix, reference, also=[one("night", db=-3)], method=method, excerpt_seconds=1.5, excerpt_count=1)
    alone = transfer(mix, reference, method=method, excerpt_seconds=1.5, excerpt_count=1)
    assert result.solutions["drums"].loss_after >= 0
    assert not torch.allclose(result.audio, alone.audio, atol=1e-4), "the other reference counts"
    assert any("2 references: street +0 50 %, night -3 50 %" in note for note in result.notes)


def test_a_stem_that_one_reference_lacks_is_that_of_the_others() -> None:
    mix = one("night", "drums", "bass", styled=False)
    result = transfer(mix, one("street", "bass"), also=[one("street", "drums", "bass")], method="match", **QUICK)
    assert set(result.solutions) == {"drums", "bass"}
    assert any(note.startswith("drums: street +0 has no such stem") for note in result.notes)


def test_the_same_performance_is_not_looked_for() -> None:
    mix, reference = one("night", styled=False), one("night")
    assert transfer(mix, reference, method="match", **QUICK).solutions["drums"].same_performance
    both = transfer(mix, reference, also=[one("street")], method="match", **QUICK)
    assert not both.solutions["drums"].same_performance


def test_stems_and_mixes_are_not_blended() -> None:
    mix, stems = one("night", styled=False), one("street")
    with pytest.raises(AudioError, match="mixes"):
        transfer(mix, stems, also=[as_mix(stems)], method="match", **QUICK)
    result = transfer(as_mix(mix), stems, also=[as_mix(stems)], method="match", **QUICK)
    assert set(result.solutions) == {"mix"}, "a mix is matched to the sum of either"


@pytest.mark.parametrize(
    "wrong", [[("a.wav", -1.0)], [("a.wav", float("nan"))], ("a.wav", 0.5), [("a.wav", float("inf"))]]
)
def test_weights_are_numbers_from_nothing_up(wrong: object) -> None:
    with pytest.raises(SettingsError) as error:
        Transfer(also=wrong)  # type: ignore[arg-type]
    assert error.value.hint


def test_the_command_line_and_what_it_leaves(songs: Path, tmp_path: Path) -> None:
    words = ["transfer", songs / "night", songs / "street", "-o", tmp_path / "out", "--method", "match"]
    words += ["--chain", CHAIN, "--and", f"{songs / 'night'}:0.25", "--json"]
    done = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "result.json").read_text())
    assert found["references"] == [{"name": "street", "weight": 0.8}, {"name": "night", "weight": 0.2}]
    provenance = json.loads((tmp_path / "out" / "preset.json").read_text())["provenance"]
    assert {"drums", "2/drums"} <= provenance["reference"].keys()
    report = (tmp_path / "out" / "report.html").read_text()
    assert "street + night" in report
    assert "street 80 %, night 20 %" in report
    missing = CliRunner().invoke(cli, [*map(str, words[:-3]), "--and", "nowhere.wav:2", "--force"])
    assert isinstance(missing.exception, MissingFileError)


def test_a_table_has_a_column_for_them(songs: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(
        f"input,reference,name,and,keep\n{songs}/night,{songs}/street,a,{songs}/night:3|{songs}/street.wav:0,level\n"
    )
    words = ["batch", str(tmp_path / "pairs.csv"), "-o", str(tmp_path / "out"), "--method", "match", "--chain", CHAIN]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "a" / "result.json").read_text())
    assert found["references"] == [{"name": "street", "weight": 0.25}, {"name": "night", "weight": 0.75}]


def test_the_command_that_makes_it_again_names_them() -> None:
    engine = Transfer(also=["b.wav", ("c d.wav", 0.5)])
    assert "--and b.wav:1 --and 'c d.wav:0.5'" in engine.command(Path("a"), Path("r"))
