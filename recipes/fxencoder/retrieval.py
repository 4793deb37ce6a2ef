"""Same-effects retrieval alone: minutes, where the whole evaluation of an encoder takes an hour.

    python recipes/fxencoder/retrieval.py cache/ --split test --encoder features --encoder fxencoder

`stito.evaluation.encoders.retrieval` defines what is measured, and what `hard` is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stito.data.fxmanipulator.manipulator import Manipulator
from stito.evaluation.encoders.cases import Bench, Plan
from stito.evaluation.encoders.retrieval import measure_retrieval
from stito.evaluation.encoders.study import cache_material
from stito.models.loading import load_encoder


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each encoder and subject as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--split", default="valid")
    parser.add_argument("--encoder", action="append", required=True, metavar="NAME|FILE")
    parser.add_argument("--rounds", type=int, default=5, help="of 20 queries each")
    parser.add_argument("--seconds", type=float, default=6.0)
    arguments = parser.parse_args(argv)
    material, sentence = cache_material(arguments.cache, arguments.split)
    print(sentence)
    encoders = {name: load_encoder(name) for name in arguments.encoder}
    bench = Bench(encoders, material, Manipulator(), Plan(seconds=arguments.seconds))
    for subject in bench.subjects:
        for result in measure_retrieval(bench, subjects=[subject], rounds=arguments.rounds):
            shares = [f"{of.mean:.0%} ({of.low:.0%} to {of.high:.0%})" for of in (result.found, result.hard)]
            print(f"{subject:<12}{result.encoder:<16}found {shares[0]:<20}hard {shares[1]}", flush=True)


if __name__ == "__main__":
    main()
