"""The demo: one song takes on the style of another, and everything about it is known.

"street" is mixed with hidden settings; "night" is dry. The transfer hears only those two. What the hidden settings
make of "night" is the truth that the result is held against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import torch

from stito.audio import AudioFormat, write_audio
from stito.console.preset import Preset
from stito.console.strips import gain, loudness, render_preset
from stito.demo import compose
from stito.engine.result import OnStep
from stito.metrics.spectral import multi_scale_spectral
from stito.mix import Mix
from stito.search.base import Budget
from stito.terminal import text_table
from stito.workflows.folder import prepare
from stito.workflows.result import TransferResult
from stito.workflows.transfer import Transfer, run_transfer

__all__ = ["Demo", "StemOutcome", "run_demo"]

RATE = 44_100
INPUT, REFERENCE = "night", "street"
TELLING = {"eq": ("low_gain_db", "high_gain_db"), "compressor": ("ratio",), "imager": ("width",), "reverb": ("mix",)}
"""Knobs that a listener would name."""


@dataclass(frozen=True)
class StemOutcome:
    """One stem against the truth: spectral distances at the same loudness, and knobs as (hidden, found)."""

    before: float
    after: float
    knobs: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    result: TransferResult
    stems: dict[str, StemOutcome]

    def table(self) -> str:
        """The outcome as text."""
        heads = ("stem", "distance to the truth", "removed", "found settings (hidden ones in brackets)")
        rows = []
        for name, stem in self.stems.items():
            removed = 1 - stem.after / stem.before
            knobs = ", ".join(f"{knob} {found:.2g} ({hidden:.2g})" for knob, (hidden, found) in stem.knobs.items())
            rows.append((name, f"{stem.before:.3f} -> {stem.after:.3f}", f"{removed:.0%}", knobs))
        return text_table(heads, rows, align="lrrl")


def run_demo(
    outdir: Path,
    *,
    force: bool = False,
    method: str = "cma",
    evaluations: int | None = None,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Demo:
    """Compose both songs into `outdir/night` and `outdir/street`, transfer, and compare with the truth."""
    prepare(outdir, force=force)
    hidden = Preset.model_validate_json(files("stito.demo").joinpath("hidden.json").read_text(encoding="utf-8"))
    dry, reference = _mix(INPUT), render_preset(_mix(REFERENCE), hidden)
    for folder, stems in ((INPUT, dry.stems), (REFERENCE, reference.stems)):
        (outdir / folder).mkdir(exist_ok=True)
        for name, audio in stems.items():
            write_audio(outdir / folder / f"{name}.wav", audio, RATE, subtype="PCM_24", overwrite=True)
    engine = Transfer(
        method=method,
        budget=Budget(evaluations) if evaluations is not None else None,
        seed=seed,
        excerpt_count=1,
        on_step=on_step,
    )
    result = run_transfer(engine, outdir / INPUT, outdir / REFERENCE, outdir, force=True)
    truth = render_preset(dry, hidden)
    return Demo(result, {name: _outcome(name, dry, truth.stems, result, hidden) for name in dry.stems})


def _mix(song: str) -> Mix:
    stems = {name: torch.from_numpy(audio.copy()) for name, audio in compose(song).items()}
    audio_format = AudioFormat(RATE, 2, "PCM_24")
    return Mix(stems, RATE, audio_format, song, (), "stems", dict.fromkeys(stems, audio_format))


def _outcome(
    name: str, dry: Mix, truth: Mapping[str, torch.Tensor], result: TransferResult, hidden: Preset
) -> StemOutcome:
    aim = truth[name]
    found, wanted = result.preset.stems[name].build()[1], hidden.stems[name].build()[1]
    return StemOutcome(
        before=_distance(dry.stems[name], aim),
        after=_distance(result.rendered.stems[name], aim),
        knobs={
            knob: (wanted[label][knob], found[label][knob])
            for label, names in TELLING.items()
            if label in found  # a network has no settings
            for knob in names
        },
    )


def _distance(x: torch.Tensor, truth: torch.Tensor) -> float:
    levelled = x * gain(loudness(truth, RATE) - loudness(x, RATE))
    spectral = multi_scale_spectral(levelled[None], truth[None])
    return float(0.5 * (spectral.left_right + spectral.mid_side)[0])
