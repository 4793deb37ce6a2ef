"""Put trained weights into the package: half as large, with what they scored in their header.

    python recipes/ship.py recipes/fxencoder/small.toml runs/fxencoder-small/best.safetensors --scores out/result.json

The description and licences of the data are the recipe's as it stands; everything else is what `stito train` wrote. An
encoder by which one of the evaluations measured, the same file, gets its `same_style_distance` from there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stito.models.weights import load_weights, save_weights
from stito.training.recipe import load_recipe

WEIGHTS = Path(__file__).parents[1] / "encoders" / "stito_encoders" / "weights"
DROPPED = ("loss", "probability")
"""Scores that mean nothing outside the run."""


def scores_of(path: Path) -> dict[str, Any]:
    """What an evaluation found, without its details: the means of all cases, or of each encoder's table."""
    result = json.loads(path.read_text(encoding="utf-8"))
    found = result["summary"]["all"] if "summary" in result else result["encoders"]
    return {"data": result["data"], **{name: _means(values) for name, values in found.items()}}


def _means(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested figures; of an estimate its mean, to four digits."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            value = value["mean"] if "mean" in value else _means(value)
        if value is not None:
            kept[name] = round(value, 4) if isinstance(value, float) else value
    return kept


def same_style_distance_of(paths: Sequence[Path], encoder: str) -> dict[str, float]:
    """`same_style_distance` of an evaluation encoder, if transfers were evaluated with it.

    Results of earlier versions call the evaluation encoder `judge`.
    """
    for path in paths:
        result = json.loads(path.read_text(encoding="utf-8"))
        plan = result.get("plan", {})
        if plan.get("evaluation_encoder", plan.get("judge")) == encoder:
            return {
                "same_style_distance": round(next(iter(result["summary"]["all"].values()))["truth_to_reference"], 3)
            }
    return {}


def name_of(header: Mapping[str, Any]) -> str:
    """The file's name in the package: a predictor's is that of its chain."""
    stem = f"{header['chain']}.predictor" if "chain" in header else header["architecture"]
    return f"{stem}.safetensors"


def main(argv: Sequence[str] | None = None) -> None:
    """Write the file that the wheel carries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument(
        "--scores", type=Path, nargs="*", default=[], metavar="RESULT", help="result.json of evaluations"
    )
    parser.add_argument("-o", "--output", type=Path, help="the package's own by default")
    arguments = parser.parse_args(argv)
    state, header = load_weights(arguments.weights)
    recipe = load_recipe(arguments.recipe)
    validation = {key: value for key, value in header["scores"].items() if not key.endswith(DROPPED)}
    start = header.get("recipe", {}).get("start")
    if start:  # a path means nothing elsewhere
        header["recipe"] = header["recipe"] | {"start": Path(start).name}
    header |= {
        "data": {**header["data"], "description": recipe.data.description},
        "licences": recipe.data.licences,
        "scores": {"validation": validation, **{path.parent.name: scores_of(path) for path in arguments.scores}},
    }
    header |= same_style_distance_of(arguments.scores, str(arguments.weights))
    target = arguments.output or WEIGHTS / name_of(header)
    target.parent.mkdir(parents=True, exist_ok=True)
    save_weights(target, state, header, half=True, overwrite=True)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
