"""What a candidate costs: rendering and embedding, as a ratio to the floor measured in the same run.

    python benchmarks/candidates.py

The floor is what no search can avoid for a segment: one inverse FFT of its two channels, and one pass of the encoder,
which holds one STFT and mel. Measured for a population of 32, for one stem and for four, six seconds of stereo each,
on all cores as a search runs them; figures are medians over rounds in which the contenders take turns, so that a
drifting machine drifts for all.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from timing import Contenders, turns
from torch import Tensor

from stito.compute.cores import each_row
from stito.dsp.spectrum import fast_length
from stito.effects.chain import Prepared
from stito.effects.chain_files import load_chain
from stito.models.encoder import Encoder
from stito.models.loading import load_encoder
from stito.streams import Purpose, torch_generator

RATE = 44_100
CHAINS = ("mixing", "mastering", "vocal", "pedalboard")


def contenders(sources: list[Tensor], encoder: Encoder, population: int, generator: torch.Generator) -> Contenders:
    """The floor's parts, the chains, and each chain with the encoder behind it, for all stems."""
    samples = sources[0].shape[-1]
    n = fast_length(samples)
    spectra = [torch.fft.rfft(source[None], n=n) for source in sources]
    chains = {name: load_chain(name) for name in CHAINS}
    thetas = {name: torch.rand(population, chain.dim, generator=generator) for name, chain in chains.items()}
    prepared = {
        name: [chain.prepare(source, RATE, wrapped=True) for source in sources] for name, chain in chains.items()
    }

    def first_sample(audio: Tensor) -> Tensor:
        return audio[:, 0, :1]

    def rendered(name: str, then: Callable[[Tensor], Tensor]) -> Callable[[], object]:
        def of(source: Prepared) -> Tensor:
            return each_row(lambda theta: then(source.render(theta)), thetas[name])

        return lambda: [of(source) for source in prepared[name]]

    rows = thetas[CHAINS[0]]

    def inverted(spectrum: Tensor) -> Tensor:
        return each_row(lambda theta: first_sample(torch.fft.irfft(spectrum.expand(len(theta), -1, -1), n=n)), rows)

    def embedded(source: Tensor) -> Tensor:
        return each_row(lambda theta: encoder.embed(source.expand(len(theta), -1, -1)), rows)

    found: dict[str, Callable[[], object]] = {
        "inverse FFT": lambda: [inverted(spectrum) for spectrum in spectra],
        "encoder": lambda: [embedded(source) for source in sources],
    }
    for name in CHAINS:
        found[f"{name} chain"] = rendered(name, first_sample)
        found[f"{name} chain + encoder"] = rendered(name, encoder.embed)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--population", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--encoder", default="features")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)

    generator = torch_generator(0, Purpose.TIMING)
    encoder = load_encoder(arguments.encoder)
    threads = torch.get_num_threads()
    for stems in (1, 4):
        sources = [0.1 * torch.randn(2, round(arguments.seconds * RATE), generator=generator) for _ in range(stems)]
        calls = contenders(sources, encoder, arguments.population, generator)
        took = turns(calls, arguments.rounds)
        torch.set_num_threads(1)
        alone = turns({name: calls[name] for name in ("pedalboard chain", "mixing chain")}, arguments.rounds)
        torch.set_num_threads(threads)

        count = arguments.population * stems
        floor = took["inverse FFT"] + took["encoder"]
        print(f"{stems} stem(s), {count} candidates of {arguments.seconds:g} s, {threads} threads; ms per candidate:")
        for name, seconds in [*took.items(), ("floor: inverse FFT + encoder", floor)]:
            print(f"  {name:<40}{1000 * seconds / count:>8.2f}")
        for name in CHAINS:
            print(f"  {name + ' chain + encoder, over the floor':<40}{took[name + ' chain + encoder'] / floor:>8.2f}")
        for name, seconds in alone.items():
            print(f"  {name + f', 1 thread over {threads}':<40}{seconds / took[name]:>8.2f}")
        print(f"  {'mixing chain over encoder':<40}{took['mixing chain'] / took['encoder']:>8.2f}")


if __name__ == "__main__":
    main()
