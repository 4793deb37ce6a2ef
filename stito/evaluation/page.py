"""The pages of evaluations: one HTML file each, with its tables and pictures, that loads nothing from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
from markupsafe import Markup

from stito.evaluation.encoders.outcome import Outcome
from stito.evaluation.encoders.retrieval import Retrieval
from stito.evaluation.encoders.tables import tables
from stito.evaluation.table import figure
from stito.version import __version__

__all__ = ["Picture", "data_url", "render_alone", "render_page", "render_template"]


@dataclass(frozen=True)
class Picture:
    """A picture as a page holds it, and what it shows."""

    source: str
    says: str


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
    style = "report.css", "evaluation.css"
    return render_alone(name, styles=style, version=__version__, **values)


def render_alone(name: str, *, styles: Sequence[str], scripts: Sequence[str] = (), **values: Any) -> str:
    """A template with its stylesheets and scripts inside, so that it loads none from anywhere."""
    style, script = (Markup("".join(map(_source, files))) for files in (styles, scripts))
    return _environment().get_template(name).render(style=style, script=script, **values)


def data_url(png: bytes) -> str:
    """A picture as a page holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


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


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    """Our templates, and those of the transfer's report for its style."""
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader("stito.evaluation"), jinja2.PackageLoader("stito.report")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(name: str) -> str:
    """A stylesheet or script as it is: these are no templates."""
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]
