"""What the package ships of a training: half as large, with scores, and without a path of the machine that made it."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from stito.models.weights import load_weights, save_weights
from stito.training.recipe import load_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
RECIPE = RECIPES / "fxencoder" / "small.toml"


@pytest.fixture(params=["evaluation_encoder", "judge"])
def shipped(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, dict[str, Any]]:
    trained, result, target = tmp_path / "best.safetensors", tmp_path / "normal" / "result.json", tmp_path / "out.it"
    result.parent.mkdir()
    found = {"left_right": 0.50003, "truth_to_reference": 0.0987}
    plan = {request.param: str(trained)}  # the second is the key of earlier versions
    result.write_text(json.dumps({"data": "49 songs", "plan": plan, "summary": {"all": {"input": found}}}))
    table = tmp_path / "disentanglement" / "result.json"
    table.parent.mkdir()
    column = {"dcimig": {"mean": 0.6, "low": 0.5, "high": 0.7, "draws": 3}, "settings": {"mean": None, "draws": 3}}
    table.write_text(json.dumps({"data": "49 songs", "encoders": {"fxencoder": {"digest": "ab", "table": column}}}))
    header = {
        "architecture": "fxencoder",
        "config": {"dim": 3},
        "recipe": {"start": "/somewhere/else/before.safetensors"},
        "data": {"songs": 7, "description": "as it was then"},
        "scores": {"score": 0.7, "mix.loss": 1.5, "mix.retrieval": 0.7, "eq.probability": 0.3},
    }
    save_weights(trained, {"matrix": torch.full((2, 3), 0.1), "bias": torch.full((3,), 0.1)}, header)
    main = runpy.run_path(str(RECIPES / "ship.py"))["main"]
    main([str(RECIPE), str(trained), "--scores", str(result), str(table), "-o", str(target)])
    return target, load_weights(target)[1]


def test_matrices_are_half_as_large(shipped: tuple[Path, dict[str, Any]]) -> None:
    state = load_file(shipped[0])
    assert (state["matrix"].dtype, state["bias"].dtype) == (torch.float16, torch.float32)


def test_the_header_says_what_it_scored_and_what_it_may_be_used_for(shipped: tuple[Path, dict[str, Any]]) -> None:
    _, header = shipped
    assert header["scores"]["validation"] == {"score": 0.7, "mix.retrieval": 0.7}
    means = {"left_right": 0.5, "truth_to_reference": 0.0987}
    assert header["scores"]["normal"] == {"data": "49 songs", "input": means}
    assert header["same_style_distance"] == 0.099
    assert header["scores"]["disentanglement"]["fxencoder"] == {"digest": "ab", "table": {"dcimig": 0.6}}
    recipe = load_recipe(RECIPE)
    assert header["licences"] == recipe.data.licences
    assert header["data"] == {"songs": 7, "description": recipe.data.description}


def test_no_path_of_another_machine_is_shipped(shipped: tuple[Path, dict[str, Any]]) -> None:
    assert shipped[1]["recipe"]["start"] == "before.safetensors"
    assert "/somewhere" not in json.dumps(shipped[1])
