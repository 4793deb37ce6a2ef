"""`stito train`: the check that runs anywhere, and what it says when something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stito.cli.train import train
from stito.errors import MissingFileError, OutputExistsError, RecipeError, StitoError
from stito.models.weights import load_weights
from stito.training.log import read_log

SMALL = Path(__file__).parents[2] / "recipes" / "fxencoder" / "small.toml"


def run(*arguments: object) -> Result:
    """The command, with exceptions that `stito` would turn into messages."""
    return CliRunner().invoke(train, [str(argument) for argument in arguments], standalone_mode=True)


@pytest.fixture(scope="module")
def smoked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A smoke run that was stopped and resumed."""
    out = tmp_path_factory.mktemp("train") / "run"
    first = run(SMALL, "--smoke", "-o", out, "--device", "cpu", "--seconds", "0.001")
    assert first.exit_code == 0, first.output
    assert "step 1 of 40: the time is spent" in first.output
    assert "--resume" in first.output
    return out, run(SMALL, "--smoke", "-o", out, "--device", "cpu", "--resume")


def test_smoke_learns_one_batch_by_heart(smoked: tuple[Path, Result]) -> None:
    out, done = smoked
    assert done.exit_code == 0, done.output
    assert "step 40 of 40: all steps are done" in done.output
    assert "retrieval 1" in done.output
    lines = [line for line in read_log(out / "log.jsonl") if line["kind"] == "train"]
    assert lines[-1]["retrieval"] == 1.0
    assert lines[-1]["loss"] < 0.1 * lines[0]["loss"]


def test_the_weights_can_be_used_and_say_where_they_are_from(smoked: tuple[Path, Result]) -> None:
    _, header = load_weights(smoked[0] / "best.safetensors")
    assert header["architecture"] == "fxencoder"
    assert header["data"]["songs"] == "composed by stito"
    assert header["recipe"]["run"]["one_batch"] is True


def test_a_run_is_not_overwritten_by_chance(smoked: tuple[Path, Result]) -> None:
    error = run(SMALL, "--smoke", "-o", smoked[0]).exception
    assert isinstance(error, OutputExistsError)
    assert "--resume" in (error.hint or "")


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["nothing.toml", "--smoke"], MissingFileError, "no recipe there"),
        ([SMALL, "--smoke", "--set", "batch.group=3"], RecipeError, "batch.group: Extra"),
        ([SMALL, "--smoke", "--set", "network.encoder=features"], RecipeError, "no network to train"),
        ([SMALL, "--smoke", "--device", "abacus"], StitoError, "no device 'abacus'"),
        ([SMALL, "--smoke", "--seconds", "0"], StitoError, "0 seconds"),
        ([SMALL, "--smoke", "--resume"], MissingFileError, "no checkpoint"),
        ([SMALL, "--data", "no-cache"], StitoError, "no-cache"),
        ([SMALL, "--smoke", "--set", "probabilities.initial.echo=1.0"], StitoError, "Unknown effect 'echo'"),
    ],
)
def test_mistakes_end_in_a_message(
    arguments: list[object], kind: type[StitoError], message: str, tmp_path: Path
) -> None:
    error = run(*arguments, "-o", tmp_path / "run").exception
    assert isinstance(error, kind)
    assert message in str(error)
    assert not list(tmp_path.rglob("*.pt"))


def test_data_must_be_given_unless_it_is_a_check() -> None:
    done = run(SMALL)
    assert done.exit_code == 2
    assert "--data CACHE" in done.output
