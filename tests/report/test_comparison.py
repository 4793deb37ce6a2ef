"""The comparison of methods: what it keeps of each, and what its page shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from stito.comparison import compare_methods, table
from stito.errors import OutputExistsError, SettingsError
from stito.output import file_name
from stito.report import ComparedMethod, ComparisonData, Headline, render_comparison
from stito.search.base import Budget

OPTIONS = {"budget": Budget(evaluations=8), "excerpt_seconds": 1.0, "excerpt_count": 1, "stem": "drums"}


def test_each_method_is_heard_and_its_settings_stand_side_by_side(songs: Path, tmp_path: Path) -> None:
    methods = ["match", "neural", "nevergrad:OnePlusOne"]
    rows = compare_methods(songs / "night", songs / "street", tmp_path, methods, **OPTIONS)  # type: ignore[arg-type]
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
        compare_methods(songs / "night", songs / "street", tmp_path, methods, **OPTIONS)  # type: ignore[arg-type]


def test_a_method_that_leads_away_says_so() -> None:
    method = ComparedMethod("neural", Headline(2.0, 3.0), 0, 1.0, 0.5, "neural")
    page = render_comparison(ComparisonData("a → b", [method], []))
    assert "\N{MINUS SIGN}50%" in page


def test_nothing_to_compare_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No method"):
        compare_methods(tmp_path, tmp_path, tmp_path / "out", [])


def test_weights_of_one_name_in_two_folders_have_results_of_their_own() -> None:
    methods = ["neural", "neural:runs/a/final.safetensors", "neural:runs/b/final.safetensors", "nevergrad:OnePlusOne"]
    folders = [file_name(method) for method in methods]
    assert len(set(folders)) == len(methods)
    assert not any("/" in folder for folder in folders)
