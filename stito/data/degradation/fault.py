"""What a fault of a mix is: an effect at settings that no engineer would leave, and how much of it.

Faults are found by name like effects (`load_fault`). Each says how its effect stands at full severity; less of it comes
from the effect's own `depth` knobs, which go back to neutral along their own scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from stito import registry
from stito.effects.effect import Effect
from stito.effects.param import Param, Settings
from stito.errors import SettingsError

__all__ = ["Fault", "always", "fault_names", "load_fault"]

REMOVED = 1e-5
"""What a fault takes down by 100 dB it has removed: its level is not brought back."""

Worst = Callable[[Tensor, int, np.random.Generator], Settings]
"""Audio (2, t), its rate in Hz and a generator to settings of full severity; other knobs stand at neutral."""


def always(x: Tensor, sample_rate: int) -> bool:
    """The fault can be done to any audio."""
    del x, sample_rate
    return True


@dataclass(frozen=True)
class Fault:
    """A fault that a mix may have.

    Attributes:
        name: the registered name.
        doc: what a listener would say, one line.
        effect: the registered effect that makes it.
        worst: how that effect stands at full severity, drawn at random; may depend on the audio, as thresholds do.
        keeps_level: whether the stem has the level (RMS) after it that it had before.
        applies: whether it does anything to this audio: what is mono cannot lose its width.
        moves: which ways its effect's `depth` knobs may go, as `gain_db+` or `width-`: too loud is not too quiet.
    """

    name: str
    doc: str
    effect: str
    worst: Worst
    keeps_level: bool = True
    applies: Callable[[Tensor, int], bool] = always
    moves: tuple[str, ...] = ()

    def moved(self, settings: Settings) -> list[str]:
        """Which ways its effect's `depth` knobs went at these settings, as in `moves`."""
        depths = [param for param in _effect(self.effect).params if param.depth]
        ways = [(param.name, settings[param.name] - param.neutral) for param in depths]
        return [f"{name}{'+' if way > 0 else '-'}" for name, way in ways if way]

    def settings(self, worst: Settings, severity: float) -> Settings:
        """The effect's settings at a severity from 0, none, to 1; `SettingsError` beyond."""
        if not 0 <= severity <= 1:
            raise SettingsError(f"The severity {severity:g} is not from 0 to 1.", hint="0 does nothing, 1 the most.")
        params = _effect(self.effect).params
        return {param.name: _milder(param, worst.get(param.name, param.neutral), severity) for param in params}

    def render(self, x: Tensor, sample_rate: int, settings: Settings) -> Tensor:
        """Audio (2, t) with the effect at these settings, at the level that it had if the fault keeps it."""
        effect = _effect(self.effect)
        knobs = {name: x.new_tensor([value]) for name, value in settings.items()}
        with torch.no_grad():
            made = effect.process(x[None], knobs, sample_rate)[0]
            if not self.keeps_level:
                return made
            before, now = (audio.square().mean().sqrt() for audio in (x, made))
            return made * torch.where(now > REMOVED * before, before / now, torch.ones_like(now))


@lru_cache(maxsize=64)
def _effect(name: str) -> Effect:
    effect: Effect = registry.load("effect", name)()
    return effect


def _milder(param: Param, worst: float, severity: float) -> float:
    """A `depth` knob that much of the way from neutral to its worst; others stay where they are."""
    worst = param.check(worst)
    if not param.depth:
        return worst
    none, most = param.to_unit(param.neutral), param.to_unit(worst)
    return param.check(param.from_unit(none + severity * (most - none)))


def fault_names() -> tuple[str, ...]:
    """The names of all installed faults, sorted."""
    return tuple(registry.names("fault"))


def load_fault(name: str) -> Fault:
    """The fault of a name; `UnknownNameError` if none of that name is installed."""
    fault: Fault = registry.load("fault", name)
    return fault
