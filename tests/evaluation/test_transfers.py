"""Transfers with a known truth: cases that are what they say, rows that survive an interruption, honest summaries."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stito.effects.chain_files import load_chain
from stito.errors import OutputError, SettingsError, UnknownNameError, WeightsError
from stito.evaluation.encoders.cases import Material
from stito.evaluation.encoders.study import DemoSongs
from stito.evaluation.measures import measures
from stito.evaluation.transfers import cases as cases_module
from stito.evaluation.transfers.cases import Case, draw_transfer
from stito.evaluation.transfers.methods import ask, ask_again, measure
from stito.evaluation.transfers.page import TransferOutcome, write_outcome
from stito.evaluation.transfers.plan import TransferPlan
from stito.evaluation.transfers.rows import Log, Row
from stito.evaluation.transfers.run import evaluate_transfers
from stito.evaluation.transfers.sources import DemoSource
from stito.evaluation.transfers.summary import anytime_curves, evaluations_to_target, pairs, summarise
from stito.metrics.levels import si_sdr
from stito.metrics.spectral import multi_scale_spectral
from stito.models.loading import load_encoder
from stito.search.base import Budget, Found, Search, Step
from stito.search.driver import Loss, minimise
from stito_effects.fxmanipulator.impulses import Impulses
from stito_effects.fxmanipulator.manipulator import FXmanipulator

PLAN = TransferPlan(
    cases=2, seconds=2.0, evaluations=8, methods=("input", "level", "oracle"), chain="eq", evaluation_encoder="features"
)
MANIPULATOR = FXmanipulator(Impulses.synthetic(count=2))


@dataclass(frozen=True)
class With:
    """The demo's songs under effects that are used with these probabilities."""

    probabilities: tuple[tuple[str, float], ...]

    def material(self) -> Material:
        return DemoSongs()

    def manipulator(self) -> FXmanipulator:
        return FXmanipulator(Impulses.synthetic(count=2), probabilities=dict(self.probabilities))


def run(plan: TransferPlan, log: Path | None = None) -> list[Row]:
    return evaluate_transfers(DemoSource(), plan, log=log)


def drawn(plan: TransferPlan) -> list[Case]:
    return [draw_transfer(DemoSongs(), MANIPULATOR, plan, number) for number in range(plan.cases)]


def row(
    case: int,
    method: str,
    left_right: float,
    mid_side: float = 1.0,
    *,
    stem: str = "bass",
    reverb: bool = False,
    seconds: float = 0.1,
    evaluations: int = 0,
    anytime_curve: Sequence[tuple[float, float, float]] = (),
    history: Sequence[tuple[int, float]] = (),
) -> Row:
    measures = {"left_right": left_right, "mid_side": mid_side}
    return Row(case, stem, method, measures, seconds, evaluations, "", reverb, list(anytime_curve), list(history))


def test_reference_and_truth_are_different_music_and_the_truth_is_not_the_input() -> None:
    for case in drawn(PLAN):
        assert multi_scale_spectral(case.source[None], case.truth[None]).left_right > 0.01
        assert multi_scale_spectral(case.reference[None], case.truth[None]).left_right > 0.01


def test_the_same_seed_draws_the_same_cases_however_many_there_are() -> None:
    first = drawn(PLAN)[0]
    again = drawn(replace(PLAN, cases=3))[0]
    assert torch.equal(first.truth, again.truth)
    assert torch.equal(first.reference, again.reference)


def test_mixed_inputs_are_those_of_the_same_cases_with_effects_of_their_own() -> None:
    for plain, mixed in zip(drawn(PLAN), drawn(replace(PLAN, mixed=True)), strict=True):
        assert torch.equal(plain.truth, mixed.truth)
        assert torch.equal(plain.reference, mixed.reference)
        for name, part in plain.parts.items():
            assert part.asked_lufs == mixed.parts[name].asked_lufs
        assert multi_scale_spectral(plain.source[None], mixed.source[None]).left_right > 0.01


