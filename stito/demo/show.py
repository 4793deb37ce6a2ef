"""The demo: one song takes on the style of another, and everything about it is known.

The same players play both songs, in one register and with rests that let rooms be heard, and every stem is
FX-normalised (Koo et al., ICASSP 2023): dry, the songs differ in music alone. "street" is then mixed with hidden
settings; the transfer hears it and the dry "night". What the hidden settings make of "night" is the truth that the
result is held against.

The hidden settings (`hidden.json`) are those of a bright pop mix, chosen by what an engineer would do and not by what
is found again. EQ bands that lay where their stem has no sound were moved once, before the result was measured with
them; the playing (players, register, rests) was adjusted after measuring.

* drums: weight at 80 Hz, less box, more air; 4:1 after the attack; wider, in a small room;
* bass: +3 dB at 77 Hz, 5 dB less mud at 300 Hz, 5 dB more growl at 1 kHz; 6:1; dry, in the middle;
* other: room for bass and voice (-6 dB below 200 Hz, -3 dB at 1.7 kHz), air; 2:1; wide, to the right, in a hall;
* vocals: thinner below 200 Hz, presence and air; 4:1; in the middle, in a room of 1.2 s.
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
from stito.data.fxnorm.normalize import normalize
from stito.demo import compose
from stito.engine.result import OnStep
from stito.metrics.spectral import multi_scale_spectral
from stito.mix import Mix, add_up
from stito.search.base import Budget
from stito.terminal import text_table
from stito.workflows.folder import prepare
from stito.workflows.result import TransferResult
from stito.workflows.transfer import Transfer, run_transfer

__all__ = ["Demo", "StemOutcome", "run_demo"]

RATE = 44_100
INPUT, REFERENCE = "night", "street"
PLAYERS = "session"
TRANSPOSE = {INPUT: 3, REFERENCE: 0}
"""Semitones that bring both melodies to one height: sung notes are 66.5 and 66.7 on average."""
TELLING = {"eq": ("low_gain_db", "high_gain_db"), "compressor": ("ratio",), "imager": ("width",), "reverb": ("mix",)}
"""Knobs that a listener would name."""


@dataclass(frozen=True)
class StemOutcome:
    """One stem or the sum against the truth: spectral distances at equal loudness, and knobs as (hidden, found)."""

    before: float
    after: float
    knobs: dict[str, tuple[float, float]]

    @property
    def reduction(self) -> float:
        """How much smaller the distance to the truth became, in %; negative where it grew."""
        return 100 * (1 - self.after / self.before)


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    result: TransferResult
    stems: dict[str, StemOutcome]
    total: StemOutcome

    def table(self) -> str:
        """The outcome as text."""
        heads = ("", "distance to the truth", "reduction", "found settings (hidden ones in brackets)")
        rows = []
        for name, row in (self.stems | {"sum": self.total}).items():
            knobs = ", ".join(f"{knob} {found:.2g} ({hidden:.2g})" for knob, (hidden, found) in row.knobs.items())
            rows.append((name, f"{row.before:.3f} -> {row.after:.3f}", f"{row.reduction:.0f} %", knobs))
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
    outcomes = {name: _outcome(name, dry, truth.stems, result, hidden) for name in dry.stems}
    before, after = _distance(add_up(dry.stems.values()), truth.mix), _distance(result.rendered.mix, truth.mix)
    return Demo(result, outcomes, StemOutcome(before, after, {}))


def _mix(song: str) -> Mix:
    """A song of the demo, dry and FX-normalised."""
    played = compose(song, players=PLAYERS, transpose=TRANSPOSE[song])
    stems = {name: normalize(torch.from_numpy(audio.copy()), name, sample_rate=RATE) for name, audio in played.items()}
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
