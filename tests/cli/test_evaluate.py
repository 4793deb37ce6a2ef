"""`stito evaluate`: the smallest run leaves everything that the largest does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stito import registry
from stito.cli.evaluate import evaluate
from stito.errors import OutputError, OutputExistsError, SettingsError, UnknownNameError
from stito.evaluation.encoders import study
from stito.evaluation.encoders.cases import Plan
from stito.models.weights import load_weights, save_weights


def run(*words: object, catch: bool = True) -> Result:
    return CliRunner().invoke(evaluate, [str(word) for word in words], catch_exceptions=catch)


def test_help_lists_the_evaluations_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from stito.cli.evaluate import evaluate\n"
        "print(CliRunner().invoke(evaluate, ['--help']).output)\n"
        "heavy = {'torch', 'numpy', 'sklearn', 'matplotlib'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "disentanglement" in done.stdout
    assert "stito evaluate disentanglement" in run("disentanglement", "--help").output.split("Example")[1]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """One evaluation on the songs that stito composes, smaller still than the usual smoke."""
    out = tmp_path_factory.mktemp("evaluate") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "SMOKE", Plan(segments=2, configurations=2, seeds=1, seconds=0.5))
        patch.setattr(study.DemoSongs, "stems", ("drums",))
        return out, run("disentanglement", "--smoke", "--json", "-o", out, catch=False)


def test_smoke_leaves_tables_a_page_and_maps(smoke: tuple[Path, Result]) -> None:
    out, result = smoke
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {"report.html", "result.json", "tables.md", "tsne-features.png"}
    printed = json.loads(result.stdout)
    assert printed == json.loads((out / "result.json").read_text())
    assert set(printed["encoders"]) == {"features"}
    assert "drums, full effects" in result.stderr
    assert "stito evaluate disentanglement --encoder features --seed 0" in (out / "report.html").read_text()
    assert "figures mean nothing" in (out / "tables.md").read_text()


def test_nothing_is_overwritten_and_nothing_long_begins_in_vain(smoke: tuple[Path, Result], tmp_path: Path) -> None:
    out, _ = smoke
    assert isinstance(run("disentanglement", "--smoke", "-o", out).exception, OutputExistsError)
    file = tmp_path / "file"
    file.write_text("")
    assert isinstance(run("disentanglement", "--smoke", "-o", file).exception, OutputError)
    unknown = run("disentanglement", "--smoke", "--encoder", "nobody", "-o", tmp_path / "new")
    assert isinstance(unknown.exception, UnknownNameError)
    nowhere = run("disentanglement", "--smoke", "--device", "nowhere", "-o", tmp_path / "new")
    assert isinstance(nowhere.exception, SettingsError)
    assert not (tmp_path / "new").exists()


def test_without_data_the_usage_says_what_to_do(tmp_path: Path) -> None:
    result = run("disentanglement", "-o", tmp_path)
    assert result.exit_code == 2
    assert "--smoke" in result.output


def test_transfers_on_composed_songs_leave_a_table_a_page_and_every_row(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("transfer", "--smoke", "--methods", "input,match", "--judge", "features", "--chain", "eq", "-o", out)
    result = run(*words, catch=False)
    assert {path.name for path in out.iterdir()} == {"report.html", "result.json", "tables.md", "cases.jsonl", ".lock"}
    assert "Distance to the truth" in result.stdout
    assert "4 of 4: case 1, drums: match" in result.stderr
    assert "--methods input,match --evaluations 8 --chain eq" in (out / "report.html").read_text()
    again = run(*words, "--json", catch=False)
    assert json.loads(again.stdout) == json.loads((out / "result.json").read_text())


def test_weights_can_be_evaluated_before_they_are_shipped_and_on_milder_effects(tmp_path: Path) -> None:
    installed = registry.load("predictor", "mixing")
    mine = tmp_path / "mine.safetensors"
    state, header = load_weights(installed)
    save_weights(mine, {name: tensor * 0.5 for name, tensor in state.items()}, header, overwrite=False)
    words = ("transfer", "--smoke", "--methods", "predict", "--evaluation-encoder", "features", "--strength", 0.5)
    found = []
    for name, weights in (("installed", ()), ("mine", ("--predictor", mine))):
        run(*words, *weights, "-o", tmp_path / name, catch=False)
        result = json.loads((tmp_path / name / "result.json").read_text())
        assert result["plan"]["strength"] == 0.5
        page = (tmp_path / name / "report.html").read_text()
        assert "--strength 0.5" in page
        assert "--evaluation-encoder features" in page
        assert result["plan"]["evaluation_encoder"] == "features"
        assert ("--predictor" in page) == bool(weights)
        found.append(result["summary"]["all"]["predict"]["left_right"])
    assert found[0] != found[1]


def test_kept_sounds_become_a_listening_test(tmp_path: Path) -> None:
    from stito.cli.listen import listen

    words = ("transfer", "--smoke", "--methods", "input,match", "--judge", "features", "--chain", "eq")
    run(*words, "-o", tmp_path / "out", catch=False)
    assert "1 of 4" in run(*words, "--audio", "-o", tmp_path / "out", catch=False).stderr  # sounds were still missing
    sounds = tmp_path / "out" / "audio"
    names = {path.name for path in (sounds / "case-00-bass").iterdir()}
    assert names == {"reference.wav", "input.wav", "match.wav"}
    built = CliRunner().invoke(listen, ["build", str(sounds), "-o", str(tmp_path / "test"), "--seconds", "1"])
    assert built.exit_code == 0, built.output
    key = json.loads((tmp_path / "test" / "key.json").read_text())
    assert key["trials"][1]["name"] == "case-01-drums"
    assert key["trials"][1]["measures"]["match"]["left_right"] > 0


def test_transfers_need_songs_and_seconds_that_are_numbers(tmp_path: Path) -> None:
    assert "--smoke" in run("transfer", "-o", tmp_path).output
    wrong = run("transfer", "--smoke", "--at", "soon", "-o", tmp_path)
    assert wrong.exit_code == 2
    assert "0,1,5,30" in wrong.output
