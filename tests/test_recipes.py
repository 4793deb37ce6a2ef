"""The recipes that compare what others have measured."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from conftest import song
from stito.workflows.transfer import Transfer

RECIPES = Path(__file__).parents[1] / "recipes"


def recipe(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_of(folder: Path, distances: list[float], **plan: object) -> Path:
    folder.mkdir()
    rows = [
        {"case": case, "stem": "bass", "method": "match", "measures": {"left_right": of, "mid_side": of, "moves": case}}
        for case, of in enumerate(distances)
    ]
    lines = [{"data": "demo", "seconds": 2.0, **plan}, *rows]
    (folder / "cases.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    return folder


def test_two_runs_are_compared_case_by_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [run_of(tmp_path / "a", [0.2, 0.4, 0.6]), run_of(tmp_path / "b", [0.3, 0.5, 0.7])]
    recipe("compare_runs").main([*map(str, runs), "--method", "match"])
    told = capsys.readouterr().out
    assert "0.400 → 0.500" in told
    assert "0.100 (0.100 to 0.100)" in told
    assert "1 → 1" in told


def test_runs_of_other_cases_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [run_of(tmp_path / "a", [0.2]), run_of(tmp_path / "b", [0.3], mixed=True)]
    with pytest.raises(SystemExit):
        recipe("compare_runs").main([*map(str, runs), "--method", "match"])
    assert "other cases" in capsys.readouterr().err


def test_runs_that_share_no_case_yet_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [run_of(tmp_path / "a", [0.2]), run_of(tmp_path / "b", [])]
    with pytest.raises(SystemExit):
        recipe("compare_runs").main([*map(str, runs), "--method", "match"])
    assert "in common" in capsys.readouterr().err


def test_results_are_shown_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mix, reference = song("night", seconds=2.0), song("street", styled=True, seconds=2.0)
    result = Transfer(method="match", chain="eq | gain").run(mix, reference)
    result.save(tmp_path / "out")
    recipe("compare_results").main([str(tmp_path / "out")])
    told = capsys.readouterr().out
    for strip, preset in result.preset.stems.items():
        assert f"{strip} {preset.moves}" in told
    assert "→" in told
