"""Transfer with a known truth: Table 2 of Koo et al. (2022), for searches.

Stems of two songs, A and B, both FX-normalised, get the same random effects. A method hears A as its input and the
manipulated B as its reference; the truth is the manipulated A. How far a result is from the truth is something that a
metric can say, without anybody's taste:

```
 A ──────────────── method ──▶ result ─┐
                      ▲                ├─▶ multi-scale spectral distance
 B ─ effects ─▶ reference              │
 A ─ effects ─▶ truth ─────────────────┘
```

All results but `input` and `oracle` get the level that the reference asks for: since normalised stems of one kind have
one loudness, what the reference's differs from it is the effects' doing. Beyond the paper, A may also arrive `mixed`:
with random effects of its own, as the stems of musicians do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from stito.audio import AudioFormat, write_atomic
from stito.chain import Chain, ChainSettings
from stito.chains import load_chain
from stito.console import gain, loudness, render_strip
from stito.converters import DEFAULT_CONVERTER, load_converter
from stito.data.targets import Targets
from stito.encoder import Encoder, digest_of
from stito.encoders import DEFAULT_ENCODER, load_encoder
from stito.errors import OutputError, SettingsError
from stito.evaluation.cases import SAMPLE_RATE, Material, draw_cases
from stito.fitting import fit
from stito.matching import NEURAL
from stito.metrics.spectral import multi_scale_spectral
from stito.mix import Mix
from stito.predictor import load_predictor
from stito.preset import StripPreset
from stito.search.base import Budget
from stito.transfer import PRIOR_WEIGHT, match_style

if TYPE_CHECKING:
    from stito.data.manipulate import Manipulator

__all__ = [
    "METHODS",
    "Case",
    "Row",
    "TransferPlan",
    "as_stem",
    "draw_transfers",
    "evaluate_transfers",
    "oracle",
    "read_rows",
    "summarise",
    "table",
]

METHODS = ("input", "level", "match", "predict", "neural", "cma:features", "cma:fxencoder", "oracle")
"""`input` does nothing, `level` only settles the loudness; a search is written with its encoder behind a colon, and
behind another where it starts (`cma:fxencoder:match`), a converter with its weights (`neural:FILE`)."""

PLAIN = ("input", "level", "oracle")
"""These hear with no encoder."""

NEARER = ("left_right_below_match", "left_right_below_match_low", "left_right_below_match_high")
PLACE = 2_000
"""Keeps this randomness apart from the other parts' of the same seed."""
OWN = 1
"""And that of an input's own effects apart from the rest of its case."""


@dataclass(frozen=True)
class TransferPlan:
    """What is run, on what `data`. Cases take the kinds of stems in turn; each follows from (seed, number) alone.

    With `mixed` the same cases have inputs with effects of their own.
    """

    cases: int = 40
    seconds: float = 12.0
    evaluations: int = 300
    methods: tuple[str, ...] = METHODS
    chain: str = "mixing"
    prior: float = PRIOR_WEIGHT
    seed: int = 0
    data: str = ""
    mixed: bool = False

    def __post_init__(self) -> None:
        if self.cases < 1 or self.seconds < 1 or self.evaluations < 1 or not self.methods:
            raise SettingsError("A transfer evaluation needs cases of a second or more, evaluations, and methods.")


@dataclass(frozen=True)
class Case:
    """One transfer: input, reference and truth, (2, t) at 44.1 kHz, how loud the reference asks results to be, and
    whether the truth has reverb."""

    number: int
    stem: str
    source: Tensor
    reference: Tensor
    truth: Tensor
    asked_lufs: float
    reverb: bool


@dataclass(frozen=True)
class Row:
    """What one method made of one case; `digest` is of its weights, `reverb` whether the truth has it."""

    case: int
    stem: str
    method: str
    left_right: float
    mid_side: float
    seconds: float
    digest: str = ""
    reverb: bool | None = None


def draw_transfers(material: Material, manipulator: Manipulator, plan: TransferPlan) -> Iterator[Case]:
    """The plan's cases, one by one."""
    targets = Targets.shipped()
    for number in range(plan.cases):
        stem = material.stems[number % len(material.stems)]
        generator = np.random.default_rng([plan.seed, PLACE, number])
        drawn = draw_cases(material, manipulator, stem, generator, segments=2, configurations=1, seconds=plan.seconds)
        source = drawn.segments[stem][0]
        truth, reference = drawn.render([0, 1], [0, 0])
        lift_db = loudness(reference, SAMPLE_RATE) - targets.of(stem).loudness_lufs
        asked_lufs = loudness(source, SAMPLE_RATE) + lift_db
        if plan.mixed:
            own = manipulator.sample([stem], np.random.default_rng([plan.seed, PLACE, number, OWN]))
            source = manipulator.render(source[None], own)[0]
        reverb = bool(drawn.configurations[stem].active["reverb"][0])
        yield Case(number, stem, source, reference, truth, asked_lufs, reverb)


