"""Contenders timed in turn, so that a drifting machine drifts for all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

__all__ = ["Contenders", "turns"]

Contenders = Mapping[str, Callable[[], object]]


def turns(contenders: Contenders, rounds: int) -> dict[str, float]:
    """Median seconds of each contender, called in turn, an accelerator's work included."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for index in range(rounds + 1):
        for name, call in contenders.items():
            started = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if index:  # the first round warms caches
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}
