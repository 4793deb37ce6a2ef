"""Metrics: what is reported about a result. Each docstring is the definition."""

from __future__ import annotations

from torch import Tensor

from stito.errors import AudioError

__all__ = ["validate"]


def validate(x: Tensor, reference: Tensor, *, same_length: bool) -> None:
    """`AudioError` unless `x` is (b, 2, t) and `reference` (b | 1, 2, t'), with t' = t where a metric needs that."""
    for role, audio in (("result", x), ("reference", reference)):
        if audio.dim() != 3 or audio.shape[1] != 2 or audio.shape[-1] == 0:
            raise AudioError(
                f"The {role} has shape {tuple(audio.shape)}; metrics take (batch, 2, samples).",
                hint="Repeat a mono channel, and add a batch dimension.",
            )
    if reference.shape[0] not in (1, x.shape[0]):
        raise AudioError(
            f"{reference.shape[0]} references for {x.shape[0]} results.",
            hint="Give one reference, or one for each result.",
        )
    if same_length and x.shape[-1] != reference.shape[-1]:
        raise AudioError(
            f"The result has {x.shape[-1]} samples and the reference {reference.shape[-1]}.",
            hint="This metric compares sample-aligned audio: cut both to the same stretch.",
        )