def test_effects_may_be_milder() -> None:
    for strong, mild in zip(drawn(PLAN), drawn(replace(PLAN, strength=0.3)), strict=True):
        assert torch.equal(strong.source, mild.source)
        much, little = (
            float(multi_scale_spectral(case.source[None], case.truth[None]).left_right[0]) for case in (strong, mild)
        )
        assert 1e-3 < little < much


def test_a_multitrack_is_the_sum_of_its_stems_each_under_effects_of_its_own() -> None:
    (case,) = drawn(replace(PLAN, cases=1, multitrack=True))
    assert case.subject == "multitrack"
    assert set(case.parts) == set(DemoSongs.stems)
    for kind in ("source", "reference", "truth"):
        assert torch.allclose(getattr(case, kind), sum(getattr(part, kind) for part in case.parts.values()), atol=1e-6)
    effects = [part.effects for part in case.parts.values()]
    assert all(of is not None for of in effects)
    (found,) = run(replace(PLAN, cases=1, multitrack=True, methods=("match",)))
    assert found.stem == "multitrack"


class Halves:
    """Gives the drums a tenth of the bass, and all else to what it calls the rest."""

    name, sample_rate = "halves", 44_100

    def __init__(self, drums: Tensor, rest: Tensor) -> None:
        self.stems = {"drums": drums + 0.1 * rest, "rest": 0.9 * rest}

    def separate(self, x: Tensor) -> dict[str, Tensor]:
        assert torch.allclose(x, sum(self.stems.values()), atol=1e-5)  # type: ignore[arg-type]
        return self.stems


def test_separated_references_are_given_in_place_of_the_true_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, cases=1, multitrack=True)
    (whole,) = drawn(plan)
    separator = Halves(whole.parts["drums"].reference, whole.parts["bass"].reference)
    monkeypatch.setattr(cases_module, "_separator", lambda name: separator)
    (case,) = drawn(replace(plan, separator="halves"))
    assert set(case.parts) == {"drums", "rest"}  # what has no name there goes together
    assert torch.equal(case.truth, whole.truth)
    for name, part in case.parts.items():
        assert torch.allclose(part.given_reference, separator.stems[name], atol=1e-6)
    assert torch.allclose(case.parts["rest"].source, whole.parts["bass"].source)
    expected = [si_sdr(part.given_reference[None], part.reference[None]) for part in case.parts.values()]
    assert case.sdr_db == pytest.approx(float(torch.cat(expected).mean()))
    found = measure(case, ask("match"), load_chain("eq"), load_encoder("features"), plan)
    assert found.measures["sdr_db"] == case.sdr_db
    separator.stems["other"] = torch.zeros_like(separator.stems["rest"])
    with pytest.raises(SettingsError, match="no place for bass"):
        cases_module._separated(whole, "halves")


def test_a_search_that_may_look_at_the_truth_beats_doing_nothing() -> None:
    rows = run(replace(PLAN, cases=1, seconds=1.0, evaluations=30))
    apart = {row.method: row.left_right + row.mid_side for row in rows}
    assert apart["oracle"] < apart["input"]


def test_everything_is_measured_and_in_its_place() -> None:
    plan = replace(PLAN, methods=("input", "match", "random:features:neutral", "oracle"), chain="mixing")
    for found in run(plan):
        assert set(found.measures) == set(measures()) - {"sdr_db"}
        assert all(value >= 0 for value in found.measures.values())
        spent = {"random:features:neutral": 8, "oracle": 8}.get(found.method, 0)
        assert found.evaluations == spent
        assert bool(found.history) == found.method.startswith("random")
    assert not any("knobs_off" in found.measures for found in run(replace(plan, mixed=True, methods=("input",))))


