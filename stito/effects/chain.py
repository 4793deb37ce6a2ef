"""Chains: effects in series, and the map from the search's theta to all their settings.

A chain renders a whole batch of candidates in one call. Linear effects in a row become one spectrum product, effects
of one black-box host become one pass through it, and what depends on the input alone is computed once per search:

```
theta (b, dim) ─ decode ─▶ settings ─▶ [linear group] ─▶ [effect] ─▶ [linear group] ─▶ audio (b, 2, t)
input ─────── rfft, once ──────────────────┘
```
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from stito import registry
from stito.dsp.spectrum import BLOCK, Factor, apply_responses, fast_length, filter_blocks
from stito.effects.aspects import Amount
from stito.effects.effect import Effect, LinearEffect
from stito.effects.param import Param, Settings, as_batch
from stito.errors import ChainError, SettingsError, UnknownNameError

__all__ = ["Chain", "ChainSettings", "Knob", "Prepared", "Slot"]

ChainSettings = dict[str, Settings]
"""Physical values of a chain: by slot label, then by param name."""

References = Tensor | Sequence[tuple[Tensor, float]]
"""A reference (2, t), or several with their weights, which add up to 1."""

BatchSettings = Mapping[str, Mapping[str, Tensor]]


@dataclass(frozen=True)
class Slot:
    """One place in a chain: an effect, its label there, and which of its knobs the search may turn.

    With `bypass` audio passes it by, wherever its knobs stand.
    """

    label: str
    effect: Effect
    free: tuple[Param, ...]
    frozen: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    bypass: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        *,
        label: str | None = None,
        freeze: Mapping[str, float] | None = None,
        narrow: Mapping[str, tuple[float, float]] | None = None,
        options: Mapping[str, Any] | None = None,
        bypass: bool = False,
    ) -> Slot:
        """A slot for the installed effect of that name, with knobs frozen at a value or narrowed to a range."""
        effect_class: type[Effect] = registry.load("effect", name)
        options = {
            option: effect_class.file_of(option, value) if option in effect_class.file_options and value else value
            for option, value in (options or {}).items()
        }
        try:
            effect = effect_class(**options)
        except TypeError as error:
            raise ChainError(f"The effect '{name}' does not take these options: {error}") from error
        known = {param.name: param for param in effect.params}
        for knob in [*(freeze or {}), *(narrow or {})]:
            if knob not in known:
                raise UnknownNameError.of(f"param of {name}", knob, known)
        frozen = {knob: known[knob].check(value) for knob, value in (freeze or {}).items()}
        free = tuple(
            param.narrowed(*(narrow or {})[param.name]) if param.name in (narrow or {}) else param
            for param in effect.params
            if param.name not in frozen
        )
        return cls(label or effect.label, effect, free, frozen, options, bypass)

    def aspect_of(self, param: Param) -> str:
        """The aspect of a mix that a knob belongs to; "" is none."""
        return param.aspect or self.effect.aspect

    def keeping(self, aspects: Collection[str]) -> Slot:
        """The same slot with its knobs of these aspects frozen where they do nothing."""
        neutral = self.effect.neutral()
        kept = {param.name: neutral[param.name] for param in self.free if self.aspect_of(param) in aspects}
        free = tuple(param for param in self.free if param.name not in kept)
        return replace(self, free=free, frozen={**self.frozen, **kept})

    def neutral(self) -> Settings:
        """The settings at which the slot does nothing, as far as what is frozen allows."""
        free = {param.name: param.neutral for param in self.free}
        return {param.name: self.frozen.get(param.name, free.get(param.name, 0.0)) for param in self.effect.params}


@dataclass(frozen=True)
class Knob:
    """One dimension of theta: a free param of one slot."""

    label: str
    param: Param
    aspect: str = ""

    def __str__(self) -> str:
        return f"{self.label}.{self.param.name}"


@dataclass(frozen=True, repr=False)
class Chain:
    """Effects in series; a chain without effects passes audio unchanged.

    Args:
        name: the chain's name.
        slots: the effects in the order of the signal.
        prior: for some knobs (as `label.param`) the mean and standard deviation that real settings have, in theta. A
            search with a prior weight is regularised towards them (`stito.search.objective`).

    Raises:
        ChainError: two effects have the same label.
    """

    name: str
    slots: tuple[Slot, ...]
    prior: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        labels = [slot.label for slot in self.slots]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ChainError(f"The chain '{self.name}' has two effects labelled {', '.join(twice)}.")

    @cached_property
    def knobs(self) -> tuple[Knob, ...]:
        """The dimensions of theta, in order."""
        return tuple(Knob(slot.label, param, slot.aspect_of(param)) for slot in self.slots for param in slot.free)

    @property
    def dim(self) -> int:
        """The number of free knobs."""
        return len(self.knobs)

    @property
    def differentiable(self) -> bool:
        """Whether gradients reach theta through every effect."""
        return all(slot.effect.differentiable for slot in self.slots)

    def __repr__(self) -> str:
        return f"Chain({self.name}: {' | '.join(slot.label for slot in self.slots)}; {self.dim} knobs)"

    def keeping(self, aspects: Collection[str]) -> Chain:
        """The same chain where these aspects of a mix do not move: their knobs are frozen at neutral.

        Raises:
            SettingsError: no knob would be left.
        """
        kept = replace(self, slots=tuple(slot.keeping(aspects) for slot in self.slots))
        if self.dim and not kept.dim:
            raise SettingsError(
                f"With {', '.join(aspects)} kept, the chain '{self.name}' has no knob left to turn.",
                hint=f"Its knobs are of {', '.join(sorted(self.aspects))}: keep less, or take another chain.",
            )
        return kept

    @property
    def aspects(self) -> set[str]:
        """The aspects of a mix that its free knobs belong to."""
        return {knob.aspect for knob in self.knobs} - {""}

    def neutral(self) -> ChainSettings:
        """The settings at which the chain does nothing."""
        return {slot.label: slot.neutral() for slot in self.slots}

    def moves(self, settings: Mapping[str, Mapping[str, float]]) -> dict[str, int]:
        """How many knobs of each effect, by its label, are off neutral; none where it is bypassed."""
        return {
            slot.label: 0
            if slot.bypass
            else sum(settings[slot.label][param.name] != param.neutral for param in slot.effect.params)
            for slot in self.slots
        }

    def bypassing(self, labels: Collection[str]) -> Chain:
        """The same chain with the effects of these labels bypassed, and no others."""
        return replace(self, slots=tuple(replace(slot, bypass=slot.label in labels) for slot in self.slots))

    def bypassed(self) -> Chain:
        """The same chain with all effects bypassed: a wire."""
        return self.bypassing([slot.label for slot in self.slots])

    def decode(self, theta: Tensor) -> dict[str, dict[str, Tensor]]:
        """The physical values of candidates, by slot label and param name; frozen knobs included.

        Args:
            theta: (b, dim), in [0, 1].

        Shape:
            Each value is (b,), in the unit that its param's name ends in.

        Raises:
            SettingsError: theta has another shape.
        """
        if theta.dim() != 2 or theta.shape[1] != self.dim:
            raise SettingsError(f"theta must be (b, {self.dim}) for the chain '{self.name}', not {tuple(theta.shape)}.")
        columns = iter(theta.unbind(1))
        decoded = {}
        for slot in self.slots:
            values = {param.name: param.from_unit(next(columns)) for param in slot.free}
            values |= {name: theta.new_full((theta.shape[0],), value) for name, value in slot.frozen.items()}
            decoded[slot.label] = values
        return decoded

    def settings(self, theta: Tensor) -> ChainSettings:
        """The physical settings of one candidate, theta (dim,), in the order of the effects' knobs."""
        decoded = self.decode(theta.detach().double().reshape(1, -1))
        return {
            slot.label: {
                param.name: param.check(float(decoded[slot.label][param.name])) for param in slot.effect.params
            }
            for slot in self.slots
        }

    def encode(self, settings: Mapping[str, Mapping[str, float]]) -> Tensor:
        """Theta (dim,) of physical settings, clipped to what the chain allows; missing knobs are neutral."""
        neutral = self.neutral()
        places = [
            knob.param.to_unit(
                float(settings.get(knob.label, {}).get(knob.param.name, neutral[knob.label][knob.param.name]))
            )
            for knob in self.knobs
        ]
        return torch.tensor(places, dtype=torch.float32).clamp(0.0, 1.0)

    def blend(self, settings: Mapping[str, Mapping[str, float]], amount: float | str | Amount) -> ChainSettings:
        """Settings a part of the way from neutral (0) to `settings` (1), along each knob's own scale.

        The amount may differ by aspect, as in `0.8 reverb=0`.
        """
        neutral, full = self.encode({}).double(), self.encode(settings).double()
        amount = Amount.of(amount)
        shares = torch.tensor([amount.in_aspect(knob.aspect) for knob in self.knobs], dtype=torch.float64)
        return self.settings(neutral + shares * (full - neutral))

    def render(self, x: Tensor, settings: BatchSettings, sample_rate: int) -> Tensor:
        """Render b settings; any length, in bounded memory.

        Args:
            x: audio (b, 2, t), or (1, 2, t) for one input under b settings.
            settings: physical values (b,) by slot label and param name, as `decode` returns them.
            sample_rate: of `x`, in Hz.

        Returns:
            Audio (b, 2, t); differentiable where all effects are.
        """
        for group in _groups(self.slots):
            x = _process_group(group, x, settings, sample_rate)
        return x

    def render_one(self, x: Tensor, settings: Mapping[str, Mapping[str, float]], sample_rate: int) -> Tensor:
        """Audio (2, t) of input (2, t) under one setting of the knobs."""
        return _rendered(self.slots, x, settings, sample_rate)

    def prepare(self, x: Tensor, sample_rate: int, *, wrapped: bool = False) -> Prepared:
        """The chain bound to one input (2, t), ready to render many candidates of it.

        An excerpt may be `wrapped`: what rings beyond its end sounds at its beginning, where otherwise what was played
        before it is missing. That takes shorter transforms.
        """
        return Prepared(self, x, sample_rate, wrapped=wrapped)

    def initial_settings(self, x: Tensor, reference: References, sample_rate: int) -> ChainSettings:
        """Settings in closed form: each effect in turn compares the audio that reaches it with the reference.

        Args:
            x: the input (2, t).
            reference: (2, t'), which may be of other music; of several, with their weights, each effect's settings are
                the weighted mean of what it would be set to for each.
            sample_rate: of both, in Hz.

        Returns:
            Physical values by slot label and param name, within the chain's ranges.
        """
        found: ChainSettings = {}
        waiting: list[Slot] = []
        for slot in self.slots:
            if waiting and slot.effect.measures:  # only then does it matter what those before made of the input
                x, waiting = _rendered(waiting, x, found, sample_rate), []
            settings = slot.neutral() | {
                name: value
                for name, value in _for_each(slot.effect.initial_settings, x, reference, sample_rate, slot).items()
                if name not in slot.frozen
            }
            for param in slot.free:
                settings[param.name] = min(max(settings[param.name], param.low), param.high)
            found[slot.label] = settings
            if settings != slot.effect.neutral():
                waiting.append(slot)
        return found

    def correct(
        self,
        settings: Mapping[str, Mapping[str, float]],
        x: Tensor,
        reference: References,
        sample_rate: int,
        shares: Mapping[str, float],
    ) -> ChainSettings:
        """Settings moved towards those that statistics of the result and of the reference suggest.

        Each effect in turn compares what the whole chain makes of `x` (2, t) so far with `reference` (2, t'), or with
        several and their weights, of which the mean counts.
        `shares` holds, by slot label, how far it moves: 0 not at all, 1 all the way. Others stay as they are.
        """
        found = {label: dict(values) for label, values in settings.items()}
        groups, reached = _groups(self.slots), [x]  # what reaches each group, and the result
        at = {slot.label: number for number, group in enumerate(groups) for slot in group}
        for slot in self.slots:
            if slot.label not in shares:
                continue
            now = found[slot.label]
            for group in groups[len(reached) - 1 :]:  # those that a correction has changed, and what follows them
                reached.append(_rendered(group, reached[-1], found, sample_rate))
            corrected = _for_each(partial(slot.effect.correct, now), reached[-1], reference, sample_rate, slot)
            del reached[at.get(slot.label, len(groups)) + 1 :]
            for param in slot.free:
                place = param.to_unit(now[param.name])
                wanted = param.to_unit(min(max(corrected[param.name], param.low), param.high))
                now[param.name] = param.from_unit(place + shares[slot.label] * (wanted - place))
        return found


