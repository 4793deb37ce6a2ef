"""What random effects cost in training: rendering a batch, as a ratio to the network's step in the same run.

    python benchmarks/manipulate.py [--device cuda]

The network is a stand-in of known cost: five convolutions on a log spectrum of 128 bands, forward and backward; the
table says how many operations that is, to be scaled to a network of one's own. Below 1, and on another core or ahead on
the device, training does not wait for the effects. Figures are medians over rounds in which the contenders take turns.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise

import torch
from timing import turns
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from stito import streams
from stito.data.manipulation import load_manipulator
from stito.stems import STEMS
from stito.streams import Purpose

RATE = 44_100
BANDS, HOP = 128, 512
CHANNELS = (2, 32, 64, 128, 256, 512)
TEMPERATURE = 0.1


def network() -> nn.Sequential:
    """A small convolutional encoder of log spectra (b, 2, bands, frames)."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(CHANNELS):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def step(net: nn.Module, spectra: Tensor) -> None:
    """Forward and backward of a contrastive loss between the halves of the batch."""
    net.zero_grad(set_to_none=True)
    first, second = nn.functional.normalize(net(spectra)).chunk(2)
    target = torch.arange(len(first), device=spectra.device)
    nn.functional.cross_entropy(first @ second.T / TEMPERATURE, target).backward()  # type: ignore[no-untyped-call]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    rows, device = arguments.rows, torch.device(arguments.device)

    generator = streams.generator(0, Purpose.TIMING)
    samples = round(arguments.seconds * RATE)
    x = 0.05 * torch.randn(rows, 2, samples, generator=streams.torch_generator(0, Purpose.TIMING)).to(device)
    stems = [STEMS[row % len(STEMS)] for row in range(rows)]
    manipulator = load_manipulator(sample_rate=RATE)
    whole = manipulator.sample(stems, generator)
    single = {effect: manipulator.sample(stems, generator, only=effect) for effect in manipulator.effects}
    net = network().to(device)
    spectra = torch.randn(rows, 2, BANDS, samples // HOP, device=device)
    with FlopCounterMode(display=False) as counter:
        step(net, spectra)

    calls: dict[str, Callable[[], object]] = {
        "sampling": lambda: manipulator.sample(stems, generator),
        "rendering": lambda: manipulator.render(x, whole),
        "network step": lambda: step(net, spectra),
        **{f"{effect} on every row": lambda m=m: manipulator.render(x, m) for effect, m in single.items()},  # type: ignore[misc]
    }
    took = turns(calls, arguments.rounds)
    audio_s = rows * arguments.seconds
    print(f"{rows} rows of {arguments.seconds:g} s on {device}, {torch.get_num_threads()} threads; ms:")
    for name, seconds in took.items():
        print(f"  {name:<44}{1000 * seconds:>10.1f}")
    print(f"  {'network step, Gflop':<44}{counter.get_total_flops() / 1e9:>10.1f}")
    print(f"  {'rendering over network step':<44}{took['rendering'] / took['network step']:>10.2f}")
    print(f"  {'rendering, seconds of audio per second':<44}{audio_s / took['rendering']:>10.0f}")


if __name__ == "__main__":
    main()
