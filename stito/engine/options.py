"""The options of a transfer: one frozen value, checked when it is made. Importing it needs no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from stito.console.delivery import CEILING_DBTP, Delivery
from stito.effects.aspects import Amount, aspects_of
from stito.errors import SettingsError, UnknownNameError

if TYPE_CHECKING:
    from stito.effects.chain import Chain
    from stito.engine.methods.base import Method
    from stito.mix import Mix
    from stito.models.encoder import Encoder
    from stito.search.base import Budget
    from stito.search.objective import AudioObjective
    from stito.separation import Separator

    Reference = Mix | str | Path | tuple[Mix | str | Path, float]

__all__ = [
    "AUTO",
    "CHANNELS",
    "ENSEMBLE",
    "INITS",
    "MATCH",
    "NEURAL",
    "NEUTRAL",
    "NONE",
    "OFF",
    "PREDICT",
    "TransferOptions",
]

INITS = ("auto", "ensemble", "predict", "neural", "match", "neutral")
"""Where a search may start; `auto` takes the one to trust, see `stito.engine.starts`."""

AUTO, ENSEMBLE, PREDICT, NEURAL, MATCH, NEUTRAL = INITS

OFF: Final = "off"
"""Solutions are not simplified."""
NONE: Final = "none"
"""No master."""

CHANNELS = (AUTO, "keep")
"""What becomes of a mono input; see `TransferOptions`."""

SHORTEST_S = 0.5


@dataclass(frozen=True, kw_only=True)
class TransferOptions:
    """How a transfer is made.

    Args:
        method: a method by name, `stito plugins method` lists them: a search (`cma`, `gradient`, `random`,
            `nevergrad[:NAME]`), or without a search `match` (closed form), `predict` (settings predicted by a network),
            `neural[:FILE]` (audio from a network, no settings) and `ensemble` (the mean of predicted settings and of
            those that render what `neural` makes); or any `Method`.
        chain: a `Chain`, its name, text or TOML file; by default `mastering` for a whole mix, else `mixing`.
        master: what the sum of several stems goes through when they are matched to one mix: a `Chain`, its name, text
            or TOML file, or `none`. By default `mastering`, and none where both play the same performance. Nothing
            else has a master.
        encoder: the metric of style: an installed name, a file of weights, several of these
            (`fxencoder*0.7+features*0.3`: the weighted mean of their distances), or any `Encoder`; `auto` is the
            trained one between different songs, stem by stem, by effects that it has learnt, else measured features.
        budget: of each stem's search in evaluations; its seconds are shared by all stems. Without one a search gets
            as much as reduces the distance to the truth (docs: how to choose a method).
        patience: a search ends when the loss fell by less than 1 % of the input's distance over so many evaluations;
            without it, searches without a budget have a patience of 150, and those with one spend it all.
        seed: same seed, same settings.
        amount: 0 leaves the input as it is, 1 goes all the way; as text also by aspect (`stito.effects.aspects`):
            `0.8 reverb=0 eq=0.5`.
        keep: aspects that do not move (`stito.effects.aspects`), such as `level,width`: a search does without their
            knobs, which stay at neutral, and with `level` every stem stays as loud as it is.
        also: further references, each with a weight if it is another than 1, which the first one has:
            `[("other.wav", 0.5), "third/"]`. The target is the weighted mean of embeddings, statistics and levels; 0
            leaves one out.
        simplify: how far a solution may change for fewer moves, 0 to 1: knobs and effects that matter least return to
            neutral, and what is left is rounded to usual steps; 0 leaves out only what cannot be heard, `off` nothing.
        stem: what a single file is (`vocals`, `drums`, ...), or the one stem of a folder to read.
        separator: how a mix becomes stems, an installed name (`demucs`, `spleeter2`; weights of your own behind a
            colon) or any `Separator`; with `none`, mixes are matched whole.
        init: where a search starts: `ensemble`, `predict`, `neural` (settings fitted to what a network renders),
            `match`, `neutral`, or `auto`, the one to trust.
        predictor: a file of weights that `recipes/predictor` made, to predict with instead of the installed ones.
        prior_weight: how strongly settings are regularised towards the start of a search, in units of the input's
            distance to the reference; where both play the same performance there is no need for it.
        excerpt_seconds: the length of each excerpt that is embedded.
        excerpt_count: how many excerpts of the input every candidate is rendered on.
        channels: `auto` writes a mono input in stereo where the reference is wide; `keep` leaves mono mono, and judges
            candidates as that.
        loudness: the integrated loudness in LUFS that the sum is brought to by a gain, which its stems get too; without
            one it comes as loud as the reference. Distances are measured before that gain.
        ceiling: the highest true peak of the sum, in dBTP; where it and the loudness cannot both hold, it does.
        device: where candidates are rendered and embedded.
        objective: an objective of your own in place of the encoder's distance: candidates (b, 2, t), the reference's
            excerpts in a row (2, t') and their sample rate to losses (b,).

    Raises:
        SettingsError, UnknownNameError: a value outside these ranges.
    """

    method: str | Method = "cma"
    chain: str | Path | Chain | None = None
    master: str | Path | Chain = AUTO
    encoder: str | Path | Encoder = AUTO
    budget: Budget | None = None
    patience: int | None = None
    seed: int = 0
    amount: float | str | Amount = 1.0
    keep: str | Sequence[str] = ()
    also: Sequence[Reference] = ()
    simplify: float | Literal["off"] = 0.5
    stem: str | None = None
    separator: str | Separator = "none"
    init: str = AUTO
    predictor: str | Path | None = None
    prior_weight: float = 1.0
    excerpt_seconds: float = 6.0
    excerpt_count: int = 2
    channels: str = AUTO
    loudness: float | None = None
    ceiling: float = CEILING_DBTP
    device: str = "cpu"
    objective: AudioObjective | None = None

    def __post_init__(self) -> None:
        _ = self.delivery, self.amounts, self.further_references
        if self.simplify != OFF and not (isinstance(self.simplify, float | int) and 0 <= self.simplify <= 1):
            raise SettingsError(
                f"simplify = {self.simplify} is outside 0 to 1.", hint=f"1 is fewest moves, {OFF} leaves all as found."
            )
        if self.excerpt_seconds < SHORTEST_S or self.excerpt_count < 1:
            raise SettingsError("An analysis needs at least one excerpt of half a second.")
        if not (math.isfinite(self.prior_weight) and self.prior_weight >= 0):
            raise SettingsError(f"prior_weight = {self.prior_weight:g} is no weight.", hint="Give 0 or more.")
        if self.patience is not None and self.patience < 1:
            raise SettingsError(f"patience = {self.patience} is no number of evaluations.", hint="Give 1 or more.")
        if self.init not in INITS:
            raise UnknownNameError.of("init", self.init, INITS)
        if self.channels not in CHANNELS:
            raise UnknownNameError.of("channels", self.channels, CHANNELS)

    @property
    def amounts(self) -> Amount:
        """How far to go, as a whole and by aspect."""
        return Amount.of(self.amount).without(self.kept)

    @property
    def kept(self) -> tuple[str, ...]:
        """The aspects that do not move."""
        return aspects_of(self.keep)

    @property
    def further_references(self) -> list[tuple[Mix | str | Path, float]]:
        """The references beside the first, with their weights; those without weight are none."""
        also = self.also if isinstance(self.also, Sequence) and not isinstance(self.also, str) else [self.also]
        found: list[tuple[Mix | str | Path, float]] = []
        for one in also:
            source, weight = one if isinstance(one, tuple) else (one, 1.0)
            if isinstance(source, int | float):
                raise SettingsError(f"also: {source!r} is no reference.", hint='Give [("other.wav", 0.5)].')
            if not (math.isfinite(weight) and weight >= 0):
                named = source if isinstance(source, str) else source.name
                raise SettingsError(
                    f"The weight of the reference {named} cannot be {weight:g}.",
                    hint="Weights are numbers of 0 or more.",
                )
            if weight > 0:
                found.append((source, weight))
        return found

    @property
    def leaves_out(self) -> bool:
        """Whether aspects go less far than the whole because the user wants it, wherever that leads."""
        return any(value < 1 for value in Amount.of(self.amount).aspects.values())

    @property
    def delivery(self) -> Delivery:
        """How loud the sum goes out."""
        return Delivery(self.loudness, self.ceiling)