def _for_each(
    settings: Callable[[Tensor, Tensor, int], Settings], x: Tensor, reference: References, sample_rate: int, slot: Slot
) -> Settings:
    """The settings for a reference; for several their weighted mean, along each knob's own scale."""
    if isinstance(reference, Tensor):
        return settings(x, reference, sample_rate)
    found = [(settings(x, one, sample_rate), weight) for one, weight in reference]
    known = {param.name: param for param in slot.effect.params}
    mean = {}
    for name, value in found[0][0].items():
        if all(each[name] == value for each, _ in found):
            mean[name] = value  # without rounding
        else:
            mean[name] = known[name].from_unit(sum(weight * known[name].to_unit(each[name]) for each, weight in found))
    return mean


class Prepared:
    """A chain bound to one input: the input's spectrum is computed once, candidates are rendered in batches."""

    def __init__(self, chain: Chain, x: Tensor, sample_rate: int, *, wrapped: bool = False) -> None:
        if x.dim() != 2 or x.shape[0] != 2:
            raise SettingsError(f"An input is (2, samples), not {tuple(x.shape)}.")
        self._wrapped = wrapped and x.shape[-1] <= BLOCK
        self.chain = chain
        self.sample_rate = sample_rate
        self.x = x[None]
        self._groups = [_prepared(group, x, sample_rate, self._wrapped) for group in _groups(chain.slots)]
        self._spectrum: Tensor | None = None
        if self._groups and _is_linear(self._groups[0]):
            self._n = fast_length(x.shape[-1] + _tail(self._groups[0], sample_rate, self._around))
            self._spectrum = torch.fft.rfft(self.x, n=self._n)

    def __repr__(self) -> str:
        return f"Prepared({self.chain!r}, {self.x.shape[-1] / self.sample_rate:.1f} s at {self.sample_rate} Hz)"

    def render(self, theta: Tensor) -> Tensor:
        """Audio (b, 2, t) of the candidates theta (b, dim); differentiable where the chain is."""
        settings = self.chain.decode(theta)
        x, groups = self.x, self._groups
        if self._spectrum is not None:
            shaped = apply_responses(self._spectrum, _factors(groups[0], settings, self._n, self.sample_rate))
            x = torch.fft.irfft(shaped, n=self._n)[..., : self.x.shape[-1]]
            groups = groups[1:]
        for group in groups:
            x = _process_group(group, x, settings, self.sample_rate, self._around)
        return x

    @property
    def _around(self) -> int | None:
        """The length of an excerpt that is wrapped."""
        return self.x.shape[-1] if self._wrapped else None


