"""The linear part of a strip as an impulse response for any convolver."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stito.audio import check_writable, write_audio
from stito.console.preset import StripPreset
from stito.console.words import Placed, placed
from stito.effects.chain import Chain
from stito.effects.effect import LinearEffect
from stito.errors import OutputError, SettingsError
from stito.exporters.exporter import Exported
from stito.exporters.session import Session
from stito.files.names import file_names

__all__ = ["IMPULSE", "Impulse", "ImpulseResponses", "impulse_of"]

USUAL_RATE = 48_000
RATES = (8_000, 384_000)
LEAD_S = 0.35
"""Filters without phase ring before what they answer to: for so long at most."""
MARGIN_S = 0.05
INAUDIBLE = 1e-10
"""What is cut off at either end holds this share of the energy, -100 dB, or less."""


@dataclass(frozen=True, eq=False)
class Impulse:
    """An impulse response in true stereo.

    Attributes:
        samples: (4, n): left to left, left to right, right to left, right to right.
        latency: samples by which the answer comes late, since some of it rings before the sound.
        left_out: labels of the effects that are not in it, since they are not linear.
    """

    samples: Tensor
    latency: int
    left_out: tuple[str, ...]


def impulse_of(strip: StripPreset, sample_rate: int) -> Impulse:
    """What the linear effects of a strip, in their order, answer to a click on the left, and to one on the right.

    The fader is not part of it; effects that are switched off are neither in it nor left out.
    """
    working = [each for each in placed(strip) if not each.bypass]
    linear = [each for each in working if isinstance(each.slot.effect, LinearEffect)]
    left_out = tuple(
        each.slot.label for each in working if each not in linear and each.slot.effect.describe(each.settings)
    )
    lead, length = round(LEAD_S * sample_rate), round((LEAD_S + _tail_s(linear) + MARGIN_S) * sample_rate)
    chain = Chain("linear", tuple(each.slot for each in linear))
    answers = []
    for side in range(2):
        click = torch.zeros(2, length, dtype=torch.float64)
        click[side, lead] = 1.0
        answers.append(chain.render_one(click, {each.slot.label: each.settings for each in linear}, sample_rate))
    whole = torch.cat(answers)
    start, stop = _sounding(whole)
    start = min(start, lead)
    return Impulse(whole[:, start : max(stop, lead + 1)].float(), lead - start, left_out)


def _tail_s(linear: list[Placed]) -> float:
    return sum(each.slot.effect.tail_s for each in linear if isinstance(each.slot.effect, LinearEffect))


def _sounding(x: Tensor) -> tuple[int, int]:
    """Where audio begins and ends, but for what is inaudible."""
    energy = x.square().sum(dim=0)
    limit = INAUDIBLE * energy.sum()
    begin = int((energy.cumsum(0) <= limit).sum())
    end = len(energy) - int((energy.flip(0).cumsum(0) <= limit).sum())
    return begin, end


@dataclass(frozen=True)
class ImpulseResponses:
    """Writes `OUT/<strip>.wav` for each strip in true stereo, 32-bit float; one file where there is one strip."""

    name: str = "ir"
    suffix: str = ""

    def export(self, session: Session, out: Path, *, force: bool = False) -> Exported:
        """Write them at the rate that was asked for, by default 48 kHz."""
        rate = session.rate or USUAL_RATE
        if not RATES[0] <= rate <= RATES[1]:
            raise SettingsError(
                f"{rate} Hz is no sample rate for this.", hint=f"Rates go from {RATES[0]} to {RATES[1]} Hz."
            )
        strips = session.preset.strips()
        if out.suffix.lower() == ".wav" and len(strips) > 1:
            raise OutputError(f"{out} is one file, and there are {len(strips)} strips.", hint="Name a folder with -o.")
        notes: list[str] = []
        files = [out] if out.suffix.lower() == ".wav" else [out / file for file in file_names(strips, ".wav")]
        for file in files:
            check_writable(file, overwrite=force)
        for file, (name, strip) in zip(files, strips.items(), strict=True):
            impulse = impulse_of(strip, rate)
            write_audio(file, impulse.samples, rate, subtype="FLOAT", overwrite=force)
            notes += [f"{name}: {note}" for note in _notes(strip, impulse, rate)]
        order = "Channels are left to left, left to right, right to left, right to right. Faders are not in them."
        return Exported(tuple(files), (order, *notes))


def _notes(strip: StripPreset, impulse: Impulse, rate: int) -> list[str]:
    are = "is" if len(impulse.left_out) == 1 else "are"
    notes = [f"{', '.join(impulse.left_out)} {are} not linear, and left out."] if impulse.left_out else []
    if strip.conversion is not None:
        notes.append("what the network renders is left out.")
    if impulse.latency:
        late = 1000 * impulse.latency / rate
        notes.append(f"it answers {impulse.latency} samples ({late:.1f} ms) late: move the track forward by that much.")
    return notes


IMPULSE = ImpulseResponses()
