"""Random effects on music: what draws and renders them, and what was drawn, as data.

A *manipulator* is found by name like an effect or an encoder (`load_manipulator`). It declares its effects
(`ManipulatedEffect`), so that whatever trains or measures with it needs to know none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from stito import registry
from stito.effects.param import Param

__all__ = [
    "ManipulatedEffect",
    "Manipulation",
    "Manipulator",
    "ManipulatorFactory",
    "Specification",
    "load_manipulator",
    "towards_neutral",
]

SAMPLE_RATE = 44_100

Weaken = Callable[[Tensor, Tensor], Tensor]
"""Values (b,) at full strength and a strength (b,) or () to values of that strength."""


@dataclass(frozen=True)
class ManipulatedEffect:
    """What a manipulator says of one of its effects.

    Attributes:
        params: the knobs that vary independently, as they count in `Manipulation.vector`.
        weaken: how settings become milder that are no `depth` knobs, or that do not go along their own scale.
        keeps_level: each row has after the effect the level that it had before.
        reverberates: it adds a room.
    """

    params: tuple[Param, ...]
    weaken: Mapping[str, Weaken] = field(default_factory=dict)
    keeps_level: bool = True
    reverberates: bool = False


@dataclass(frozen=True)
class Specification:
    """What a manipulator draws.

    Attributes:
        effects: by name, in the order of the signal.
        shuffled: neighbours that come in either order, by the pair's name in `Manipulation.order`; true is the order
            given here, which is that of `effects`.
    """

    effects: Mapping[str, ManipulatedEffect]
    shuffled: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Manipulation:
    """b random configurations of a manipulator's effects, one per row.

    Attributes:
        specification: what they were drawn from.
        stems: the kind of each row, (b,).
        active: per effect, whether it is in the row's chain, (b,) bool.
        settings: per effect and param, physical values (b,), drawn for inactive effects too. Beside its params an
            effect may have settings that follow from them.
        order: per shuffled pair, which way round it is, (b,) bool.
    """

    specification: Specification
    stems: tuple[str, ...]
    active: Mapping[str, Tensor]
    settings: Mapping[str, Mapping[str, Tensor]]
    order: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.stems)

    @property
    def device(self) -> torch.device:
        """Where the values are."""
        return next(iter(self.active.values())).device

    def rows(self, index: Sequence[int] | Tensor | slice) -> Manipulation:
        """A choice of rows, in the order given; repeats are fine."""
        if isinstance(index, slice):
            return self._mapped(self.stems[index], lambda values: values[index])
        chosen = torch.arange(len(self))[torch.as_tensor(index).cpu()]
        stems = tuple(self.stems[row] for row in chosen.tolist())
        place = chosen.to(self.device)
        return self._mapped(stems, lambda values: values[place])

    def to(self, device: torch.device | str) -> Manipulation:
        """The same configurations on a device."""
        return self._mapped(self.stems, lambda values: values.to(device))

    @classmethod
    def join(cls, parts: Iterable[Manipulation]) -> Manipulation:
        """The rows of all parts, which are of one manipulator, one after the other."""
        first, *others = parts = list(parts)
        if not others:
            return first
        return cls(
            first.specification,
            tuple(stem for part in parts for stem in part.stems),
            {effect: torch.cat([part.active[effect] for part in parts]) for effect in first.active},
            {
                effect: {name: torch.cat([part.settings[effect][name] for part in parts]) for name in values}
                for effect, values in first.settings.items()
            },
            {pair: torch.cat([part.order[pair] for part in parts]) for pair in first.order},
        )

    def with_effect(self, effect: str, other: Manipulation) -> Manipulation:
        """The same rows, but for this effect, which is used and set as in `other`."""
        return replace(
            self,
            active={**self.active, effect: other.active[effect]},
            settings={**self.settings, effect: other.settings[effect]},
        )

    def milder(self, strength: Tensor | float) -> Manipulation:
        """The same configurations with effects of that strength (or one each, (b,)): 0 does nothing, 1 is all.

        `depth` knobs go that part of the way from neutral, along their own scale, where the manipulator says no other.
        """
        share = torch.as_tensor(strength, device=self.device)
        settings = {effect: dict(values) for effect, values in self.settings.items()}
        for effect, declared in self.specification.effects.items():
            ways: dict[str, Weaken] = {
                param.name: partial(towards_neutral, param) for param in declared.params if param.depth
            }
            for name, weaken in (ways | dict(declared.weaken)).items():
                whole = settings[effect][name]
                settings[effect][name] = torch.where(share == 1, whole, weaken(whole, share.to(whole)))
        active = {effect: values & (share > 0) for effect, values in self.active.items()}
        return replace(self, active=active, settings=settings)

    def reverberant(self) -> Tensor:
        """The rows in whose chain there is a room, (b,) bool."""
        rooms = [self.active[effect] for effect, it in self.specification.effects.items() if it.reverberates]
        return torch.stack([torch.zeros(len(self), dtype=torch.bool, device=self.device), *rooms]).any(dim=0)

    def vector(self) -> tuple[Tensor, tuple[str, ...]]:
        """The generative factors (b, k), each from 0 to 1 along its knob's own scale, and their names.

        An inactive effect stands at its neutral settings. Names are as `effect.knob`. This is what disentanglement is
        measured against.
        """
        columns, names = [], []
        for effect, declared in self.specification.effects.items():
            for param in declared.params:
                value = self.settings[effect][param.name]
                neutral = torch.full_like(value, param.neutral)
                placed = param.to_unit(torch.where(self.active[effect], value, neutral).clamp(param.low, param.high))
                columns.append(placed)
                names.append(f"{effect}.{param.name}")
        return torch.stack(columns, dim=1), tuple(names)

    def describe(self, row: int) -> dict[str, Any]:
        """One row in words and numbers, for JSON: its effects in the order of the signal, with their settings."""
        return {
            "stem": self.stems[row],
            "chain": [
                {"effect": effect}
                | {name: round(float(values[row]), 6) for name, values in self.settings[effect].items()}
                for effect in self._sequence(row)
                if self.active[effect][row]
            ],
        }

    def _sequence(self, row: int) -> list[str]:
        sequence = list(self.specification.effects)
        for pair, effects in self.specification.shuffled.items():
            if not self.order[pair][row]:
                start = sequence.index(effects[0])
                sequence[start : start + 2] = reversed(effects)
        return sequence

    def _mapped(self, stems: tuple[str, ...], function: Callable[[Tensor], Tensor]) -> Manipulation:
        return Manipulation(
            self.specification,
            stems,
            {effect: function(values) for effect, values in self.active.items()},
            {effect: {name: function(v) for name, v in values.items()} for effect, values in self.settings.items()},
            {pair: function(values) for pair, values in self.order.items()},
        )


class Manipulator(Protocol):
    """Draws random configurations of its effects, and renders them."""

    sample_rate: int
    probabilities: dict[str, float]
    """How often each effect is used. They may be set anew: every row draws the same numbers whatever they are."""

    @property
    def effects(self) -> tuple[str, ...]:
        """The effects in the order of the signal."""
        ...

    def with_probabilities(self, probabilities: Mapping[str, float]) -> Manipulator:
        """One that shares all else with this one; effects that are left out are used as often as by default."""
        ...

    def sample(self, stems: Sequence[str], generator: np.random.Generator, *, only: str | None = None) -> Manipulation:
        """A random configuration for each of `stems`; with `only`, that effect is in every chain and alone there."""
        ...

    def between(self, start: Manipulation, end: Manipulation, amount: float) -> Manipulation:
        """The configurations that lie `amount` (0 to 1) of the way from `start` to `end`, row by row."""
        ...

    def render(self, x: Tensor, manipulation: Manipulation) -> Tensor:
        """Audio (b, 2, t) under b configurations, on its device; (1, 2, t) is one input under all of them."""
        ...

    def describe(self, manipulation: Manipulation, row: int) -> dict[str, Any]:
        """`Manipulation.describe`, with whatever the numbers of that row stand for."""
        ...


class ManipulatorFactory(Protocol):
    """What a registered name of the kind `manipulator` stands for, a class for example."""

    def __call__(
        self,
        *,
        sample_rate: int,
        impulses: Path | None,
        rooms: int | None,
        probabilities: Mapping[str, float] | None,
    ) -> Manipulator:
        """The arguments are those of `load_manipulator`; without reverberation the two of rooms mean nothing."""
        ...


def load_manipulator(
    name: str | None = None,
    *,
    sample_rate: int = SAMPLE_RATE,
    impulses: Path | None = None,
    rooms: int | None = None,
    probabilities: Mapping[str, float] | None = None,
) -> Manipulator:
    """A new manipulator by name, or the installed default.

    Args:
        name: as `stito plugins manipulator` lists it.
        sample_rate: of the audio that it will render, in Hz.
        impulses: a folder of impulse responses, which take the place of rooms that the manipulator makes up.
        rooms: how many it makes up; None leaves it to the manipulator.
        probabilities: how often effects are used, where that is not as by default.

    Raises:
        UnknownNameError: none of that name is installed, or it has no effect of that name.
        SettingsError: probabilities outside 0 to 1.
        MissingFileError, AudioError: there is no such folder, or no audio in it.
    """
    factory: ManipulatorFactory = registry.load("manipulator", name or registry.default("manipulator"))
    return factory(sample_rate=sample_rate, impulses=impulses, rooms=rooms, probabilities=probabilities)


def towards_neutral(param: Param, whole: Tensor, strength: Tensor) -> Tensor:
    """Values (b,) of a knob at a part of the way from neutral, along its own scale."""
    none = param.to_unit(torch.full_like(whole, param.neutral))
    return param.from_unit(torch.lerp(none, param.to_unit(whole), strength))
