"""The comparison of methods: what it keeps of each, and what its page shows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import stito.workflows.compare
from stito.errors import OutputExistsError, SettingsError
from stito.files.names import file_name
from stito.report import ComparedMethod, ComparisonData, Headline, render_comparison
from stito.search.base import Budget
from stito.workflows.compare import compare_methods, table
from stito.workflows.transfer import Transfer

QUICK = Transfer(budget=Budget(evaluations=8), excerpt_seconds=1.0, excerpt_count=1)
DRUMS = replace(QUICK, stem="drums")


def test_each_method_is_heard_and_its_settings_stand_side_by_side(songs: Path, tmp_path: Path) -> None:
    methods = ["match", "neural", "nevergrad:OnePlusOne"]
    rows = compare_methods(DRUMS, songs / "night", songs / "street", tmp_path, methods)
    assert [row["method"] for row in rows] == methods
    assert json.loads((tmp_path / "compare.json").read_text()) == rows
    assert all((tmp_path / folder / "report.html").exists() for folder in ("match", "neural", "nevergrad-OnePlusOne"))
    assert all(row["real_time"] > 0 for row in rows)
    assert {row["method"]: row["evaluations"] for row in rows} == {"match": 0, "neural": 0, "nevergrad:OnePlusOne": 8}
    page = (tmp_path / "compare.html").read_text()
    for voice in ("Input", "match", "neural", "nevergrad:OnePlusOne", "Reference"):
        assert f"<span>{voice}</span>" in page
    assert "compressor</span> threshold" in page
    assert len(re.findall(r'<script type="audio/', page)) == 10  # of the mix, which here is one stem, and of the stem
    lines = table(rows).splitlines()
    assert len(lines) == 4
    with pytest.raises(OutputExistsError):
        compare_methods(DRUMS, songs / "night", songs / "street", tmp_path, methods)


def test_a_method_that_increases_the_distance_has_a_negative_reduction() -> None:
    method = ComparedMethod("neural", Headline(2.0, 3.0), 0, 1.0, 0.5, "neural")
    page = render_comparison(ComparisonData("a → b", [method], []))
    assert "\N{MINUS SIGN}50 %" in page


def test_without_a_choice_those_methods_are_compared_that_apply(songs: Path, tmp_path: Path) -> None:
    rows = compare_methods(QUICK, songs / "street.wav", songs / "street.wav", tmp_path)
    compared = [row["method"] for row in rows if not row["method"].startswith("example_")]  # a plug-in's own
    assert compared == ["match", "neural", "cma"]
    assert (
        "predict: There is no predictor for the chain &#39;mastering&#39;." in (tmp_path / "compare.html").read_text()
    )


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("predict", "'predict' works stem by stem"),
        ("ensemble", "'ensemble' works stem by stem"),
        ("neural", "'neural' works stem by stem"),
    ],
)
def test_a_method_that_does_not_apply_is_refused_before_any_is_run(
    songs: Path, tmp_path: Path, method: str, why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        compare_methods(QUICK, songs / "night", songs / "street.wav", tmp_path, ["match", method])
    assert not list(tmp_path.rglob("*.json"))


def test_what_was_compared_before_a_failure_is_kept(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stito.workflows.compare.run_transfer

    def failing(engine: Transfer, *args: Any, **options: Any) -> Any:
        if engine.method == "random":
            raise KeyboardInterrupt
        return run(engine, *args, **options)

    monkeypatch.setattr("stito.workflows.compare.run_transfer", failing)
    with pytest.raises(KeyboardInterrupt):
        compare_methods(DRUMS, songs / "night", songs / "street", tmp_path, ["match", "random"])
    assert [row["method"] for row in json.loads((tmp_path / "compare.json").read_text())] == ["match"]
    assert (tmp_path / "compare.html").exists()


def test_weights_of_one_name_in_two_folders_have_results_of_their_own() -> None:
    methods = ["neural", "neural:runs/a/final.safetensors", "neural:runs/b/final.safetensors", "nevergrad:OnePlusOne"]
    folders = [file_name(method) for method in methods]
    assert len(set(folders)) == len(methods)
    assert not any("/" in folder for folder in folders)
