"""Undoing damage: cases that are what they say, rows that survive an interruption, shares that add up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from stito.cli.evaluate import evaluate
from stito.data.degradation.fault import load_fault
from stito.errors import OutputError, SettingsError, UnknownNameError
from stito.evaluation.statistics import share
from stito.evaluation.undo import run as run_module
from stito.evaluation.undo.cases import ComposedMixes, UndoCase, draw_case, opened
from stito.evaluation.undo.outcome import NAMES, UndoOutcome, write_outcome
from stito.evaluation.undo.plan import ANOTHER, ITSELF, UndoPlan
from stito.evaluation.undo.rows import Change, Row, UndoLog
from stito.evaluation.undo.run import evaluate_undo
from stito.evaluation.undo.trial import predicted_severity
from stito.features.distance import families_of, feature_distances
from stito.models.loading import load_encoder

RATE = 44_100
SOURCE = ComposedMixes(seconds=2.0)
PLAN = UndoPlan(
    finder="stem", methods=("input", "match"), cases=1, seconds=1.5, chain="eq | gain", excerpts=1, references=(ITSELF,)
)


def case(plan: UndoPlan, number: int = 0) -> UndoCase:
    return draw_case(opened(SOURCE), plan, number)


def test_a_case_is_a_good_mix_its_damage_and_another_song() -> None:
    drawn = case(PLAN, 1)
    damaged = {damage.stem for damage in drawn.damage}
    assert 1 <= len(drawn.damage) <= 3
    assert {damage.severity for damage in drawn.damage} == {PLAN.severity}
    for name, x in drawn.good.items():
        assert torch.equal(drawn.damaged[name], x) == (name not in damaged)
    assert drawn.other_song != drawn.song
    assert damaged <= set(drawn.other)
    assert drawn.reference(ITSELF) is drawn.good
    assert drawn.reference(ANOTHER) is drawn.other


def test_the_same_plan_and_number_give_the_same_case_whatever_else_is_drawn() -> None:
    first, again, other = case(PLAN, 2), case(replace(PLAN, cases=7), 2), case(replace(PLAN, seed=1), 2)
    assert first.damage == again.damage
    assert all(torch.equal(x, again.damaged[name]) for name, x in first.damaged.items())
    assert first.damage != other.damage
    songs = {case(PLAN, number).song for number in range(len(opened(SOURCE).songs))}
    assert songs == set(opened(SOURCE).songs)


def test_faults_and_severity_are_those_that_are_asked_for() -> None:
    drawn = case(replace(PLAN, faults=("tilt",), severity=0.4))
    assert [(damage.fault, damage.severity) for damage in drawn.damage] == [("tilt", 0.4)]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"severity": 0.0}, SettingsError),
        ({"cases": 0}, SettingsError),
        ({"evaluations": 0}, SettingsError),
        ({"methods": ("oracle",)}, SettingsError),
        ({"finder": "features"}, SettingsError),
        ({"faults": ("dust",)}, UnknownNameError),
    ],
    ids=str,
)
def test_what_makes_no_case_is_refused(change: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        replace(PLAN, **change)  # type: ignore[arg-type]


def test_features_are_further_the_more_severe_a_fault_is() -> None:
    good = case(PLAN).good
    fault = load_fault("tilt")
    worst = fault.worst(good["drums"], RATE, np.random.default_rng(0))
    wanted, apart = families_of(good, RATE), []
    for severity in (0.0, 0.3, 1.0):
        drums = fault.render(good["drums"], RATE, fault.settings(worst, severity)) if severity else good["drums"]
        found = feature_distances(families_of({**good, "drums": drums}, RATE), wanted)
        assert set(found["drums"]) == {"dynamics", "spectral", "stereo", "masking"}
        apart.append(found["drums"]["spectral"])
    assert apart[0] == 0
    assert 0 < apart[1] < apart[2]


def test_features_have_units_in_which_three_decibels_are_one() -> None:
    x = {"drums": 0.1 * torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))}
    wanted = families_of(x, RATE)
    louder = feature_distances(families_of({"drums": 10 ** (3 / 20) * x["drums"]}, RATE), wanted)["drums"]
    assert louder["dynamics"] == pytest.approx((((2 * 1 + 5 * 1.5**2) / 11) ** 0.5), rel=0.02)
    assert louder["spectral"] == pytest.approx(0.0, abs=1e-3)
    assert "masking" not in louder


def test_severities_are_predicted_by_stem() -> None:
    drawn, finder = case(PLAN), load_encoder("stem")
    found = predicted_severity(finder, drawn.damaged | {"choir": drawn.good["drums"], "bass": 0 * drawn.good["bass"]})
    assert set(found) == set(drawn.good) - {"bass"}
    assert all(0 <= severity <= 1 for severity in found.values())


def test_rows_say_what_was_before_and_what_is_after(tmp_path: Path) -> None:
    log = tmp_path / "cases.jsonl"
    plan = replace(PLAN, faults=("tilt",))
    nothing, match = evaluate_undo(SOURCE, plan, log=log)
    assert (nothing.distance().before, nothing.predicted.before) == (nothing.distance().after, nothing.predicted.after)
    assert not nothing.back
    assert match.distance().after < 0.8 * match.distance().before
    assert match.features_back
    assert match.damaged_back
    (stem, fault), *_ = match.faults
    assert fault == "tilt"
    assert match.damaged == {stem}
    assert UndoLog(log, plan).rows == [nothing, match]


def test_an_interrupted_evaluation_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "cases.jsonl"
    tried = []

    def once(case: UndoCase, *_: object) -> Row:
        tried.append(case.number)
        if len(tried) == 2:
            raise KeyboardInterrupt
        return row(number=case.number)

    monkeypatch.setattr(run_module, "try_method", once)
    plan = replace(PLAN, methods=("input",), cases=2, references=(ITSELF,))
    with pytest.raises(KeyboardInterrupt):
        evaluate_undo(SOURCE, plan, log=log)
    assert evaluate_undo(SOURCE, plan, log=log) == evaluate_undo(SOURCE, plan, log=log)
    assert tried == [0, 1, 1]
    with pytest.raises(OutputError, match="another evaluation"):
        evaluate_undo(SOURCE, replace(plan, severity=0.5), log=log)


def row(
    distance: tuple[float, float] = (1.0, 1.0),
    severity: tuple[float, float] = (0.5, 0.5),
    *,
    number: int = 0,
    method: str = "input",
    reference: str = ITSELF,
    fault: str = "tilt",
) -> Row:
    features = {
        "drums": {"spectral": Change(0.0, *distance)},
        "bass": {"spectral": Change(0.0, 0.0, 0.0)},
    }
    severities = {"drums": Change(0.1, *severity), "bass": Change(0.1, 0.1, 0.1)}
    return Row(number, "night", reference, method, (("drums", fault),), features, severities)


def test_a_mix_has_come_back_where_both_are_better() -> None:
    assert row((1.0, 0.5), (0.5, 0.2)).back
    assert not row((1.0, 0.5), (0.5, 0.6)).back
    assert not row((1.0, 1.5), (0.5, 0.2)).back
    assert not row((1.0, 1.0), (0.5, 0.5)).features_back
    assert row((1.0, 0.5)).distance() == Change(0.0, 0.5, 0.25)
    assert row((1.0, 0.5)).distance({"drums"}) == Change(0.0, 1.0, 0.5)


def test_shares_count_cases_and_the_rest_is_told_apart(tmp_path: Path) -> None:
    rows = [
        row((1.0, 0.5), (0.5, 0.2), number=0, method="cma:stem"),
        row((1.0, 0.5), (0.5, 0.6), number=1, method="cma:stem"),
        row((1.0, 1.5), (0.5, 0.2), number=2, method="cma:stem", fault="gain"),
        row((1.0, 1.5), (0.05, 0.6), number=3, method="cma:stem", fault="gain"),
        *(row(number=number) for number in range(3)),
        row(severity=(0.05, 0.05), number=3),
    ]
    outcome = UndoOutcome(replace(PLAN, cases=4), rows)
    found = outcome.as_json()
    summary = found["summary"][ITSELF]["cma:stem"]
    assert summary["back"]["mean"] == 0.25
    assert (summary["features_only"], summary["quality_only"], summary["neither"]) == (1, 1, 1)
    assert found["summary"][ITSELF]["input"]["back"]["mean"] == 0
    assert found["by_fault"][ITSELF]["tilt"]["cma:stem"]["mean"] == 0.5
    assert found["told"]["mean"] == 0.75
    write_outcome(tmp_path, outcome, command="stito evaluate undo")
    assert {path.name for path in tmp_path.iterdir()} == set(NAMES)
    page = (tmp_path / "report.html").read_text()
    assert "its undamaged self" in page
    assert "data:image/png" in page
    assert "25 % [" in (tmp_path / "tables.md").read_text()


def test_an_interval_of_a_share_is_honest_about_all_and_none() -> None:
    every, none, half = share(20, 20), share(0, 20), share(10, 20)
    assert (every.mean, every.high) == (1.0, 1.0)
    assert every.low == pytest.approx(0.839, abs=1e-3)
    assert none.high == pytest.approx(0.161, abs=1e-3)
    assert half.low == pytest.approx(0.299, abs=1e-3)
    assert share(0, 0).draws == 0


def test_the_smallest_run_leaves_what_the_largest_does(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["undo", "--smoke", "--methods", "input,match", "--chain", "eq", "--cases", "1", "--json", "-o", str(out)]
    result = CliRunner().invoke(evaluate, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} >= {*NAMES, "cases.jsonl"}
    printed = json.loads(result.stdout)
    assert printed == json.loads((out / "result.json").read_text())
    assert set(printed["summary"]) == {ITSELF, ANOTHER}
    assert "stito evaluate undo --methods input,match" in (out / "report.html").read_text()
    assert "--smoke" in CliRunner().invoke(evaluate, ["undo", "-o", str(out)]).output
    assert "stito evaluate undo --data cache/" in CliRunner().invoke(evaluate, ["undo", "--help"]).output
