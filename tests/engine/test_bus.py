"""Stems against one mix: what they have in common is on the master, and what is written says the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from conftest import CHAIN, RATE, as_mix, solved, song
from stito import transfer
from stito.console.preset import Preset, load_preset
from stito.console.strips import MOST_MOVED_DB, gain, loudness, render_preset, render_strip
from stito.effects.chain_files import load_chain
from stito.engine.options import TransferOptions
from stito.engine.render import render_part
from stito.engine.result import Progress
from stito.engine.solve import prepare
from stito.engine.starts import pose
from stito.errors import ChainError, SettingsError, UnknownNameError
from stito.mix import Mix, add_up, read_mix
from stito.search.base import Budget, StopReason
from stito.workflows.apply import run_apply
from stito.workflows.result import TransferResult, result_json
from stito.workflows.transfer import Transfer, run_transfer

QUICK = {"chain": CHAIN, "excerpt_seconds": 1.5, "excerpt_count": 1, "simplify": "off"}
MASTER = "eq | compressor | gain"
STEMS = ("drums", "bass", "other")


def stems(name: str = "night", **options: object) -> Mix:
    return song(name, stems=STEMS, **options)


@pytest.fixture(scope="module")
def searched() -> TransferResult:
    """Three stems against a released mix of another song."""
    reference = as_mix(stems("street", styled=True))
    return transfer(stems(), reference, budget=Budget(evaluations=100), **QUICK)


def settings_vectors(result: TransferResult) -> dict[str, torch.Tensor]:
    """Where the knobs of each strip stand, in theta."""
    return {name: chain.encode(values) for name, (chain, values) in result.solutions["sum"].strips.items()}


def test_a_hidden_master_is_found_on_the_master_and_not_on_the_strips() -> None:
    released, chain = as_mix(stems("street")), load_chain("eq")
    hidden = chain.settings(chain.encode({"eq": {"low_mid_gain_db": -6.0, "high_gain_db": 6.0}}))
    mastered = Mix.from_arrays(chain.render_one(released.sum(), hidden, RATE), RATE)
    options = {"master": "eq", "budget": Budget(evaluations=100), **QUICK}
    plain, found = (solved(stems(), reference, **options).preset for reference in (released, mastered))
    assert plain.master is not None
    assert found.master is not None
    change = {
        name: value - plain.master.build()[1]["eq"][name] for name, value in found.master.build()[1]["eq"].items()
    }
    assert change["high_gain_db"] == pytest.approx(6.0, abs=3.0)
    assert change["low_mid_gain_db"] == pytest.approx(-6.0, abs=3.0)
    for stem in STEMS:
        gains = [value for name, value in found.stems[stem].build()[1]["eq"].items() if name.endswith("gain_db")]
        assert max(map(abs, gains)) < 2.0


def test_master_and_strips_are_simplified_together(searched: TransferResult) -> None:
    """Fewer knobs are off neutral, on the master too, and the distance to the reference rises by less than a tenth."""
    options = {**QUICK, "simplify": 0.5, "budget": Budget(evaluations=100)}
    fewer = transfer(stems(), as_mix(stems("street", styled=True)), **options)

    def moves(result: TransferResult) -> dict[str, int]:
        strips = result.preset.strips()
        return {name: strip.moves for name, strip in strips.items()}

    before, after = moves(searched), moves(fewer)
    assert set(before) == set(after) == {*STEMS, "master"}
    assert sum(after.values()) < sum(before.values()) / 2
    solution, full = fewer.solutions["sum"], searched.solutions["sum"]
    assert set(solution.worth) == {*STEMS, "master"}
    assert solution.loss_after < full.loss_after + 0.1 * full.loss_before
    data = fewer.report()
    said = result_json(fewer, data)["moves"]
    assert {name: strip["moves"] for name, strip in said.items()} == after
    (of_mix,) = (row for row in data.rows if row.name == "mix")
    assert [effect.worth for effect in of_mix.settings] == [
        strip["worth"] for strip in said["master"]["effects"].values()
    ]


@pytest.mark.parametrize("kept", ["balance", "level"])
def test_where_the_balance_is_kept_no_fader_is_searched_and_what_is_said_is_what_is_written(kept: str) -> None:
    found = transfer(stems(), as_mix(stems("street")), keep=kept, budget=Budget(evaluations=30), **QUICK)
    solution = found.solutions["sum"]
    assert set(solution.faders_db.values()) <= {0.0}
    before = {name: found.rendered.levels[name].balance_lufs - stems().levels(name).balance_lufs for name in STEMS}
    assert max(before.values()) - min(before.values()) < 0.1
    assert solution.distances[-1] == pytest.approx(solution.loss_after, rel=0.05)


def test_no_two_strips_are_the_same_and_all_are_close_to_neutral(searched: TransferResult) -> None:
    vectors = settings_vectors(searched)
    neutral = load_chain(CHAIN).encode({})
    for name, theta in vectors.items():
        assert not torch.equal(theta, neutral)
        assert float((theta - neutral).square().mean().sqrt()) < 0.1
        assert all(not torch.allclose(theta, other, atol=1e-4) for stem, other in vectors.items() if stem != name)


def test_the_balance_is_bounded_behind_the_faders(searched: TransferResult) -> None:
    before = {name: stems().levels(name).balance_lufs for name in STEMS}
    moved = torch.tensor([searched.rendered.levels[name].balance_lufs - before[name] for name in STEMS])
    assert float((moved - moved.median()).abs().max()) <= MOST_MOVED_DB + 0.01


def test_the_written_stems_through_the_master_are_the_written_sum(searched: TransferResult) -> None:
    preset = searched.preset
    assert preset.master is not None
    behind = render_strip(add_up(searched.stems.values()), preset.master, RATE)
    made = behind * gain(preset.master.fader_db + searched.rendered.output_gain_db)
    assert torch.allclose(made, searched.audio, atol=1e-5)


def test_a_preset_with_a_master_makes_the_same_sum_again(searched: TransferResult) -> None:
    preset = Preset.model_validate_json(searched.preset.to_json())
    for rendered in (render_preset(stems(), preset), render_part(stems(), preset, 1.0)):
        assert torch.allclose(rendered.mix, searched.audio, atol=1e-4)
        for name in STEMS:
            assert torch.allclose(rendered.stems[name], searched.stems[name], atol=1e-4)
    none = render_part(stems(), preset, 0.0)
    assert torch.allclose(none.mix, stems().sum() * gain(none.output_gain_db), atol=1e-3)


def test_a_stem_alone_goes_into_no_master(searched: TransferResult) -> None:
    bass = Mix.from_arrays(stems().stems["bass"], RATE, stem="bass")
    rendered = render_preset(bass, searched.preset)
    wanted = searched.stems["bass"] * gain(rendered.output_gain_db)
    assert torch.allclose(rendered.mix, wanted, atol=1e-4)


@pytest.mark.parametrize("amount", [0.0, 0.5])
def test_a_part_of_a_preset_with_a_master_is_what_a_transfer_of_that_amount_gives(amount: float) -> None:
    mix, reference = stems(), as_mix(stems("street", styled=True))
    options = {"method": "match", "master": MASTER, **QUICK}
    whole, part = (transfer(mix, reference, amount=share, **options) for share in (1.0, amount))
    again = render_part(mix, whole.preset, amount)
    assert torch.allclose(
        again.mix / gain(again.output_gain_db), part.audio / gain(part.rendered.output_gain_db), atol=5e-3
    )
    have, want = loudness(mix.sum(), RATE), loudness(reference.sum(), RATE)
    assert loudness(again.mix, RATE) - again.output_gain_db == pytest.approx(have + amount * (want - have), abs=0.1)


def test_the_closed_form_of_stems_is_the_master_that_their_sum_would_get() -> None:
    mix, reference = stems(), as_mix(stems("street", styled=True))
    quick = {"method": "match", "excerpt_seconds": 1.5, "excerpt_count": 1}
    of_stems = solved(mix, reference, **quick).preset
    of_sum = solved(as_mix(mix), reference, **quick).preset
    assert of_stems.master is not None
    assert of_stems.master.chain == of_sum.stems["mix"].chain
    for strip in of_stems.stems.values():
        chain, values = strip.build()
        assert strip.fader_db == pytest.approx(0.0, abs=1e-6)
        assert torch.allclose(chain.encode(values), chain.encode({}), atol=1e-6)


def test_all_stages_together_stay_within_the_budget() -> None:
    steps: list[Progress] = []
    reference = as_mix(stems("street", styled=True))
    for evaluations in (1, 30):
        found = solved(stems(), reference, budget=Budget(evaluations=evaluations), on_step=steps.append, **QUICK)
        solution = found.solutions["sum"]
        assert solution.evaluations == evaluations
        assert solution.history[-1].evaluations == evaluations
    losses = [step.loss for step in solution.history]
    assert losses == sorted(losses, reverse=True)
    assert solution.distances[-1] == pytest.approx(solution.loss_after, abs=1e-3)


@pytest.mark.parametrize("after", [1, 16, 40])
def test_ctrl_c_in_any_stage_leaves_a_result(after: int) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step is not None and progress.step.evaluations >= after:
            raise KeyboardInterrupt

    mix, reference = stems(), as_mix(stems("street", styled=True))
    result = transfer(mix, reference, budget=Budget(evaluations=50), on_step=interrupt, **QUICK)
    assert result.solved.interrupted
    assert result.solutions["sum"].stop == StopReason.INTERRUPTED.value
    assert after <= result.solutions["sum"].evaluations < 50
    assert result.preset.master is not None


def test_a_master_is_only_where_several_stems_meet_one_mix() -> None:
    mix, reference, styled = stems(), as_mix(stems("street", styled=True)), stems("street", styled=True)
    match = {"method": "match", **QUICK}
    assert solved(mix, styled, **match).preset.master is None
    assert solved(as_mix(mix), reference, **match).preset.master is None
    assert solved(mix, reference, master="none", **match).preset.master is None
    assert solved(mix, as_mix(stems(styled=True)), **match).preset.master is None, "the same performance"
    asked = solved(mix, reference, master=MASTER, **match).preset.master
    assert asked is not None
    assert [entry.label for entry in asked.chain] == ["eq", "compressor", "gain"]
    with pytest.raises(SettingsError, match="master"):
        solved(mix, styled, master=MASTER, **match)
    with pytest.raises((UnknownNameError, ChainError)):
        solved(mix, reference, master="no such chain", **match)


def test_without_a_master_all_stems_start_from_one_closed_form() -> None:
    mix, reference = stems(), as_mix(stems("street", styled=True))
    chains = [
        strip.chain for strip in solved(mix, reference, method="match", master="none", **QUICK).preset.stems.values()
    ]
    assert chains[0] == chains[1] == chains[2]


def test_held_strips_render_as_strips_that_stand_there() -> None:
    task = prepare(stems(), as_mix(stems("street")), TransferOptions(**QUICK))
    problem = pose(task.pairs[0], task.context)
    assert problem.bus is not None
    random = torch.Generator().manual_seed(0)
    theta = 0.5 * problem.starts["match"] + 0.5 * torch.rand(len(problem.starts["match"]), generator=random)
    for stage in problem.stages:
        rows = theta.repeat(3, 1)
        rows[:, stage.knobs] = torch.rand(3, len(stage.knobs), generator=random)
        with torch.no_grad():
            assert torch.allclose(stage.objective(theta)(rows), problem.objective(rows), rtol=1e-4), stage.name
    theta = rows
    faders = problem.bus.faders(theta[0])
    assert sum(faders.values()) == pytest.approx(0.0, abs=1e-5)


def test_a_gradient_reaches_master_faders_and_strips() -> None:
    task = prepare(stems(), as_mix(stems("street")), TransferOptions(method="gradient", **QUICK))
    problem = pose(task.pairs[0], task.context)
    theta = (problem.starts["match"][None] + 0.03).clamp(0, 0.97).requires_grad_(True)
    problem.objective(theta).sum().backward()
    assert theta.grad is not None
    assert torch.isfinite(theta.grad).all()
    assert problem.bus is not None
    parts = theta.grad[0].split([problem.bus.master.dim, len(STEMS), len(STEMS) * problem.bus.strip.dim])
    assert all(float(part.abs().max()) > 0 for part in parts)


def test_the_report_has_the_master_first(searched: TransferResult, tmp_path: Path) -> None:
    report = searched.report()
    assert [row.name for row in report.rows] == ["mix", *STEMS]
    assert [effect.label for effect in report.rows[0].settings] == [
        slot.label for slot in load_chain("mastering").slots
    ]
    assert any(fact.label == "Master" and fact.value == "mastering" for fact in report.facts)
    written = json.loads(json.dumps(result_json(searched, report)))
    assert written["master"]["settings"] == searched.settings["master"]
    assert any("master" in note for note in searched.notes)
    assert {row[0] for row in searched.preset.rows()} == {*STEMS, "master"}
    searched.save(tmp_path / "out")
    assert "master" in (tmp_path / "out" / "preset.csv").read_text()


def test_written_stems_through_the_presets_master_are_the_written_mix_and_apply_writes_both_again(
    songs: Path, tmp_path: Path
) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    engine = Transfer(method="match", master=MASTER, **QUICK)
    result = run_transfer(engine, songs / "night", songs / "street.wav", out)
    assert f'--master "{MASTER}"' in result.command or f"--master '{MASTER}'" in result.command
    preset = load_preset(out / "preset.json")
    assert preset.master is not None
    behind = render_strip(read_mix(out / "stems").sum(), preset.master, RATE)
    mixed = read_mix(out / "mix.wav").sum()
    assert torch.allclose(behind * gain(preset.master.fader_db + preset.output_gain_db), mixed, atol=1e-3)
    run_apply(out / "preset.json", songs / "night", again)
    assert torch.allclose(read_mix(again / "mix.wav").sum(), mixed, atol=1e-3)
    assert sorted(path.name for path in (again / "stems").iterdir()) == sorted(
        path.name for path in (out / "stems").iterdir()
    )
