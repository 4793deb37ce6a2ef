"""What a converter costs: rendering a stem, as a share of its length and as a ratio to rendering it by a chain.

    python benchmarks/convert.py [--seconds 30] [--paper]

The converters are the installed `mixfxcloner` and, with `--paper`, the published network, untrained: its cost does not
depend on its weights. Figures are medians over rounds in which the contenders take turns.
"""

from __future__ import annotations

import argparse

import torch
from timing import Contenders, turns

from stito.demo import compose
from stito.effects.chain_files import load_chain
from stito.models.converter import Conversion
from stito.models.loading import load_converter
from stito_encoders.mixfxcloner import MixFXcloner

RATE = 44_100
STYLE = 2048


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--paper", action="store_true", help="the published network as well: minutes")
    arguments = parser.parse_args()
    x = torch.from_numpy(compose("night", seconds=arguments.seconds)["other"].copy())
    chain = load_chain("mixing")
    settings = chain.settings(torch.full((chain.dim,), 0.4))
    converter = load_converter("mixfxcloner")
    own = converter.embed(x[None, :, : 6 * RATE])[0]
    conversion = Conversion(converter, "mixfxcloner", own, own)
    contenders: Contenders = {
        "mixing chain": lambda: chain.render_one(x, settings, RATE),
        "mixfxcloner, small": lambda: conversion.render(x, RATE),
    }
    if arguments.paper:
        paper = MixFXcloner.network({"front": "waveform"}, STYLE).eval()
        style = torch.randn(1, STYLE)

        def render() -> None:
            with torch.no_grad():
                paper(x[None], style, style)

        contenders = {**contenders, "mixfxcloner, paper": render}
    seconds = turns(contenders, arguments.rounds)
    print(f"{arguments.seconds:g} s of a stem, {torch.get_num_threads()} threads")
    for name, spent in seconds.items():
        print(
            f"{name:<22}{spent / arguments.seconds:8.3f} s per second of music"
            f"{spent / seconds['mixing chain']:8.1f} times the chain"
        )


if __name__ == "__main__":
    main()
