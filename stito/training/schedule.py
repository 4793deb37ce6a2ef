"""Schedules: the learning rate over the steps, and the effects' probabilities over the validations."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["learning_rate", "scheduled_probabilities"]


def learning_rate(step: int, *, rate: float, steps: int, warmup: int = 0, final: float = 0.0) -> float:
    """The rate at a step: a line up to `rate`, then half a cosine down to `final` times it.

    >>> [round(learning_rate(step, rate=1.0, steps=6, warmup=2), 2) for step in range(6)]
    [0.5, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    if step < warmup:
        return rate * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return rate * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done)))


def scheduled_probabilities(losses: Mapping[str, float], *, low: float = 0.1, high: float = 1.0) -> dict[str, float]:
    """How often each effect is used from now on: the hardest `high`, the easiest `low`, others in proportion.

    Args:
        losses: each effect's validation loss when it is the only one that differs. An effect whose loss is not finite
            counts as hardest.

    Source: Koo et al. 2023, sec. 3.1, where probabilities follow the validation losses within [0.1, 1.0]; that they
    follow them linearly is our choice.

    >>> scheduled_probabilities({"eq": 1.0, "reverb": 2.0, "panner": 3.0}, low=0.0)
    {'eq': 0.0, 'reverb': 0.5, 'panner': 1.0}
    """
    finite = [loss for loss in losses.values() if math.isfinite(loss)]
    easiest, hardest = (min(finite), max(finite)) if finite else (0.0, 0.0)
    if hardest - easiest <= 1e-9 * abs(hardest):
        return dict.fromkeys(losses, high)

    def probability(loss: float) -> float:
        share = ((loss if math.isfinite(loss) else hardest) - easiest) / (hardest - easiest)
        return min(high, low + (high - low) * share)  # rounding must not lead beyond

    return {effect: probability(loss) for effect, loss in losses.items()}
