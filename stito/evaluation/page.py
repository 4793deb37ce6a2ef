"""The pages of evaluations: one HTML file each, with its tables and pictures, that loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stito.evaluation.encoders.outcome import Outcome
from stito.evaluation.encoders.outcome_tables import tables
from stito.evaluation.encoders.retrieval import Retrieval
from stito.evaluation.table import figure
from stito.pages import Templates, data_url
from stito.version import __version__

__all__ = ["TEMPLATES", "Picture", "render_page", "render_template"]

TEMPLATES = Templates("stito.evaluation")
"""Of evaluations and listening tests."""


@dataclass(frozen=True)
class Picture:
    """A picture as a page holds it, and what it shows."""

    source: str
    caption: str


def render_page(outcome: Outcome, pictures: Mapping[str, bytes], command: str = "") -> str:
    """The page as text; `pictures` are the maps of each encoder, as PNGs."""
    return render_template(
        "disentanglement.html.j2",
        outcome=outcome,
        tables=tables(outcome),
        pictures=[Picture(data_url(png), name) for name, png in pictures.items()],
        bars=_bars(outcome),
        command=command,
    )


def render_template(name: str, **values: Any) -> str:
    """One of the pages of evaluations."""
    return TEMPLATES.render(name, styles=["page.css", "evaluation.css"], version=__version__, **values)


@dataclass(frozen=True)
class Bar:
    """A share of queries found, in per cent, with its interval."""

    label: str
    hard: bool
    value: float
    low: float
    high: float
    text: str


def _bars(outcome: Outcome) -> dict[str, list[Bar]]:
    """For each subject the bars of all encoders."""
    found: dict[str, list[Bar]] = {}
    for of in outcome.retrieval:
        found.setdefault(of.subject, []).extend(_bar(of, hard) for hard in (False, True))
    return found


def _bar(of: Retrieval, hard: bool) -> Bar:
    share = of.hard if hard else of.found
    inside = [
        100 * min(max(value, 0.0), 1.0) if value == value else 100 * share.mean for value in (share.low, share.high)
    ]
    label = f"{of.encoder}, hard" if hard else of.encoder
    return Bar(label, hard, 100 * share.mean, inside[0], inside[1], figure(share.mean, digits=2))
