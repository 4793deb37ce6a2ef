"""The tables of an evaluation, as text, Markdown and cells: the paper's figures beside ours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from stito.evaluation.encoders.cases import MULTITRACK
from stito.evaluation.encoders.disentanglement import FULL
from stito.evaluation.encoders.outcome import Outcome
from stito.evaluation.statistics import Estimate
from stito.evaluation.table import Table, figure

__all__ = ["PUBLISHED", "as_markdown", "as_text", "tables"]

PUBLISHED: Mapping[str, tuple[tuple[float, float], ...]] = {
    "MEE": ((0.129, 0.816), (0.131, 0.802), (0.074, 0.727), (0.064, 0.655)),
    "Φ∅": ((0.398, 0.928), (0.371, 0.910), (0.209, 0.830), (0.124, 0.772)),
    "Φnorm": ((0.473, 0.937), (0.430, 0.932), (0.248, 0.836), (0.146, 0.786)),
    "Φp.s.": ((0.674, 0.963), (0.515, 0.928), (0.349, 0.881), (0.183, 0.795)),
}
"""DCIMIG and explicitness on MUSDB18's test songs: Koo et al. (ICASSP 2023), Table 1, columns as `COLUMNS`."""

COLUMNS = {
    "multitrack, full FX": (True, True),
    "single stem, full FX": (False, True),
    "multitrack, single FX": (True, False),
    "single stem, single FX": (False, False),
}
"""Whether it is the multitrack, and whether all effects are on."""

INTERVAL = "± is half of the 95 % interval"


def tables(outcome: Outcome) -> list[Table]:
    """All tables, the paper's first."""
    found = [
        _published(outcome),
        _unseen(outcome),
        _settings(outcome),
        *(_each(outcome, encoder) for encoder in outcome.encoders),
    ]
    if outcome.retrieval:
        found.append(_retrieval(outcome))
    if outcome.sensitivity:
        found.append(_sensitivity(outcome))
    return found


def as_text(outcome: Outcome) -> str:
    """Everything for a terminal, with the data it was measured on."""
    return "\n\n".join([table.text() for table in tables(outcome)] + [f"Data: {outcome.data}"])


def as_markdown(outcome: Outcome) -> str:
    """Everything for a document."""
    return (
        "\n\n".join(["# Disentanglement", f"Data: {outcome.data}", *(table.markdown() for table in tables(outcome))])
        + "\n"
    )


def _cell(value: Estimate, *, digits: int = 3) -> str:
    """A mean with half of its interval."""
    mean = figure(value.mean, digits=digits)
    return mean if not math.isfinite(value.margin) else f"{mean} ±{figure(value.margin, digits=digits)}"


def _published(outcome: Outcome) -> Table:
    rows = [
        (f"{name} (published)", *(f"{figure(a)} / {figure(b)}" for a, b in cells)) for name, cells in PUBLISHED.items()
    ]
    for encoder in outcome.encoders:
        for name, suffix in ((encoder, ""), (f"{encoder}, shuffled", "_chance")):
            cells = []
            for multitrack, full in COLUMNS.values():
                pair = (
                    outcome.disentanglement.over_draws(measure + suffix, encoder, multitrack=multitrack, full=full)
                    for measure in ("dcimig", "explicitness")
                )
                cells.append(" / ".join(map(_cell, pair)))
            rows.append((name, *cells))
    note = (
        f"Ours: {INTERVAL} over {outcome.plan.seeds} draws of segments and configurations; single FX is the mean over "
        "the effects, single stem over the kinds of stem. Published: MUSDB18 test, other music and another "
        "implementation of the effects; factors as stito reads them. Shuffled: what embeddings without any "
        "information score."
    )
    return Table("DCIMIG / DCI RF explicitness (Table 1 of Koo et al.)", ("encoder", *COLUMNS), tuple(rows), note)


