"""How much of a known style change each method finds: seeded cases with a known truth.

    python benchmarks/recovery.py --cases 20                         # on the demo songs
    python benchmarks/recovery.py --cases 20 --data my-songs/        # and on song folders of stems
    python benchmarks/recovery.py --content different --cases 20     # reference and input play different music

Same content: the reference is the input's stem through hidden settings of the same chain. Different content: the same
hidden settings on a stem of the same kind from another song; the truth is what they make of the input. Printed is the
multi-scale spectral distance to the truth (mean of left/right and mid/side), with every method's result at the
reference's loudness, as a transfer leaves it, and the input as it came (`level` is the input with its loudness
matched): per method the median over cases with a 95 % bootstrap interval, the reduction of the input's distance in %,
and how far the knobs are from the hidden ones, in theta. `oracle` searches the truth's waveform itself.

Of the effects that are neutral in the hidden settings, and those that a method bypasses: precision is the share of the
bypassed that are hidden as neutral, recall the share of the hidden neutral that are bypassed. Gains are left out, for
level is a fader's as well.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from stito import streams
from stito.audio import resample
from stito.console.preset import StripPreset
from stito.console.strips import gain, loudness
from stito.demo import compose
from stito.effects.chain import Chain, ChainSettings
from stito.effects.chain_files import load_chain
from stito.engine.excerpts import active_starts
from stito.engine.options import TransferOptions
from stito.evaluation.transfers.cases import as_stem
from stito.evaluation.transfers.methods import oracle
from stito.files.atomic import write_atomic
from stito.metrics.spectral import multi_scale_spectral
from stito.mix import read_mix
from stito.search.base import Budget
from stito.streams import Purpose
from stito.terminal import text_table
from stito.workflows.transfer import Transfer

RATE = 44_100
SECONDS = 4.0
STEMS = ("drums", "bass", "other", "vocals")
PROBABILITIES = {"eq": 0.9, "compressor": 0.9, "panner": 0.3, "imager": 0.8, "gain": 0.5}
REVERB = {"drums": 0.5, "bass": 0.01, "vocals": 0.9, "other": 0.7}
"""How often each effect is in use, as FXmanipulator has it (Koo et al. 2022)."""
AUDIBLE = 0.1
"""The least distance between input and truth of a case."""
IDENTIFIABLE = ("panner.pan", "imager.width", "eq.low_gain_db", "eq.mid_gain_db", "eq.high_gain_db", "reverb.mix")


@dataclass(frozen=True)
class Case:
    """One hidden style: the input, the reference, and what the input should become, all (2, t)."""

    name: str
    source: Tensor
    reference: Tensor
    truth: Tensor
    hidden: ChainSettings


def songs(folders: list[Path]) -> dict[str, dict[str, Tensor]]:
    """Active stretches of every song's stems, by song and stem; the demo songs are always there."""
    found: dict[str, dict[str, Tensor]] = {}
    for name in ("night", "street", "river"):
        found[name] = {stem: torch.from_numpy(audio.copy()) for stem, audio in compose(name).items()}
    for folder in (song for root in folders for song in sorted(root.iterdir()) if song.is_dir()):
        mix = read_mix(folder)
        found[folder.name] = {stem: resample(mix.stereo(stem), mix.sample_rate, RATE) for stem in mix.stems}
    cut: dict[str, dict[str, Tensor]] = {}
    for name, stems in found.items():
        cut[name] = {}
        for stem, x in stems.items():
            start = active_starts(x, RATE, seconds=SECONDS, count=1)[0]
            piece = x[:, start : start + round(SECONDS * RATE)].contiguous()
            level = loudness(piece, RATE)
            if level > -60:
                cut[name][stem] = piece * gain(-24.0 - level)
    return cut


def sample(chain: Chain, stem: str, generator: np.random.Generator) -> ChainSettings:
    """Random settings: every effect in use or neutral by its probability, knobs uniform in theta."""
    settings = chain.settings(torch.from_numpy(generator.uniform(size=chain.dim)).float())
    for label, neutral in chain.neutral().items():
        probability = REVERB[stem] if label == "reverb" else PROBABILITIES.get(label, 0.5)
        if generator.uniform() > probability:
            settings[label] = neutral
    if "reverb" in settings:
        settings["reverb"]["mix"] *= 0.5
    return settings


def cases(count: int, seed: int, content: str, chain: Chain, library: dict[str, dict[str, Tensor]]) -> Iterator[Case]:
    """Seeded cases, cycling through the kinds of stems."""
    for index in range(count):
        settings = streams.generator(seed, Purpose.RECOVERY_SETTINGS, index)
        stem = STEMS[index % len(STEMS)]
        having = sorted(name for name, stems in library.items() if stem in stems)
        first, second = streams.generator(seed, Purpose.RECOVERY_SONGS, index).choice(having, size=2, replace=False)
        source = library[first][stem]
        other = source if content == "same" else library[second][stem]
        audible = 0.0
        while audible < AUDIBLE:  # settings that hardly change the sound are drawn again: there is nothing to find
            hidden = sample(chain, stem, settings)
            truth = chain.render_one(source, hidden, RATE)
            audible = spectral(source, truth)
        reference = truth if content == "same" else chain.render_one(other, hidden, RATE)
        name = f"{index}: {stem} of {first}" + ("" if content == "same" else f" after {second}")
        yield Case(name, source, reference, truth, hidden)


