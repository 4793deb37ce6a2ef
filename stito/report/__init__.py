"""The report: one HTML file that plays, draws and tabulates a transfer, and needs nothing else."""

from __future__ import annotations

from stito.report.data import (
    Clip,
    Curve,
    EffectSettings,
    Fact,
    Headline,
    Knob,
    Metric,
    ReportData,
    ReportRow,
    Voice,
)
from stito.report.html import render_report, write_report

__all__ = [
    "Clip",
    "Curve",
    "EffectSettings",
    "Fact",
    "Headline",
    "Knob",
    "Metric",
    "ReportData",
    "ReportRow",
    "Voice",
    "render_report",
    "write_report",
]
