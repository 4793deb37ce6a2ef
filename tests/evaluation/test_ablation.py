"""Variants of a recipe: each lacks one part, all are trained alike, and what is finished is not made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stito.cli.evaluate import evaluate
from stito.errors import OutputError, RecipeError, UnknownNameError
from stito.evaluation.ablation.outcome import Outcome
from stito.evaluation.ablation.rows import Detection, Row
from stito.evaluation.ablation.variants import variants_of
from stito.models.weights import read_header
from stito.training.recipe import load_recipe, parse_recipe

RECIPE = Path(__file__).parents[2] / "recipes" / "stem_encoder" / "small.toml"
TINY = ["--set", "network.config.dim=8", "--set", "network.config.depth=1", "--set", "network.config.heads=2"]


def run(*words: object) -> Result:
    arguments = ["ablation", RECIPE, "--smoke", "--device", "cpu", *words]
    return CliRunner().invoke(evaluate, [str(word) for word in arguments], catch_exceptions=False)


def test_each_variant_lacks_one_part_and_keeps_the_rest() -> None:
    recipe = load_recipe(RECIPE)
    found = {variant.name: variant.of(recipe, 7) for variant in variants_of(recipe)}
    families = {"dynamics", "spectral", "stereo", "masking"}
    assert set(found) == {
        "full",
        "no features",
        "prepend",
        "cross-attention",
        *(f"without {name}" for name in families),
    }
    for name in families:
        config = found[f"without {name}"].network.config
        assert set(config["families"]) == families - {name}
        assert {**config, "families": 0} == {**recipe.network.config, "families": 0}
    assert found["prepend"].network.config == {**recipe.network.config, "mechanism": "prepend"}
    assert {variant.seed for variant in found.values()} == {7}
    assert found["no features"].optimiser == recipe.optimiser


def test_what_has_no_parts_to_leave_out_is_refused() -> None:
    with pytest.raises(RecipeError, match="no families"):
        variants_of(parse_recipe('name = "x"'))
    with pytest.raises(UnknownNameError, match="without bass"):
        variants_of(load_recipe(RECIPE), ["without bass"])


def test_a_variant_is_compared_with_the_full_recipe_of_the_same_seed() -> None:
    def row(variant: str, seed: int, auc: float) -> Row:
        found = Detection({"0.5": {"all": auc, "gain": auc}}, {"all": 0.0, "gain": 0.0})
        return Row(variant, seed, 1, 0.0, found)

    rows = [row("full", 0, 0.7), row("full", 1, 0.9), row("prepend", 0, 0.6), row("prepend", 1, 0.8)]
    outcome = Outcome("x", "", 1, rows)
    apart = outcome.as_json()["variants"]["prepend"]["against_full"]
    assert apart["mean"] == pytest.approx(-0.1)
    assert apart["high"] - apart["low"] < 1e-6  # seeds differ more than variants do, and the same way
    assert outcome.points() == {"full": [0.7, 0.9], "prepend": [0.6, 0.8]}


def test_an_ablation_leaves_a_table_and_a_page_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    out, words = tmp_path / "out", ("--steps", 1, *TINY, "--json")
    first = json.loads(run("-o", out, *words, "--seeds", 1, "--variants", "prepend").stdout)
    assert set(first["variants"]) == {"full", "prepend"}
    assert first["judge"] == "own faults"
    before = (out / "runs" / "full-2" / "final.safetensors").stat().st_mtime_ns
    assert read_header(out / "runs" / "prepend-2" / "final.safetensors")["config"]["mechanism"] == "prepend"
    again = run("-o", out, *words, "--seeds", 1, "--variants", "prepend,without stereo")
    assert [line for line in again.stderr.splitlines() if line.startswith("training:")] == [
        "training: without stereo, seed 2"
    ]
    assert (out / "runs" / "full-2" / "final.safetensors").stat().st_mtime_ns == before
    assert json.loads(again.stdout)["rows"][0] == first["rows"][0]
    assert "stito evaluate ablation" in (out / "report.html").read_text()
    assert "without stereo" in (out / "tables.md").read_text()
    with pytest.raises(OutputError, match="another evaluation"):
        run("-o", out, "--steps", 2, *TINY, "--seeds", 1, "--variants", "prepend")