def spectral(x: Tensor, truth: Tensor) -> float:
    """Multi-scale spectral distance, mean of left/right and mid/side."""
    found = multi_scale_spectral(x[None], truth[None])
    return float(0.5 * (found.left_right + found.mid_side)[0])


def distance(case: Case, method: str, chain: Chain, settings: ChainSettings) -> float:
    """Multi-scale spectral distance of a method's result to the truth."""
    x = chain.render_one(case.source, settings, RATE)
    if method not in ("input", "oracle"):  # as the faders of a transfer leave it
        x = x * gain(loudness(case.reference, RATE) - loudness(x, RATE))
    return spectral(x, case.truth)


def solve(case: Case, method: str, chain: Chain, arguments: argparse.Namespace) -> tuple[Chain, ChainSettings]:
    """One method's settings for a case, and the chain with what it bypasses."""
    if method in ("input", "level"):
        return chain, chain.neutral()
    if method == "oracle":
        return chain, oracle(case.source, case.truth, chain, arguments.evaluations, arguments.seed)
    engine = Transfer(
        method=method,
        chain=chain,
        encoder=arguments.encoder,
        budget=Budget(evaluations=arguments.evaluations),
        seed=arguments.seed,
        prior_weight=arguments.prior,
        simplify=arguments.simplify,
    )
    return engine.solve(as_stem(case.source), as_stem(case.reference)).solutions["stem"].strips["stem"]


def strength(text: str) -> float | Literal["off"]:
    """How far results may change for fewer moves; argparse says what is wrong."""
    if text == "off":
        return "off"
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def unused(chain: Chain, settings: ChainSettings) -> list[str]:
    """The effects at neutral, but for gains."""
    neutral = chain.neutral()
    return [
        slot.label for slot in chain.slots if slot.effect.level is None and settings[slot.label] == neutral[slot.label]
    ]


def interval(values: np.ndarray) -> tuple[float, float]:
    """A 95 % bootstrap interval of the median."""
    generator = streams.generator(0, Purpose.BOOTSTRAP)
    medians = np.median(generator.choice(values, size=(2000, len(values))), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--content", choices=("same", "different"), default="same")
    parser.add_argument("--methods", default="input,level,match,predict,random,cma,gradient")
    parser.add_argument("--chain", default="mixing")
    parser.add_argument("--encoder", default="features")
    parser.add_argument("--evaluations", type=int, default=1500)
    parser.add_argument("--prior", type=float, default=TransferOptions.prior_weight)
    parser.add_argument("--simplify", type=strength, default=TransferOptions.simplify, metavar="0..1|off")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--json", type=Path, help="also write every case there, as soon as it is measured")
    arguments = parser.parse_args()

    chain = load_chain(arguments.chain)
    library = songs(arguments.data)
    rows: list[dict[str, object]] = []
    methods = arguments.methods.split(",")
    for case in cases(arguments.cases, arguments.seed, arguments.content, chain, library):
        hidden = chain.encode(case.hidden)
        line = []
        for method in methods:
            started = time.perf_counter()
            playing, settings = solve(case, method, chain, arguments)
            seconds = time.perf_counter() - started
            apart = distance(case, method, chain, settings)
            theta = chain.encode(settings)
            knobs = {
                str(knob): abs(float(theta[i] - hidden[i]))
                for i, knob in enumerate(chain.knobs)
                if str(knob) in IDENTIFIABLE
            }
            row = {"case": case.name, "method": method, "distance": apart, "seconds": seconds, "knobs": knobs}
            row["moves"] = StripPreset.of(playing, settings).moves
            row["neutral"] = unused(chain, case.hidden)
            row["bypassed"] = [slot.label for slot in playing.slots if slot.bypass and slot.effect.level is None]
            rows.append(row)
            line.append(f"{method} {apart:.3f}")
        print(f"{case.name:<34}" + "  ".join(line), flush=True)
        if arguments.json:
            write_atomic(arguments.json, json.dumps(rows, indent=1) + "\n", overwrite=True)
    report(rows, methods)


def report(rows: list[dict], methods: list[str]) -> None:  # type: ignore[type-arg]
    """The table."""
    by_case = {row["case"]: row["distance"] for row in rows if row["method"] == methods[0]}
    cells = []
    for method in methods:
        mine = [row for row in rows if row["method"] == method]
        distances = np.array([row["distance"] for row in mine])
        reductions = np.array([1 - row["distance"] / by_case[row["case"]] for row in mine])
        knobs = np.median([value for row in mine for value in row["knobs"].values()] or [np.nan])
        low, high = interval(distances)
        reduction_low, reduction_high = interval(reductions)
        seconds = np.median([row["seconds"] for row in mine])
        bypassed, neutral = (sum(len(row[key]) for row in mine) for key in ("bypassed", "neutral"))
        right = sum(len({*row["bypassed"]} & {*row["neutral"]}) for row in mine)
        cells.append(
            (
                method,
                f"{np.median(distances):.3f} ({low:.3f} to {high:.3f})",
                f"{np.median(reductions):.0%} ({reduction_low:.0%} to {reduction_high:.0%})",
                f"{knobs:.3f}",
                f"{np.median([row['moves'] for row in mine]):g}",
                f"{right / bypassed:.0%} of {bypassed}" if bypassed else "",
                f"{right / neutral:.0%} of {neutral}" if neutral else "",
                f"{seconds:.1f}",
            )
        )
    heads = ("method", "distance (95 %)", "reduction (95 %)", "knobs off", "moves", "precision", "recall", "seconds")
    print("\n" + text_table(heads, cells))


if __name__ == "__main__":
    main()
