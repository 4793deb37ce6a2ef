"""The contract of metrics."""

from __future__ import annotations

from typing import get_args

import torch

from stito.metrics import Better, Metric
from stito.testing.probe import ROWS, ContractError, probe

__all__ = ["check_metric"]


def check_metric(metric: Metric, *, sample_rate: int = 44_100) -> None:
    """Hold a metric to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: a name, a way that is better, and a definition of one sentence; values are (b,) and finite, on silence
    and at full scale too; the same call twice is equal; a row of a batch equals that row alone; one reference serves a
    batch; the input is not modified; unless it is aligned, it takes a reference of another length; nothing is better
    than the reference itself; a property has one finite value a sound.
    """

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The metric '{metric.name}' breaks its contract: {rule}.")

    require(bool(metric.name) and bool(metric.doc.strip()), "it needs a name and a definition")
    require(metric.better in get_args(Better), f"'{metric.better}' is no way that is better")
    reference = probe(sample_rate, 3.0)
    batch = torch.cat([reference, 0.3 * reference.flip(-1), reference.flip(1).clamp(-0.1, 0.1)])
    before = batch.clone(), reference.clone()
    with torch.no_grad():
        values = metric(batch, reference, sample_rate)
        require(tuple(values.shape) == (3,), f"3 results become {tuple(values.shape)}")
        untouched = torch.equal(batch, before[0]) and torch.equal(reference, before[1])
        require(untouched, "the input is modified")
        again = metric(batch, reference, sample_rate)
        require(torch.equal(values, again), "the same call twice gives two values")
        paired = metric(batch, reference.repeat(3, 1, 1), sample_rate)
        for row in range(3):
            alone = float(metric(batch[row : row + 1], reference, sample_rate)[0])
            limit = 10 * ROWS * (1 + abs(alone))
            apart = max(abs(float(found[row]) - alone) for found in (values, paired))
            require(apart <= limit, f"row {row} of a batch differs from that row alone by {apart:.2g}")
        for kind, audio in {"silence": torch.zeros_like(reference), "full scale": torch.sign(reference)}.items():
            ends = torch.cat([metric(audio, reference, sample_rate), metric(reference, audio, sample_rate)])
            require(bool(torch.isfinite(ends).all()), f"it is not finite on {kind}")
        if not metric.aligned:
            shorter = reference[..., : 2 * reference.shape[-1] // 3]
            try:
                finite = bool(torch.isfinite(metric(reference, shorter, sample_rate)).all())
            except (RuntimeError, ValueError) as error:
                raise ContractError(
                    f"The metric '{metric.name}' refuses a reference of another length: {error}"
                ) from error
            require(finite, "it is not finite for a reference of another length")
        best = values[0] if metric.better == "less" else -values[0]
        others = values[1:] if metric.better == "less" else -values[1:]
        require(
            metric.better == "neither" or bool((best <= others).all()), "something is better than the reference itself"
        )
        if metric.property is not None:
            own = metric.property.function(batch, sample_rate)
            require(tuple(own.shape) == (3,), f"its property of 3 sounds is {tuple(own.shape)}")
            require(bool(torch.isfinite(own).all()), "its property is not finite")
