"""The options of a transfer: one frozen value, checked when it is made. Importing it needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stito.errors import SettingsError, UnknownNameError

if TYPE_CHECKING:
    from stito.effects.chain import Chain
    from stito.engine.methods.base import Method
    from stito.models.encoder import Encoder
    from stito.search.base import Budget
    from stito.search.objective import AudioObjective
    from stito.separation import Separator

__all__ = ["AUTO", "CHANNELS", "ENSEMBLE", "INITS", "MATCH", "NEURAL", "NEUTRAL", "NONE", "PREDICT", "TransferOptions"]

INITS = ("auto", "ensemble", "predict", "neural", "match", "neutral")
"""Where a search may start; `auto` takes the one to trust, see `stito.engine.starts`."""

AUTO, ENSEMBLE, PREDICT, NEURAL, MATCH, NEUTRAL = INITS

NONE = "none"
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
        encoder: the metric of style: an installed name, a file of weights, or any `Encoder`; `auto` is the trained one
            between different songs, stem by stem, by effects that it has learnt, else measured features.
        budget: of each stem's search in evaluations; its seconds are shared by all stems. Without one a search gets
            as much as reduces the distance to the truth (docs: how to choose a method).
        patience: a search ends when the loss fell by less than 1 % of the input's distance over so many evaluations;
            without it, searches without a budget have a patience of 150, and those with one spend it all.
        seed: same seed, same settings.
        amount: 0 leaves the input as it is, 1 goes all the way.
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
    amount: float = 1.0
    stem: str | None = None
    separator: str | Separator = "none"
    init: str = AUTO
    predictor: str | Path | None = None
    prior_weight: float = 1.0
    excerpt_seconds: float = 6.0
    excerpt_count: int = 2
    channels: str = AUTO
    device: str = "cpu"
    objective: AudioObjective | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= 1:
            raise SettingsError(
                f"amount = {self.amount:g} is outside 0 to 1.", hint="0 is the input, 1 the whole transfer."
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