Group = tuple[Slot, ...]


def _groups(slots: Sequence[Slot]) -> list[Group]:
    """Neighbours that can be rendered in one pass: linear ones, or ones that the same black-box host fuses.

    What is bypassed is in no group.
    """

    playing = [slot for slot in slots if not slot.bypass]

    def key(item: tuple[int, Slot]) -> object:
        index, slot = item
        if isinstance(slot.effect, LinearEffect):
            return "linear"
        return slot.effect.host or index

    return [tuple(slot for _, slot in group) for _, group in groupby(enumerate(playing), key)]


def _is_linear(group: Group) -> bool:
    return isinstance(group[0].effect, LinearEffect)


def _tail(group: Group, sample_rate: int, around: int | None = None) -> int:
    """The samples of silence behind audio that a group needs; behind so many that it rings around, only what a response
    itself is longer than they are.
    """
    tails = [slot.effect.tail_s for slot in group if isinstance(slot.effect, LinearEffect)]
    return round(sum(tails) * sample_rate) if around is None else max(0, round(max(tails) * sample_rate) - around)


def _prepared(group: Group, x: Tensor, sample_rate: int, wrapped: bool) -> Group:
    """The group with its linear effects ready for many candidates of one input."""
    if not _is_linear(group):
        return group
    n = fast_length(x.shape[-1] + _tail(group, sample_rate, x.shape[-1] if wrapped else None))
    return tuple(
        replace(slot, effect=slot.effect.prepared(n, sample_rate, x.device))
        if isinstance(slot.effect, LinearEffect)
        else slot
        for slot in group
    )


def _factors(group: Group, settings: BatchSettings, n: int, sample_rate: int) -> list[Factor]:
    return [
        slot.effect.factor(settings[slot.label], n, sample_rate)
        for slot in group
        if isinstance(slot.effect, LinearEffect)
    ]


def _rendered(
    slots: Sequence[Slot], x: Tensor, settings: Mapping[str, Mapping[str, float]], sample_rate: int
) -> Tensor:
    """Audio (2, t) of input (2, t) through slots under one setting of the knobs, without a gradient."""
    batch = {label: as_batch(values, dtype=x.dtype) for label, values in settings.items()}
    audio = x[None]
    with torch.no_grad():
        for group in _groups(slots):
            audio = _process_group(group, audio, batch, sample_rate)
    return audio[0]


def _process_group(
    group: Group, x: Tensor, settings: BatchSettings, sample_rate: int, around: int | None = None
) -> Tensor:
    if _is_linear(group):
        tail = _tail(group, sample_rate, around)
        return filter_blocks(x, lambda n: _factors(group, settings, n, sample_rate), tail)
    return group[0].effect.process_group([(slot.effect, settings[slot.label]) for slot in group], x, sample_rate)