def _unseen(outcome: Outcome) -> Table:
    over = outcome.disentanglement.over_draws
    rows = [
        (label, *(_cell(over("held_out", label, multitrack=m, full=full)) for m, full in COLUMNS.values()))
        for label in outcome.encoders
    ]
    note = (
        "Explicitness of the configurations on contents that the forests have not seen, 1 - MSE / variance: "
        "a constant guess scores 0."
    )
    return Table("Configurations, on unseen music", ("encoder", *COLUMNS), tuple(rows), note)


def _settings(outcome: Outcome) -> Table:
    over = outcome.disentanglement.over_draws
    rows = []
    for label in outcome.encoders:
        cells = [_cell(over("settings_held_out", label, multitrack=m, full=True)) for m in (True, False)]
        for multitrack in (True, False):
            dcimig, chance = (
                over(f"settings_dcimig{suffix}", label, multitrack=multitrack, full=True) for suffix in ("", "_chance")
            )
            cells.append(f"{_cell(dcimig)} ({figure(chance.mean)})")
        rows.append((label, *cells))
    heads = ("encoder", "multitrack", "single stem", "DCIMIG, multitrack (shuffled)", "DCIMIG, single stem (shuffled)")
    note = (
        "Clips with a configuration each, full FX. First explicitness of the settings on unseen music, then how well "
        "they are disentangled (DCIMIG), in brackets what shuffled embeddings score."
    )
    return Table("Settings", heads, tuple(rows), note)


def _each(outcome: Outcome, encoder: str) -> Table:
    """One encoder on every subject and effect."""
    scores = [score for score in outcome.disentanglement.scores if score.encoder == encoder]
    subjects, effects = _ordered(score.subject for score in scores), _ordered(score.effects for score in scores)
    rows = []
    for subject in subjects:
        cells = []
        for name in effects:
            triple = (
                outcome.disentanglement.over_draws(measure, encoder, subject=subject, effects=name).mean
                for measure in ("dcimig", "explicitness", "held_out")
            )
            cells.append(" / ".join(map(figure, triple)))
        rows.append((subject, *cells))
    heads = ("subject", *("full FX" if name == FULL else name for name in effects))
    return Table(f"{encoder}: DCIMIG / explicitness / on unseen music", heads, tuple(rows))


def _retrieval(outcome: Outcome) -> Table:
    first = outcome.retrieval[0]
    subjects = _ordered(of.subject for of in outcome.retrieval)
    rows = []
    for encoder in outcome.encoders:
        by_subject = {of.subject: of for of in outcome.retrieval if of.encoder == encoder}
        for name, hard in ((encoder, False), (f"{encoder}, hard", True)):
            found = (by_subject[subject].hard if hard else by_subject[subject].found for subject in subjects)
            rows.append((name, *(_cell(value) for value in found)))
    note = (
        f"Share of {first.queries} queries a subject whose nearest of {first.candidates} is the one under the same "
        f"effects, all contents different; guessing is {figure(1 / first.candidates)}. Hard: {first.own} of the "
        f"others are the query's own content under other effects. {INTERVAL} over rounds."
    )
    return Table(f"Same-effects retrieval, top-1 of {first.candidates}", ("encoder", *subjects), tuple(rows), note)


def _sensitivity(outcome: Outcome) -> Table:
    effects = _ordered(of.effect for of in outcome.sensitivity)
    rows = []
    for encoder in outcome.encoders:
        by_effect = {of.effect: of for of in outcome.sensitivity if of.encoder == encoder}
        rows.append((f"{encoder}, same content", *(_cell(by_effect[e].same_content, digits=2) for e in effects)))
        rows.append((f"{encoder}, other content", *(_cell(by_effect[e].other_content, digits=2) for e in effects)))
    note = (
        f"Spearman's rho between distance of embeddings and distance of settings. {INTERVAL} over base configurations."
    )
    return Table("Sensitivity to the knobs of each effect", ("encoder", *effects), tuple(rows), note)


def _ordered(names: Iterable[str]) -> list[str]:
    """Each name once, as they first come, the multitrack first."""
    return sorted(dict.fromkeys(names), key=lambda name: name != MULTITRACK)
