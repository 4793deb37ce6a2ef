"""What is run: how many cases of which kind, by which methods, for how long."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

from stito import registry
from stito.effects.chain_files import load_chain
from stito.engine.methods.base import method_names
from stito.engine.options import TransferOptions
from stito.errors import SettingsError
from stito.models.encoder import digest_of
from stito.models.loading import load_encoder
from stito.models.predictor import load_predictor
from stito.search.base import Budget
from stito.separation import load_separator
from stito.streams import Purpose, derived_seed

__all__ = ["ORACLE_EVALUATIONS", "PLAIN", "TransferPlan", "default_methods"]

PLAIN = ("input", "level", "oracle")
"""These ask no encoder: `input` does nothing, `level` only settles the loudness, the oracle is shown the truth."""


def default_methods() -> tuple[str, ...]:
    """What is compared where nothing is named: every installed method without a search, and a choice of searches.

    A search is written with its encoder behind a colon, and behind another where it starts (`cma:fxencoder:match`).
    """
    measured, trained = registry.default("measured encoder"), registry.default("trained encoder")
    searches = (f"random:{measured}", f"cma:{measured}", f"cma:{trained}", f"cma:{measured}:neural")
    return ("input", "level", *method_names(direct=True), *searches, "oracle")


ORACLE_EVALUATIONS = 300
"""Candidates for the oracle, unless the plan gives a number."""


@dataclass(frozen=True)
class TransferPlan:
    """What is run, on what `data`. Cases take the kinds of stems in turn; each follows from (seed, number) alone.

    Args:
        cases: how many.
        seconds: the length of input and reference, in seconds.
        evaluations: candidates for each search; None: as many as the time in `at` allows, without `at` the search's own
            default.
        methods: see `default_methods`; a converter with its weights is `neural:FILE`.
        chain: what the searches set.
        predictor: a file of weights to predict settings with; "" for the installed ones.
        prior: how strongly settings are regularised towards the guess that a search starts from, see `stito.transfer`.
        simplify: how far results may change for fewer moves, 0 to 1, or `off`, see `stito.transfer`.
        evaluation_encoder: an encoder, or a file of weights: measures how close results are to reference and truth.
        seed: same seed, same cases.
        data: in a sentence, the music that the cases are drawn from.
        mixed: inputs have random effects of their own.
        strength: of all random effects, above 0 and up to 1; 1 is as the manipulator draws them.
        multitrack: all kinds of stems at once; their sum is compared.
        separator: separates a multitrack's reference; with `none`, methods are given its stems.
        at: seconds at which the anytime curves are sampled.
    """

    cases: int = 40
    seconds: float = 12.0
    evaluations: int | None = None
    methods: tuple[str, ...] = field(default_factory=default_methods)
    chain: str = field(default_factory=partial(registry.default, "chain of stems"))
    predictor: str = ""
    prior: float = TransferOptions.prior_weight
    simplify: float | Literal["off"] = TransferOptions.simplify
    evaluation_encoder: str = field(default_factory=partial(registry.default, "trained encoder"))
    seed: int = 0
    data: str = ""
    mixed: bool = False
    strength: float = 1.0
    multitrack: bool = False
    separator: str = "none"
    at: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.cases < 1 or self.seconds < 1 or not self.methods:
            raise SettingsError("A transfer evaluation needs cases of a second or more, and methods.")
        if not 0 < self.strength <= 1:
            raise SettingsError(
                f"Nothing can be measured of effects with a strength of {self.strength:g}.",
                hint="Give more than 0, and up to 1: as they are drawn.",
            )
        if self.evaluations is not None and self.evaluations < 1:
            raise SettingsError(f"{self.evaluations} evaluations find nothing.", hint="Give 1 or more.")
        if self.at and not (self.at[0] >= 0 < self.at[-1] and list(self.at) == sorted(set(self.at))):
            raise SettingsError("The seconds to look at searches must rise, from 0 or more.", hint="Such as 0,1,5,30.")
        if self.at and self.multitrack:
            raise SettingsError("The stems of a multitrack are searched in turn.", hint="Look at single stems instead.")
        if self.separator != "none" and not self.multitrack:
            raise SettingsError("There is nothing to separate in a single stem.", hint="Evaluate multitracks.")

    @property
    def budget(self) -> Budget | None:
        """What each search may spend; None leaves it to the search."""
        seconds = self.at[-1] if self.at else None
        return Budget(self.evaluations, seconds) if self.evaluations or seconds else None

    def identity(self) -> dict[str, Any]:
        """What rows depend on: all but which methods and how many cases were asked for, and each row's own weights."""
        chain, separator = load_chain(self.chain), load_separator(self.separator)
        predictor = load_predictor(chain, self.predictor or None)
        kept = {key: value for key, value in asdict(self).items() if key not in ("cases", "methods")}
        return kept | {
            "at": list(self.at),
            "streams": derived_seed(self.seed, Purpose.CASE_CONTENTS, "transfer"),
            "predictor": predictor.digest if predictor else "",
            "evaluation_encoder_digest": digest_of(load_encoder(self.evaluation_encoder)),
            "separator_digest": digest_of(separator) if separator else "",
            "knobs": [[str(knob), knob.param.low, knob.param.high] for knob in chain.knobs],
            "frozen": {slot.label: dict(slot.frozen) for slot in chain.slots},
        }
