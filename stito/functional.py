"""Every installed effect as a function, made from the registry.

>>> import torch
>>> from stito.functional import compressor
>>> y = compressor(0.5 * torch.ones(2, 44_100), 44_100, threshold_db=-24.0, ratio=4.0)
>>> bool(y.abs().max() < 0.5)
True

A knob that is not given stands at its neutral value. Gradients reach the audio and every knob that is a tensor, where
the effect is differentiable.
"""

from __future__ import annotations

import functools
import inspect
from typing import Protocol

import torch
from torch import Tensor

from stito import registry
from stito.effects.effect import Effect
from stito.errors import AudioError, UnknownNameError

__all__ = ["EffectFunction"]


class EffectFunction(Protocol):
    """An effect on audio, with its knobs as keyword arguments."""

    def __call__(self, x: Tensor, sample_rate: int, **knobs: float | Tensor) -> Tensor:
        """Audio through the effect.

        Args:
            x: (2, t), or (b, 2, t).
            sample_rate: in Hz.
            knobs: physical values, numbers or tensors (b,), in the units that their names end in.

        Shape:
            That of `x`; (b, 2, t) where knobs are b values each.

        Raises:
            AudioError: audio of another shape.
            UnknownNameError: the effect has no such knob.
            SettingsError: a value outside the knob's range.
        """
        ...


def __getattr__(name: str) -> EffectFunction:
    if name.startswith("_") or name not in registry.names("effect"):
        raise AttributeError(f"module 'stito.functional' has no attribute '{name}'")
    return _function(name)


def __dir__() -> list[str]:
    return [*__all__, *registry.names("effect")]


@functools.cache
def _function(name: str) -> EffectFunction:
    effect: Effect = registry.load("effect", name)()
    known = {param.name: param for param in effect.params}

    def function(x: Tensor, sample_rate: int, **knobs: float | Tensor) -> Tensor:
        if x.dim() not in (2, 3) or x.shape[-2] != 2:
            raise AudioError(f"{name} needs audio (2, t) or (b, 2, t), not {tuple(x.shape)}.")
        for knob, value in knobs.items():
            if knob not in known:
                raise UnknownNameError.of(f"param of {name}", knob, known)
            if not isinstance(value, Tensor):
                known[knob].check(value)
        values = {
            knob: torch.as_tensor(knobs.get(knob, param.neutral), dtype=x.dtype, device=x.device).reshape(-1)
            for knob, param in known.items()
        }
        batch = x if x.dim() == 3 else x[None]
        size = max(len(batch), *(len(value) for value in values.values())) if values else len(batch)
        values = {knob: value.expand(size) for knob, value in values.items()}
        made = effect.process(batch, values, sample_rate)
        return made[0] if x.dim() == 2 and len(made) == 1 else made

    function.__name__ = function.__qualname__ = name
    about = inspect.cleandoc(type(effect).__doc__ or "").split("\n\n")[0]
    knobs = "\n".join(
        f"    {param.name}: {param.low:g} to {param.high:g}, neutral {param.neutral:g}; {param.doc}"
        for param in effect.params
    )
    function.__doc__ = f"{about}\n\nKnobs:\n{knobs}"
    return function
