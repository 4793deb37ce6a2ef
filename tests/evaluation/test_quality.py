"""Scores from a CSV, predicted for songs that the head has not seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from torch import Tensor

from stito.cli.evaluate import evaluate
from stito.errors import MissingFileError, SettingsError
from stito.evaluation.quality.outcome import MEASURES
from stito.evaluation.quality.scores import read_scores
from stito.evaluation.quality.study import study_quality, write_demo_scores
from stito.models.weights import load_weights

RATE = 44_100


class Level:
    """Embeds the level in dB alone."""

    name, sample_rate, dim = "level", RATE, 1

    def embed(self, x: Tensor) -> Tensor:
        return 10 * x.square().mean((1, 2)).add(1e-9).log10()[:, None]


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve released mixes of six songs whose score is their level, by two raters who differ by one."""
    folder = tmp_path_factory.mktemp("rated")
    generator = np.random.default_rng(0)
    lines = ["path,score,song,rater"]
    for song in range(6):
        for take in range(2):
            level = generator.uniform(-40, -10)
            x = generator.standard_normal((RATE // 2, 2)) * 10 ** (level / 20)
            name = f"{song}-{take}.wav"
            soundfile.write(folder / name, x, RATE, subtype="FLOAT")
            lines += [f"{name},{level - 0.5},song {song},a", f"{name},{level + 0.5},song {song},b"]
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return folder / "scores.csv"


def test_raters_are_averaged_and_paths_are_beside_the_file(rated: Path) -> None:
    scored = read_scores(rated)
    assert len(scored) == 12
    assert {each.ratings for each in scored} == {2}
    assert {each.song for each in scored} == {f"song {number}" for number in range(6)}
    assert all(each.path.is_file() for each in scored)


def test_a_score_that_the_embedding_holds_is_predicted_for_unseen_songs(rated: Path) -> None:
    outcome, heads = study_quality({"level": Level()}, read_scores(rated), score="score", data="levels", seconds=0.4)
    found = {name: outcome.estimates["level", name] for name in MEASURES}
    assert found["R²"].mean > 0.8
    assert found["Spearman's ρ"].mean > 0.9
    assert found["Kendall's τ"].low <= found["Kendall's τ"].mean <= found["Kendall's τ"].high
    state, header = heads["level"]
    assert header["encoder"] == ["level", ""]
    assert bool(torch.isfinite(state["layers.0.weight"]).all())


def test_scores_of_no_sense_do_not_become_sense(rated: Path) -> None:
    class Deaf(Level):
        def embed(self, x: Tensor) -> Tensor:
            return torch.zeros(len(x), 1)

    outcome, _ = study_quality({"deaf": Deaf()}, read_scores(rated), score="score", data="levels", seconds=0.4)
    assert outcome.estimates["deaf", "R²"].mean < 0.05


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,score\na.wav,1\n", "no column 'path'"),
        ("path,rating\na.wav,1\n", "no column 'score'"),
        ("path,score\n0-0.wav,good\n", "line 2: 'good' is no score"),
        ("path,score,song\n0-0.wav,1,a\n0-0.wav,1,b\n", "line 3: 0-0.wav is of the songs a and b"),
    ],
)
def test_what_is_wrong_in_a_csv_is_named(rated: Path, text: str, complaint: str) -> None:
    file = rated.parent / "wrong.csv"
    file.write_text(text)
    with pytest.raises(SettingsError, match=complaint):
        read_scores(file)


def test_mixes_that_are_not_there_and_too_few_songs_are_refused(rated: Path) -> None:
    file = rated.parent / "wrong.csv"
    file.write_text("path,score\nnowhere.wav,1\n")
    with pytest.raises(MissingFileError, match=r"nowhere\.wav"):
        read_scores(file)
    file.write_text("path,score,song\n0-0.wav,1,a\n1-0.wav,2,b\n")
    with pytest.raises(SettingsError, match="too few"):
        study_quality({"level": Level()}, read_scores(file), score="score", data="")


def test_stems_and_released_mixes_are_not_compared(rated: Path) -> None:
    stems = rated.parent / "stems"
    stems.mkdir(exist_ok=True)
    soundfile.write(stems / "drums.wav", 0.1 * np.ones((RATE // 2, 2)), RATE)
    file = rated.parent / "both.csv"
    file.write_text("path,score\n0-0.wav,1\n1-0.wav,2\nstems,3\n")
    with pytest.raises(SettingsError, match="have stems"):
        study_quality({"level": Level()}, read_scores(file), score="score", data="")


def test_rendered_mixes_carry_their_severity_under_that_name(tmp_path: Path) -> None:
    file = write_demo_scores(tmp_path / "mixes", seconds=1.0, versions=1)
    assert file.read_text().splitlines()[0] == "path,severity,song"
    with pytest.raises(SettingsError, match="no column 'score'"):
        read_scores(file)
    scored = read_scores(file, "severity")
    assert sorted({each.score for each in scored}) == [0.0, 0.3, 0.6, 1.0]


def test_the_command_runs_end_to_end_and_names_what_it_predicts(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(evaluate, ["quality", "--smoke", "-o", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "Prediction of the severity" in done.stdout
    assert {path.name for path in out.iterdir()} == {
        "result.json",
        "tables.md",
        "report.html",
        "head-features.safetensors",
    }
    assert json.loads((out / "result.json").read_text())["score"] == "severity"
    assert "nobody's judgement" in (out / "tables.md").read_text()
    _, header = load_weights(out / "head-features.safetensors")
    assert header["score"] == "severity"
