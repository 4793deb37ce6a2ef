"""What an effect is: a pure function of audio and settings.

`Effect` is the whole contract. `LinearEffect` adds one method, the frequency response, from which the chain builds one
spectrum product for all linear effects in a row; `process` then comes for free.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from stito.dsp.reduction import GainReduction
from stito.dsp.spectrum import Factor, Response, filter_blocks
from stito.effects.devices import Device
from stito.effects.param import Param, Settings
from stito.effects.words import Move, generic

__all__ = ["Effect", "LinearEffect"]


class Effect(ABC):
    """A pure function of audio and settings: no state, no global randomness.

    Subclasses set `name`, `params` and `differentiable` and write `process`. `stito.testing.check_effect` is the
    contract in code: run it on your effect.

    Attributes:
        name: the registered name.
        params: every knob, with its range, unit, scale and neutral value.
        differentiable: whether gradients reach the audio and the knobs.
    """

    name: ClassVar[str]
    params: ClassVar[tuple[Param, ...]]
    differentiable: ClassVar[bool] = False

    aspect: ClassVar[str] = ""
    """The aspect of a mix that it changes, of `stito.effects.aspects.ASPECTS`; "" is none of them."""

    file_options: ClassVar[frozenset[str]] = frozenset()
    """Constructor options that are paths of files: chains and presets keep them absolute, for use from any folder."""

    argument: ClassVar[str | None] = None
    """The constructor option that stands behind a colon in the text of a chain: `convolution_reverb:hall.wav`."""

    host: ClassVar[str | None] = None
    """Neighbours in a chain that share a host are rendered by one `process_group`; None renders alone."""

    dynamic: ClassVar[bool] = False
    """Whether its gain follows the level: how much it turns a sound down is then measured on the sound."""
    level: ClassVar[str | None] = None
    """The knob, in dB, that changes the level of the sound as a whole and nothing else, in either direction."""

    thresholds: ClassVar[tuple[str, ...]] = ()
    """Knobs, in dB, that go with the level: with input and thresholds 1 dB softer, so is the output, else the same."""

    bands: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Of an equaliser, the knobs of each band: its gain in dB, then where and how widely it acts."""

    @abstractmethod
    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        """Render a batch of candidates.

        Args:
            x: audio (b, 2, t), or (1, 2, t) for one input under b settings. Never modified.
            p: for each param its physical values, (b,).
            sample_rate: of `x`, in Hz.

        Returns:
            Audio (b, 2, t) of the same dtype and device.
        """

    @classmethod
    def process_group(cls, steps: Sequence[tuple[Effect, Mapping[str, Tensor]]], x: Tensor, sample_rate: int) -> Tensor:
        """Render effects of one host in series: each with its physical values, on audio (b | 1, 2, t)."""
        for effect, p in steps:
            x = effect.process(x, p, sample_rate)
        return x

    @classmethod
    def script(cls, steps: Sequence[tuple[str, Mapping[str, float]]], *, gain_db: float = 0.0) -> str | None:
        """Effects of one host in series, by name and settings, as a standalone program; None where there is none."""
        del steps, gain_db
        return None

    @property
    def label(self) -> str:
        """What it is called in a chain that does not call it otherwise."""
        return self.name

    @classmethod
    def file_of(cls, option: str, value: str) -> str:
        """The file of an option that is one (`file_options`), as chains and presets keep it: by its absolute path."""
        del option
        return str(Path(value).absolute())

    @classmethod
    def arguments(cls) -> list[str]:
        """What may stand behind the colon, as far as it is found on this machine."""
        return []

    def initial_settings(self, x: Tensor, reference: Tensor, sample_rate: int) -> Settings:
        """Settings in closed form that reduce the distance from `x` to the style of `reference`.

        The method `match` and the warm start of every search call this on each effect in turn, with the output of the
        effects before it. By default neutral settings are corrected (`correct`).

        Args:
            x: audio (2, t).
            reference: audio (2, t') with other content, so that only statistics can be compared.
            sample_rate: of both, in Hz.

        Returns:
            Physical values by param name.
        """
        return self.correct(self.neutral(), x, reference, sample_rate)

    @property
    def measures(self) -> bool:
        """Whether audio tells it settings: it has a closed form of its own."""
        own = type(self)
        return own.initial_settings is not Effect.initial_settings or own.correct is not Effect.correct

    def correct(self, settings: Mapping[str, float], made: Tensor, reference: Tensor, sample_rate: int) -> Settings:
        """Corrected settings that reduce the distance from a result to the style of `reference`.

        By default nothing is corrected: not every effect can be measured by a statistic of both.

        Args:
            settings: physical values by param name, with which `made` was rendered.
            made: the result (2, t).
            reference: audio (2, t') with other content.
            sample_rate: of both, in Hz.

        Returns:
            Physical values by param name.
        """
        del made, reference, sample_rate
        return dict(settings)

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...] | None:
        """The same as devices that every DAW has (`stito.effects.devices`), in a row; None where there are none."""
        del settings
        return None

    @classmethod
    def describe(cls, settings: Mapping[str, float], reduction: GainReduction | None = None) -> list[Move]:
        """What these settings do, in sentences that an engineer could follow at any desk; none for nothing.

        By default what its `devices` do, or else its name and the knobs that are furthest from neutral.

        Args:
            settings: physical values by param name.
            reduction: how much it turns the sound down, where that was measured.
        """
        devices = cls.devices(settings)
        if devices is None:
            return generic(cls.name, cls.params, settings)
        return [move for device in devices for move in device.moves(reduction)]

    @classmethod
    def target_settings(cls, configuration: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The target settings of configurations of a manipulator's effect of the same name, (b,) for each knob.

        Only knobs that the configuration determines; by default those of the same name.
        """
        return {param.name: configuration[param.name] for param in cls.params if param.name in configuration}

    @classmethod
    def neutral(cls) -> Settings:
        """The settings at which the effect is the identity."""
        return {param.name: param.neutral for param in cls.params}


class LinearEffect(Effect):
    """A linear, time-invariant effect: a subclass writes the frequency response, and is then differentiable."""

    differentiable: ClassVar[bool] = True
    tail_s: ClassVar[float] = 0.0
    """How long the response rings, to about -100 dB: the padding that its spectrum product needs."""

    @abstractmethod
    def response(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Response:
        """The frequency response on the `n // 2 + 1` bins of an `n`-point real FFT, for each of b settings."""

    def factor(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Factor:
        """The response as spectra are multiplied with it: a `Formula` is worked out while it is applied."""
        return self.response(p, n, sample_rate)

    def prepared(self, n: int, sample_rate: int, device: torch.device) -> LinearEffect:
        """The same effect, ready for many candidates on an `n`-point FFT; by default there is nothing to prepare."""
        del n, sample_rate, device
        return self

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        """Filter in the frequency domain, padded by the tail so that nothing wraps around."""
        return filter_blocks(x, lambda n: [self.factor(p, n, sample_rate)], round(self.tail_s * sample_rate))


def batch_of(x: Tensor, p: Mapping[str, Tensor]) -> int:
    """The number of candidates that audio and settings together describe."""
    return max(x.shape[0], *(value.shape[0] for value in p.values())) if p else x.shape[0]


def column(value: Tensor, dims: int = 3) -> Tensor:
    """A (b,) param as (b, 1, ..., 1), to multiply with audio or spectra."""
    return value.reshape(-1, *([1] * (dims - 1)))