def test_what_is_right_already_is_measured_as_right() -> None:
    nothing = With(tuple((effect, 0.0) for effect in MANIPULATOR.probabilities))
    # of a segment that sounds in every band: in silent ones encoders measure what rounding leaves
    plan = replace(PLAN, cases=1, methods=("input",), chain="mixing", seed=3)
    (found,) = evaluate_transfers(nothing, plan)
    assert found.left_right == pytest.approx(0, abs=1e-6)
    for name in ("to_truth", "loudness_lu", "spectrum_db", "width_db", "crest_db", "knobs_off"):
        assert found.measures[name] == pytest.approx(0, abs=1e-3), name
    assert found.measures["to_reference"] > 0.01  # it is other music
    assert found.measures["truth_to_reference"] == pytest.approx(found.measures["to_reference"], abs=1e-3)


def test_the_course_is_the_input_until_a_method_knows_better() -> None:
    plan = replace(PLAN, cases=1, seconds=1.0, methods=("input", "cma:features:neutral"), evaluations=None, at=(0, 4))
    quiet, searched = run(plan)
    assert [moment for moment, _, _ in searched.anytime_curve] == [0, 4]
    assert searched.anytime_curve[0][1:] == pytest.approx((quiet.left_right, quiet.mid_side))
    assert searched.anytime_curve[1][1:] != searched.anytime_curve[0][1:]
    assert searched.evaluations > 8  # as many as there was time for
    assert searched.seconds > 3.9


def test_no_clock_runs_while_a_method_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    warmed = []
    monkeypatch.setattr("stito.evaluation.transfers.run.warm_up", lambda case, asked, *_: warmed.append(asked.name))
    plan = replace(PLAN, cases=2, seconds=1.0, methods=("input", "match"), at=(0.0, 1.0), data="of this test")
    run(plan)
    assert warmed == ["input", "match"]
    run(replace(plan, at=()))
    assert len(warmed) == 2


def test_plans_that_make_no_sense_are_refused() -> None:
    for wrong in (
        {"at": (5.0, 1.0)},
        {"at": (0.0,)},
        {"at": (-1.0, 1.0)},
        {"at": (1.0,), "multitrack": True},
        {"separator": "demucs"},
        {"methods": ()},
        {"evaluations": 0},
        {"strength": 1.5},
        {"strength": 0.0},
    ):
        with pytest.raises(SettingsError):
            replace(PLAN, **wrong)


def test_an_interrupted_evaluation_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = tmp_path / "cases.jsonl"
    short = run(replace(PLAN, cases=1), log)
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines, '{"case": 1, "st']))  # cut off while writing
    whole = run(PLAN, log)
    assert whole[: len(short)] == short
    assert {(row.case, row.method) for row in whole} == {(c, m) for c in range(2) for m in PLAN.methods}


def test_a_log_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    log, plan = tmp_path / "cases.jsonl", replace(PLAN, cases=1, methods=("input",), at=(1.0,))
    rows = run(plan, log)
    text = log.read_text()
    log.write_text(text.replace('"evaluation_encoder', '"judge').replace('"anytime_curve"', '"course"'))
    assert log.read_text() != text
    assert Log(log, plan).rows == rows
    log.write_text('["nothing of ours"]')
    with pytest.raises(OutputError, match="another evaluation"):
        Log(log, plan)