def evaluate_transfers(
    material: Material,
    manipulator: Manipulator,
    plan: TransferPlan,
    *,
    chain: Chain,
    log: Path | None = None,
    on_row: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Every method on every case.

    With `log` each row is appended to that file of JSON lines as soon as it is known, and rows that are there already
    are not computed again: an interrupted evaluation goes on where it stopped.
    """
    asked = {method: _asked(method) for method in dict.fromkeys(plan.methods)}
    done = {(row.case, row.method, row.digest): row for row in (read_rows(log, plan) if log else [])}
    rows = []
    for case in draw_transfers(material, manipulator, plan):
        for method in plan.methods:
            row = done.get((case.number, method, asked[method].digest))
            if row is None:
                row = _run(case, asked[method], chain, plan)
                if log:
                    _append(log, row, plan)
            rows.append(row)
            if on_row:
                on_row(row)
    return rows


@dataclass(frozen=True)
class Asked:
    """A method as it was asked for, with everything loaded: how settings are found, from where, and what judges.

    `digest` is of the weights that decide: those of the encoder, or of the converter.
    """

    name: str
    how: str = ""
    init: str = "auto"
    encoder: Encoder | None = None
    digest: str = ""


def _asked(method: str) -> Asked:
    how, source, init = [*method.split(":"), "", ""][:3]
    if method in PLAIN:
        return Asked(method)
    if how == NEURAL:
        digest = digest_of(load_converter(source or DEFAULT_CONVERTER))
        return Asked(method, method, encoder=load_encoder(DEFAULT_ENCODER), digest=digest)
    encoder = load_encoder(source or DEFAULT_ENCODER)
    return Asked(method, how, init or "auto", encoder, digest_of(encoder))


def read_rows(log: Path, plan: TransferPlan) -> list[Row]:
    """The rows of a log; `OutputError` if they are of another plan."""
    if not log.is_file():
        return []
    header, *lines = log.read_text(encoding="utf-8").splitlines()
    if json.loads(header) != _identity(plan):
        raise OutputError(f"{log} is of another evaluation.", hint="Choose another folder, or delete it.")
    return [Row(**json.loads(line)) for line in lines if line.endswith("}")]


def _identity(plan: TransferPlan) -> dict[str, Any]:
    """What rows depend on: all but which methods and how many cases were asked for, and each row's own encoder."""
    predictor = load_predictor(load_chain(plan.chain))
    identity = {key: value for key, value in asdict(plan).items() if key not in ("cases", "methods")}
    return identity | {"predictor": predictor.digest if predictor else ""}


def _append(log: Path, row: Row, plan: TransferPlan) -> None:
    before = log.read_text(encoding="utf-8") if log.is_file() else json.dumps(_identity(plan)) + "\n"
    whole = before[: before.rindex("\n") + 1]  # without the line at which it was interrupted
    write_atomic(log, whole + json.dumps(asdict(row)) + "\n", overwrite=True)


def _run(case: Case, asked: Asked, chain: Chain, plan: TransferPlan) -> Row:
    started = time.perf_counter()
    result = render_strip(case.source, _strip(case, asked, chain, plan), SAMPLE_RATE)
    if asked.name not in ("input", "oracle"):
        result = result * gain(case.asked_lufs - loudness(result, SAMPLE_RATE))
    seconds = time.perf_counter() - started
    apart = multi_scale_spectral(result[None], case.truth[None])
    return Row(
        case.number,
        case.stem,
        asked.name,
        float(apart.left_right[0]),
        float(apart.mid_side[0]),
        seconds,
        asked.digest,
        case.reverb,
    )


def oracle(source: Tensor, truth: Tensor, chain: Chain, evaluations: int, seed: int) -> ChainSettings:
    """The settings of a chain that a search finds when it may look at the truth; audio (2, t) at 44.1 kHz.

    The gradient's, from the closed form and on a sample of frames, where the chain has one; else that of CMA-ES.
    """
    start = chain.encode(chain.match(source, truth, SAMPLE_RATE))
    return chain.settings(fit([chain.prepare(source, SAMPLE_RATE)], [truth], start, evaluations, seed))


def as_stem(x: Tensor) -> Mix:
    """A stem (2, t) of a song, at 44.1 kHz, as the engine takes it."""
    audio_format = AudioFormat(SAMPLE_RATE, 2, "FLOAT")
    return Mix({"stem": x}, SAMPLE_RATE, audio_format, "case", (), "stem", {"stem": audio_format})


def _strip(case: Case, asked: Asked, chain: Chain, plan: TransferPlan) -> StripPreset:
    """What the method found."""
    if asked.name in ("input", "level"):
        return StripPreset.of(chain, chain.neutral())
    if asked.encoder is None:
        return StripPreset.of(chain, oracle(case.source, case.truth, chain, plan.evaluations, plan.seed))
    matched = match_style(
        as_stem(case.source),
        as_stem(case.reference),
        method=asked.how,
        init=asked.init,
        chain=chain,
        encoder=asked.encoder,
        budget=Budget(evaluations=plan.evaluations),
        seed=plan.seed,
        prior_weight=plan.prior,
    )
    return matched.preset.stems["stem"]


def summarise(rows: Sequence[Row], *, draws: int = 2000) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """By kind of stem (and `all`, `dry`, `reverb`) and method: mean distances with 95 % bootstrap intervals over cases.

    Truths with `reverb` are apart because no other room than their own repeats their echoes, however alike it sounds.

    Also, of each distance, `..._reduction`: the share of the mean of `input` that is gone; and `..._below_match`: how
    much nearer than `match`, case by case. Their intervals are over the same draws of cases.
    """
    parts = {
        "all": list(rows),
        "dry": [row for row in rows if row.reverb is False],
        "reverb": [row for row in rows if row.reverb],
        **{stem: [row for row in rows if row.stem == stem] for stem in dict.fromkeys(row.stem for row in rows)},
    }
    return {
        part: {method: _summary(chosen, method, draws) for method in dict.fromkeys(row.method for row in chosen)}
        for part, chosen in parts.items()
        if chosen
    }


def _summary(rows: Sequence[Row], method: str, draws: int) -> dict[str, float]:
    mine = {row.case: row for row in rows if row.method == method}
    inputs, closed = ({row.case: row for row in rows if row.method == other} for other in ("input", "match"))
    cases = sorted(mine)
    picks = np.random.default_rng(0).integers(len(cases), size=(draws, len(cases)))
    found: dict[str, float] = {"cases": len(cases), "seconds": float(np.mean([mine[case].seconds for case in cases]))}
    for measure in ("left_right", "mid_side"):
        values = np.array([getattr(mine[case], measure) for case in cases])
        low, high = np.percentile(values[picks].mean(1), [2.5, 97.5])
        found |= {measure: float(values.mean()), f"{measure}_low": float(low), f"{measure}_high": float(high)}
        if set(cases) <= set(inputs):
            before = np.array([getattr(inputs[case], measure) for case in cases])
            gone = 1 - values[picks].mean(1) / before[picks].mean(1)
            low, high = np.percentile(gone, [2.5, 97.5])
            found |= {
                f"{measure}_reduction": float(1 - values.mean() / before.mean()),
                f"{measure}_reduction_low": float(low),
                f"{measure}_reduction_high": float(high),
            }
        if set(cases) <= set(closed):
            nearer = np.array([getattr(closed[case], measure) for case in cases]) - values
            low, high = np.percentile(nearer[picks].mean(1), [2.5, 97.5])
            found |= {
                f"{measure}_below_match": float(nearer.mean()),
                f"{measure}_below_match_low": float(low),
                f"{measure}_below_match_high": float(high),
            }
    return found


def table(summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The summary as text, one row for each kind of case and method."""
    lines = [
        f"{'cases':<9}{'method':<24}{'':>6}{'left/right (95 %)':>26}{'mid/side (95 %)':>26}{'gone':>8}"
        f"{'below match (95 %)':>28}{'s':>8}"
    ]
    for kind, methods in summary.items():
        for method, found in methods.items():
            spans = [
                f"{found[m]:.3f} ({found[m + '_low']:.3f} to {found[m + '_high']:.3f})"
                for m in ("left_right", "mid_side")
            ]
            gone = f"{found['left_right_reduction']:.0%}" if "left_right_reduction" in found else ""
            nearer = (
                "{:+.3f} ({:+.3f} to {:+.3f})".format(*(found[name] for name in NEARER)) if NEARER[0] in found else ""
            )
            lines.append(
                f"{kind:<9}{method:<24}{found['cases']:>6.0f}{spans[0]:>26}{spans[1]:>26}{gone:>8}"
                f"{nearer:>28}{found['seconds']:>8.1f}"
            )
    return "\n".join(lines)
