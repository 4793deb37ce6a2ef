"""Metrics: what is reported about a result. A registry kind: a distribution's manifest lists its own."""

from __future__ import annotations

from stito.metrics.metric import Better, Metric, Property, compare, load_metrics, validate

__all__ = ["Better", "Metric", "Property", "compare", "load_metrics", "validate"]