def test_half_a_search_is_no_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "cases.jsonl"
    monkeypatch.setattr("stito.engine.methods.search.minimise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(replace(PLAN, cases=1, methods=("input", "random:features"), evaluations=200), log)
    assert [kept.method for kept in Log(log, replace(PLAN, evaluations=200)).rows] == ["input"]


def interrupted(loss: Loss, search: Search, *, budget: Budget, on_step: object, patience: object) -> Found:
    """A search that a person ends after its first generation."""

    def stop(step: Step) -> None:
        raise KeyboardInterrupt

    return minimise(loss, search, budget=budget, on_step=stop)


def test_rows_of_another_evaluation_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "cases.jsonl"
    plan = replace(PLAN, cases=1, methods=("input",))
    run(plan, log)
    for other in ({"evaluations": 9}, {"data": "other songs"}, {"mixed": True}):
        with pytest.raises(OutputError, match="another evaluation"):
            Log(log, replace(plan, **other))  # type: ignore[arg-type]


def test_rows_of_cases_that_were_drawn_otherwise_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "cases.jsonl"
    plan = replace(PLAN, cases=1, methods=("input",))
    run(plan, log)
    header, *lines = log.read_text().splitlines()
    before = {key: value for key, value in json.loads(header).items() if key != "streams"}
    log.write_text("\n".join([json.dumps(before), *lines]))
    with pytest.raises(OutputError, match="another evaluation"):
        Log(log, plan)


def test_rows_of_other_weights_are_not_taken_for_these(tmp_path: Path) -> None:
    log = tmp_path / "cases.jsonl"
    plan = replace(PLAN, cases=1, methods=("match",))
    (found,) = run(plan, log)
    header, line = log.read_text().splitlines()
    stale = json.loads(line) | {"digest": "of other weights", "measures": {"left_right": 9.0, "mid_side": 9.0}}
    log.write_text(f"{header}\n{json.dumps(stale)}\n")
    (again,) = run(plan, log)
    assert again.measures == found.measures


def test_a_search_that_starts_from_a_converter_depends_on_its_weights() -> None:
    converter = ask("neural").digest
    assert ask("cma:features:match").digest == ask("predict").digest == ""
    for method in ("cma:features", "cma:features:neural", "ensemble"):
        assert ask(method).digest == converter != ""
    assert ask("cma:fxencoder:neural").digest == ask("cma:fxencoder:match").digest + converter


def test_other_weights_elsewhere_are_told() -> None:
    with pytest.raises(WeightsError, match="differ between machines"):
        ask_again("match", "other weights")


def test_an_encoder_that_is_not_there_is_told_before_any_case() -> None:
    with pytest.raises(UnknownNameError, match="nothing_installed"):
        evaluate_transfers(
            DemoSource(),
            replace(PLAN, methods=("input", "cma:nothing_installed")),
            on_row=lambda row: pytest.fail("a case was run"),
        )


def test_the_summary_compares_with_the_closed_form_case_by_case() -> None:
    rows = [
        *(row(case, "match", 2.0 + case, 4.0) for case in range(3)),
        *(row(case, "cma:x", 1.9 + case, 4.5) for case in range(3)),
    ]
    found = summarise(rows)["all"]["cma:x"]
    for name in ("below_match", "below_match_low", "below_match_high"):  # though cases are far apart
        assert found[f"left_right_{name}"] == pytest.approx(0.1)
        assert found[f"mid_side_{name}"] == pytest.approx(-0.5)
    assert "left_right_below_match" not in summarise(rows[3:])["all"]["cma:x"]


def test_the_summary_has_the_reduction_of_the_distance_in_percent() -> None:
    rows = [
        *(row(case, "input", 2.0 + case, 4.0) for case in range(3)),
        *(row(case, "cma:x", 1.0 + case / 2, 1.0) for case in range(3)),
    ]
    found = summarise(rows)["all"]["cma:x"]
    assert found["left_right"] == pytest.approx(1.5)
    assert found["left_right_reduction_percent"] == pytest.approx(50)
    assert found["left_right_reduction_percent_low"] == pytest.approx(50)  # each case is halved, whichever are drawn
    assert found["mid_side_reduction_percent"] == pytest.approx(75)
    assert found["left_right_low"] < 1.5 < found["left_right_high"]


def test_kinds_of_cases_are_told_apart() -> None:
    rows = [
        row(case, "match", 1.0 + case % 2, stem=("bass", "drums")[case // 3], reverb=case % 2 == 1) for case in range(6)
    ]
    summary = summarise(rows)
    assert list(summary) == ["all", "dry", "reverb", "bass", "drums"]
    assert [summary[part]["match"]["left_right"] for part in ("all", "dry", "reverb")] == [1.5, 1.0, 2.0]
    assert list(summarise(rows[::2][:2])) == ["all", "dry"]  # one kind alone is all there is


def test_differences_are_tested_case_by_case_and_corrected_for_their_number() -> None:
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(40, generator=generator).tolist()
    rows = [row(case, "input", 5.0 + noise[case]) for case in range(40)]
    rows += [row(case, "near", 4.0 + noise[case] + 0.01 * noise[-case]) for case in range(40)]
    rows += [row(case, "like", 5.0 + noise[case] + 0.01 * noise[-case]) for case in range(40)]
    found = {(pair.first, pair.second): pair.found for pair in pairs(rows) if pair.measure == "left_right"}
    better = found["input", "near"]
    assert better.difference == pytest.approx(1.0, abs=0.01)
    assert better.low > 0.9
    assert better.p < 1e-6
    assert better.t_p < 1e-6
    same = found["input", "like"]
    assert same.p == pytest.approx(1.0)  # nothing, times three
    assert found["near", "like"].cases == 40
    assert not pairs(rows[:1])
    text = TransferOutcome(PLAN, rows).text()
    left_right = text.split("Between methods, left/right")[1].split("Row minus column")[0]
    assert re.search(r"near +\N{MINUS SIGN}(1\.0|\.9)\d+\*", left_right)
    assert left_right.count("*") == 2  # of near and input, and of like and near


def test_anytime_curves_are_means_over_cases() -> None:
    rows = [row(case, "match", 1.0, anytime_curve=[(1.0, 2.0 + case, 3.0), (5.0, 1.0, 1.0)]) for case in range(3)]
    assert anytime_curves(rows) == {"match": [(1.0, 3.0, 3.0), (5.0, 1.0, 1.0)]}
    assert not anytime_curves([row(0, "match", 1.0)])


def test_a_search_reaches_its_target_where_its_distance_is_no_larger() -> None:
    rows = []
    for case, soon in enumerate((10, 20, 1000)):
        rows.append(row(case, "cma:x:neutral", 1.0, evaluations=100, history=[(10, 3.0), (90, 1.0)]))
        rows.append(
            row(case, "cma:x:neural", 1.0, evaluations=100, history=[(5, 2.0), (soon, 0.9)] if soon < 100 else [(5, 2)])
        )
        rows.append(row(case, "cma:y:neural", 1.0, evaluations=100, history=[(1, 0.0)]))
    rows += [row(3, "cma:x:neutral", 1.0), row(3, "cma:x:neural", 1.0)]  # where nothing was searched
    found = {(pair.search, pair.other): pair for pair in evaluations_to_target(rows)}
    assert set(found) == {("cma:x:neutral", "cma:x:neural"), ("cma:x:neural", "cma:x:neutral")}
    soon = found["cma:x:neural", "cma:x:neutral"]
    assert (soon.cases, soon.reached, soon.share) == (3, 2, 0.2)


def test_whether_the_truth_has_reverb_is_known_of_every_case(tmp_path: Path) -> None:
    plan = replace(PLAN, cases=8, methods=("input",))
    rows = evaluate_transfers(With((("reverb", 1.0),)), plan, log=tmp_path / "log")
    assert any(row.reverb for row in rows)
    assert Log(tmp_path / "log", plan).rows == rows


def test_what_is_left_on_disk_says_it_all(tmp_path: Path) -> None:
    plan = replace(PLAN, methods=("input", "match", "oracle"), at=(0.001, 5.0), data="songs")
    write_outcome(tmp_path, TransferOutcome(plan, run(plan)), command="stito evaluate transfer -o out")
    result = json.loads((tmp_path / "result.json").read_text())
    assert set(result["summary"]["all"]) == set(plan.methods)
    assert len(result["pairs"]) == 6
    assert "## Anytime curves" in (tmp_path / "tables.md").read_text()
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png") == 2
    assert "stito evaluate transfer -o out" in page
