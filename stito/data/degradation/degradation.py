"""Degrading a mix: which faults its stems get, rendered, with a label of each.

A label says which stem, which fault, how severe, and the effect's settings, so that whoever trains or measures with
degraded mixes knows the truth, and whoever listens can undo it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import Tensor

from stito.audio import is_silent
from stito.data.degradation.fault import Fault, fault_names, load_fault
from stito.effects.param import Settings
from stito.errors import AudioError

__all__ = ["Damage", "Drawn", "degrade", "draw_faults"]

COUNTS = (0.6, 0.25, 0.15)
"""How often a degraded mix has one fault, two, three."""
LEAST = 0.1
"""Where severities are drawn, they are at least this: less is no fault."""


@dataclass(frozen=True)
class Damage:
    """One fault that was done: to which stem, how severe from 0 to 1, and the effect's settings."""

    stem: str
    fault: str
    severity: float
    effect: str
    settings: Settings

    def as_json(self) -> dict[str, Any]:
        """As it stands in a label."""
        return asdict(self) | {"settings": {name: round(value, 6) for name, value in self.settings.items()}}


@dataclass(frozen=True)
class Drawn:
    """A fault to be done to a stem, with a severity."""

    stem: str
    fault: Fault
    severity: float


def draw_faults(
    stems: Mapping[str, Tensor],
    sample_rate: int,
    generator: np.random.Generator,
    *,
    faults: Sequence[str] | None = None,
    severity: float | None = None,
    count: int | None = None,
) -> list[Drawn]:
    """Which faults a mix gets: one, two or three different ones, each on a stem that it does something to.

    Args:
        stems: audio (2, t) by name.
        sample_rate: in Hz.
        generator: draws everything.
        faults: what to choose from, by name; by default all that are installed.
        severity: of each; by default anything from .1 to 1.
        count: how many, fewer if there are not as many; by default one to three.

    Raises `AudioError` if none of the faults does anything to any stem.
    """
    loaded = [load_fault(name) for name in (fault_names() if faults is None else faults)]
    sounding = {name: x for name, x in stems.items() if not is_silent(x)}
    possible = [(name, fault) for fault in loaded for name, x in sounding.items() if fault.applies(x, sample_rate)]
    if not possible:
        raise AudioError(
            f"There is no stem to which {' or '.join(fault.name for fault in loaded)} would do anything.",
            hint="Silent stems have no faults, and mono ones no width to lose: choose another fault.",
        )
    wanted = int(generator.choice(len(COUNTS), p=COUNTS)) + 1 if count is None else count
    drawn: list[Drawn] = []
    while possible and len(drawn) < wanted:
        kinds = sorted({fault.name for _, fault in possible})
        kind = kinds[int(generator.integers(len(kinds)))]  # faults are equally likely, however many stems fit
        fitting = [(name, fault) for name, fault in possible if fault.name == kind]
        name, fault = fitting[int(generator.integers(len(fitting)))]
        drawn.append(Drawn(name, fault, float(generator.uniform(LEAST, 1.0)) if severity is None else severity))
        possible = [pair for pair in possible if pair[1].name != kind]
    return drawn


def degrade(
    stems: Mapping[str, Tensor], sample_rate: int, drawn: Sequence[Drawn], generator: np.random.Generator
) -> tuple[dict[str, Tensor], list[Damage]]:
    """Stems (2, t) with faults, one after the other, and what was done; stems without a fault are the same tensors."""
    result, done = dict(stems), []
    for each in drawn:
        x, fault = result[each.stem], each.fault
        settings = fault.settings(fault.worst(x, sample_rate, generator), each.severity)
        result[each.stem] = fault.render(x, sample_rate, settings)
        done.append(Damage(each.stem, fault.name, each.severity, fault.effect, settings))
    return result, done
