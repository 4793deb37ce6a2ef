"""Transfers with a known truth: cases that are what they say, rows that survive an interruption, honest summaries."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from stito.chains import load_chain
from stito.data.impulses import Impulses
from stito.data.manipulate import Manipulator
from stito.errors import OutputError, UnknownNameError
from stito.evaluation.study import DemoSongs
from stito.evaluation.transfer import (
    Row,
    TransferPlan,
    draw_transfers,
    evaluate_transfers,
    read_rows,
    summarise,
    table,
)
from stito.metrics.spectral import multi_scale_spectral

PLAN = TransferPlan(cases=2, seconds=2.0, evaluations=8, methods=("input", "level", "oracle"), chain="eq")
MANIPULATOR = Manipulator(Impulses.synthetic(count=2))


def run(plan: TransferPlan, log: Path | None = None) -> list[Row]:
    return evaluate_transfers(DemoSongs(), MANIPULATOR, plan, chain=load_chain(plan.chain), log=log)


def test_the_same_seed_draws_the_same_cases_however_many_there_are() -> None:
    first, *_ = draw_transfers(DemoSongs(), MANIPULATOR, PLAN)
    again = next(iter(draw_transfers(DemoSongs(), MANIPULATOR, replace(PLAN, cases=9))))
    assert torch.equal(first.truth, again.truth)
    assert torch.equal(first.reference, again.reference)


def test_reference_and_truth_are_different_music_and_the_truth_is_not_the_input() -> None:
    for case in draw_transfers(DemoSongs(), MANIPULATOR, PLAN):
        assert multi_scale_spectral(case.source[None], case.truth[None]).left_right > 0.01
        assert multi_scale_spectral(case.reference[None], case.truth[None]).left_right > 0.01


def test_mixed_inputs_are_those_of_the_same_cases_with_effects_of_their_own() -> None:
    pairs = zip(
        *(draw_transfers(DemoSongs(), MANIPULATOR, replace(PLAN, mixed=mixed)) for mixed in (False, True)), strict=True
    )
    for plain, mixed in pairs:
        assert torch.equal(plain.truth, mixed.truth)
        assert torch.equal(plain.reference, mixed.reference)
        assert plain.asked_lufs == mixed.asked_lufs
        assert multi_scale_spectral(plain.source[None], mixed.source[None]).left_right > 0.01


def test_a_search_that_may_look_at_the_truth_beats_doing_nothing() -> None:
    rows = run(replace(PLAN, cases=1, seconds=1.0, evaluations=30))
    apart = {row.method: row.left_right + row.mid_side for row in rows}
    assert apart["oracle"] < apart["input"]


def test_an_interrupted_evaluation_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = tmp_path / "cases.jsonl"
    short = run(replace(PLAN, cases=1), log)
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines, '{"case": 1, "st']))  # cut off while writing
    whole = run(PLAN, log)
    assert whole[: len(short)] == short
    assert {(row.case, row.method) for row in whole} == {(c, m) for c in range(2) for m in PLAN.methods}


def test_rows_of_another_evaluation_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "cases.jsonl"
    run(replace(PLAN, cases=1, methods=("input",)), log)
    with pytest.raises(OutputError, match="another evaluation"):
        read_rows(log, replace(PLAN, evaluations=9))


def test_the_summary_compares_with_the_closed_form_case_by_case() -> None:
    rows = [
        *(Row(case, "bass", "match", 2.0 + case, 4.0, 0.1) for case in range(3)),
        *(Row(case, "bass", "cma:x", 1.9 + case, 4.5, 9.0) for case in range(3)),
    ]
    found = summarise(rows)["all"]["cma:x"]
    for name in ("below_match", "below_match_low", "below_match_high"):  # though cases are far apart
        assert found[f"left_right_{name}"] == pytest.approx(0.1)
        assert found[f"mid_side_{name}"] == pytest.approx(-0.5)
    assert "+0.100 (+0.100 to +0.100)" in table(summarise(rows))
    assert "left_right_below_match" not in summarise(rows[3:])["all"]["cma:x"]


def test_the_summary_says_what_share_is_gone() -> None:
    rows = [
        *(Row(case, "bass", "input", 2.0 + case, 4.0, 0.1) for case in range(3)),
        *(Row(case, "bass", "cma:x", 1.0 + case / 2, 1.0, 9.0) for case in range(3)),
    ]
    summary = summarise(rows)
    found = summary["all"]["cma:x"]
    assert found["left_right"] == pytest.approx(1.5)
    assert found["left_right_reduction"] == pytest.approx(0.5)
    assert found["left_right_reduction_low"] == pytest.approx(0.5)  # each case is halved, whichever are drawn
    assert found["mid_side_reduction"] == pytest.approx(0.75)
    assert found["left_right_low"] < 1.5 < found["left_right_high"]
    assert summary["bass"] == summary["all"]
    assert "cma:x" in table(summary)
    assert "50%" in table(summary)


def test_truths_with_reverb_are_told_apart() -> None:
    rows = [Row(case, "vocals", "match", 1.0 + case % 2, 1.0, 0.1, reverb=case % 2 == 1) for case in range(6)]
    summary = summarise(rows)
    assert list(summary) == ["all", "dry", "reverb", "vocals"]
    assert [summary[part]["match"]["left_right"] for part in summary] == [1.5, 1.0, 2.0, 1.5]
    assert list(summarise(rows[::2])) == ["all", "dry", "vocals"]
    unknown = [Row(case, "vocals", "level", 1.0, 1.0, 0.1) for case in range(6)]  # by an earlier version
    assert list(summarise([*rows, *unknown])["dry"]) == ["match"]


def test_whether_the_truth_has_reverb_is_known_of_every_case(tmp_path: Path) -> None:
    always = Manipulator(Impulses.synthetic(count=2), probabilities={"reverb": 1.0})
    rows = evaluate_transfers(
        DemoSongs(), always, replace(PLAN, cases=8, methods=("input",)), chain=load_chain("eq"), log=tmp_path / "log"
    )
    assert all(row.reverb is not None for row in rows)
    assert any(row.reverb for row in rows)
    assert read_rows(tmp_path / "log", replace(PLAN, cases=8, methods=("input",))) == rows


def test_rows_of_other_weights_or_other_songs_are_not_taken_for_these(tmp_path: Path) -> None:
    log = tmp_path / "cases.jsonl"
    plan = replace(PLAN, cases=1, methods=("match",))
    (row,) = run(plan, log)
    stale = Row(**{**asdict(row), "left_right": 9.0, "digest": "of other weights"})
    header = log.read_text().splitlines()[0]
    log.write_text(f"{header}\n{json.dumps(asdict(stale))}\n")
    (again,) = run(plan, log)
    assert again.left_right == row.left_right
    with pytest.raises(OutputError, match="another evaluation"):
        read_rows(log, replace(plan, data="other songs"))


def test_an_encoder_that_is_not_there_is_told_before_any_case() -> None:
    with pytest.raises(UnknownNameError, match="nothing_installed"):
        evaluate_transfers(
            DemoSongs(),
            MANIPULATOR,
            replace(PLAN, methods=("input", "cma:nothing_installed")),
            chain=load_chain("eq"),
            on_row=lambda row: pytest.fail("a case was run"),
        )
