"""What is run: how many cases, how they are damaged, and by which methods they are brought back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

from stito import registry
from stito.analysis.findings import fault_finder
from stito.data.degradation.fault import load_fault
from stito.effects.chain_files import load_chain
from stito.engine.options import TransferOptions
from stito.errors import SettingsError, UnknownNameError
from stito.evaluation.transfers.plan import PLAIN
from stito.models.encoder import FaultFinder, digest_of
from stito.models.loading import load_encoder
from stito.search.base import Budget
from stito.streams import Purpose, derived_seed

__all__ = ["ANOTHER", "INPUT", "ITSELF", "UndoPlan"]

ITSELF, ANOTHER = "itself", "another"
"""References: the mix before it was damaged, and a good mix of another song."""

INPUT = "input"
"""The method that does nothing."""


@dataclass(frozen=True)
class UndoPlan:
    """What is run, on what `data`. Each case follows from (seed, number) alone.

    Args:
        finder: an encoder, or a file of weights: predicts how severe faults are.
        methods: `input`, which does nothing, and others as in `TransferPlan`.
        cases: how many; songs take turns.
        seconds: the length of a case.
        severity: of every fault, above 0 and up to 1.
        faults: which there may be; none for all that are installed.
        evaluations: candidates for the search of each stem; None for the search's own default.
        excerpts: on which every candidate is rendered.
        chain: what methods set.
        simplify: how far results may change for fewer moves, 0 to 1, or `off`, see `stito.transfer`.
        references: which references there are for each case.
        seed: same seed, same cases.
        data: in a sentence, the music that the cases are drawn from.

    Raises:
        SettingsError, UnknownNameError: a value that makes no case, or an encoder that finds no faults.
    """

    finder: str
    methods: tuple[str, ...]
    cases: int = 40
    seconds: float = 12.0
    severity: float = 0.75
    faults: tuple[str, ...] = ()
    evaluations: int | None = None
    excerpts: int = TransferOptions.excerpt_count
    chain: str = field(default_factory=partial(registry.default, "chain of stems"))
    simplify: float | Literal["off"] = TransferOptions.simplify
    references: tuple[str, ...] = (ITSELF, ANOTHER)
    seed: int = 0
    data: str = ""

    def __post_init__(self) -> None:
        if self.cases < 1 or self.seconds < 1 or not self.methods or not self.references:
            raise SettingsError("Undoing damage needs cases of a second or more, and methods.")
        if not 0 < self.severity <= 1:
            raise SettingsError(f"A severity of {self.severity:g} cannot be undone.", hint="Give more than 0, up to 1.")
        if self.evaluations is not None and self.evaluations < 1:
            raise SettingsError(f"{self.evaluations} evaluations find nothing.", hint="Give 1 or more.")
        for name in self.faults:
            load_fault(name)
        for method in self.methods:
            if method in PLAIN and method != INPUT:
                raise SettingsError(
                    f"'{method}' is no method of undoing damage.", hint="Such as input,match,ensemble,cma:features."
                )
        if unknown := {*self.references} - {ITSELF, ANOTHER}:
            raise UnknownNameError.of("reference", unknown.pop(), (ITSELF, ANOTHER))
        self.fault_finder()

    @property
    def budget(self) -> Budget | None:
        """What the search of each stem may spend; None leaves it to the search."""
        return Budget(self.evaluations) if self.evaluations else None

    def fault_finder(self) -> FaultFinder:
        """The encoder that predicts how severe faults are."""
        if (finder := fault_finder(load_encoder(self.finder))) is None:
            raise SettingsError(f"The encoder '{self.finder}' finds no faults.", hint="Use one that was trained to.")
        return finder

    def identity(self) -> dict[str, Any]:
        """What rows depend on: all but which methods, references and cases were asked for, and a row's own weights."""
        chain = load_chain(self.chain)
        kept = {key: value for key, value in asdict(self).items() if key not in ("cases", "methods", "references")}
        return kept | {
            "faults": list(self.faults),
            "streams": derived_seed(self.seed, Purpose.UNDONE_CASES, "case"),
            "finder_digest": digest_of(load_encoder(self.finder)),
            "knobs": [[str(knob), knob.param.low, knob.param.high] for knob in chain.knobs],
            "frozen": {slot.label: dict(slot.frozen) for slot in chain.slots},
        }
