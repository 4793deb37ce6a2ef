"""One method on one case: the stems that it makes of the damaged ones, and whether they came back."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from stito.audio import resample
from stito.compute.cores import undivided
from stito.console.strips import gain
from stito.data.mixes import Excerpt
from stito.data.songs import SAMPLE_RATE
from stito.engine.finish import finish
from stito.engine.options import TransferOptions
from stito.engine.solve import prepare, solve
from stito.evaluation.transfers.cases import as_mix
from stito.evaluation.transfers.methods import Asked
from stito.evaluation.undo.cases import UndoCase
from stito.evaluation.undo.plan import UndoPlan
from stito.evaluation.undo.rows import Change, Row
from stito.features.distance import families_of, feature_distances
from stito.models.encoder import FaultFinder
from stito.streams import Purpose, derived_seed

__all__ = ["predicted_severity", "try_method"]

EXCERPT_S = 6.0
"""What is embedded at once, about."""


def try_method(case: UndoCase, reference: str, asked: Asked, finder: FaultFinder, plan: UndoPlan) -> Row:
    """Run a method on a case, and measure what came of it.

    Raises:
        KeyboardInterrupt: the search was interrupted: half a search is no result.
    """
    started = time.perf_counter()
    result, evaluations = _made(case, reference, asked, plan)
    seconds = time.perf_counter() - started
    with torch.no_grad():
        wanted = families_of(case.good, SAMPLE_RATE)
        before, after = (feature_distances(families_of(stems, SAMPLE_RATE), wanted) for stems in (case.damaged, result))
    good, bad, now = (predicted_severity(finder, stems) for stems in (case.good, case.damaged, result))
    return Row(
        case=case.number,
        song=case.song,
        reference=reference,
        method=asked.name,
        faults=tuple((damage.stem, damage.fault) for damage in case.damage),
        features={
            stem: {family: Change(0.0, apart, after[stem][family]) for family, apart in families.items()}
            for stem, families in before.items()
        },
        severity={stem: Change(good[stem], bad[stem], now[stem]) for stem in good if stem in bad and stem in now},
        seconds=seconds,
        evaluations=evaluations,
        digest=asked.digest,
    )


def predicted_severity(finder: FaultFinder, stems: Mapping[str, Tensor]) -> dict[str, float]:
    """How severe the worst fault of each stem (2, t) of a mix seems to be, by name: the mean over excerpts.

    The excerpts are the same for all versions of a mix, wherever most of it plays. Stems that are silent, or that the
    encoder does not know, are left out.
    """
    samples = next(iter(stems.values())).shape[-1]
    count = max(1, round(samples / SAMPLE_RATE / EXCERPT_S))
    excerpts = {
        name: resample(torch.stack(x[:, : samples // count * count].chunk(count, -1)), SAMPLE_RATE, finder.sample_rate)
        for name, x in stems.items()
        if name in finder.stems
    }
    with torch.no_grad():
        found = finder.find_faults(excerpts)
    worst = {name: float(torch.stack(list(faults.values())).nanmean(1).amax()) for name, faults in found.items()}
    return {name: severity for name, severity in worst.items() if math.isfinite(severity)}


def _made(case: UndoCase, reference: str, asked: Asked, plan: UndoPlan) -> tuple[Excerpt, int]:
    """The stems that a method makes, before the gain that keeps their sum from clipping, and its evaluations."""
    if asked.encoder is None:
        return case.damaged, 0
    options = TransferOptions(
        method=asked.how,
        init=asked.init,
        chain=plan.chain,
        encoder=asked.encoder,
        budget=plan.budget,
        seed=derived_seed(plan.seed, Purpose.CASE_SEARCH, "undo", case.number, reference),
        simplify=plan.simplify,
        excerpt_count=plan.excerpts,
    )
    mix = as_mix(case.damaged)
    with undivided():
        task = prepare(mix, as_mix(case.reference(reference)), options)
        solved = solve(task)
        if solved.interrupted:
            raise KeyboardInterrupt
        rendered = finish(task, mix, solved).settled.rendered
    stems = {name: x * gain(-rendered.output_gain_db) for name, x in rendered.stems.items()}
    return stems, sum(found.evaluations for found in solved.solutions.values())
