"""The report: one HTML file that plays, draws and tabulates a transfer, and needs nothing else."""

from __future__ import annotations

from stito.report.data import (
    Clip,
    ComparedMethod,
    ComparedRow,
    ComparisonData,
    Curve,
    EffectSettings,
    Fact,
    Findings,
    Headline,
    Knob,
    Measured,
    ReportData,
    ReportRow,
    Voice,
)
from stito.report.html import render_comparison, render_report, write_comparison, write_report

__all__ = [
    "Clip",
    "ComparedMethod",
    "ComparedRow",
    "ComparisonData",
    "Curve",
    "EffectSettings",
    "Fact",
    "Findings",
    "Headline",
    "Knob",
    "Measured",
    "ReportData",
    "ReportRow",
    "Voice",
    "render_comparison",
    "render_report",
    "write_comparison",
    "write_report",
]
