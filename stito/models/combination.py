"""Several encoders as one: `fxencoder*0.7+features*0.3`."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stito.audio import resample
from stito.errors import SettingsError
from stito.models.encoder import Encoder, Familiar, digest_of, distance, same_style_distance

__all__ = ["CombinedEncoder", "Term", "parse_terms"]

PLUS, TIMES = "+", "*"
HINT = "Such as fxencoder+features, or fxencoder*0.7+features*0.3."


@dataclass(frozen=True)
class Term:
    """One encoder of a combination as it is written: its name or file, and its weight, None where none is given."""

    source: str
    weight: float | None = None

    @property
    def suffix(self) -> str:
        """Its weight as it is written behind the name."""
        return "" if self.weight is None else f"{TIMES}{self.weight:g}"


def parse_terms(text: str) -> list[Term]:
    """The encoders that `text` names, in order.

    >>> parse_terms("fxencoder*0.7 + features")
    [Term(source='fxencoder', weight=0.7), Term(source='features', weight=None)]

    Raises:
        SettingsError: nothing between two signs, or a weight that is none.
    """
    return [_term(part, text) for part in text.split(PLUS)]


def _term(part: str, text: str) -> Term:
    source, times, weight = (piece.strip() for piece in part.partition(TIMES))
    if not source:
        raise SettingsError(f"'{text}' leaves an encoder unnamed.", hint=HINT)
    if not times:
        return Term(source)
    try:
        value = float(weight)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise SettingsError(f"'{weight}' is no weight of {source}: it must be a number above 0.", hint=HINT)
    return Term(source, value)


class CombinedEncoder:
    """Several encoders as one, whose distance is the weighted mean of theirs, each in its own `same_style_distance`.

    So it is 1 on average for different music under the same effects, whatever the encoders and weights. An embedding is
    those of the parts side by side; parts at other sample rates are given resampled audio.

    Args:
        parts: two encoders or more, none of them twice.
        weights: of each, above 0; only their ratios matter.
        name: how the combination is written.

    Attributes:
        sample_rate: the highest of the parts'.
        dim: the sum of theirs.
        digest: of the weights of all of them.
        learnt_effects: those that every part was trained on.

    Raises:
        SettingsError: an encoder twice, or one whose `same_style_distance` has not been measured.
    """

    same_style_distance = 1.0

    def __init__(self, parts: Sequence[Encoder], weights: Sequence[float], name: str) -> None:
        self.name, self.parts = name, tuple(parts)
        _refuse_twins(self.parts, name)
        self.weights = tuple(weight / sum(weights) for weight in weights)
        self._units = tuple(_unit(part) for part in self.parts)
        self.sample_rate = max(part.sample_rate for part in self.parts)
        self.dim = sum(part.dim for part in self.parts)
        digests = [digest_of(part) for part in self.parts]
        self.digest = hashlib.sha256(" ".join(digests).encode()).hexdigest() if any(digests) else ""
        learnt = [part.learnt_effects if isinstance(part, Familiar) else frozenset() for part in self.parts]
        self.learnt_effects: frozenset[str] = frozenset.intersection(*learnt)

    def embed(self, x: Tensor) -> Tensor:
        """The embeddings of all parts side by side, (b, dim), of audio (b, 2, t)."""
        return torch.cat([part.embed(resample(x, self.sample_rate, part.sample_rate)) for part in self.parts], dim=-1)

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """The weighted mean (n,) of the distances between embeddings (n, dim) and (n | 1, dim), each in its unit."""
        dims = [part.dim for part in self.parts]
        apart = [
            weight / unit * distance(part, ours, theirs)
            for part, weight, unit, ours, theirs in zip(
                self.parts, self.weights, self._units, torch.split(a, dims, -1), torch.split(b, dims, -1), strict=True
            )
        ]
        return torch.stack(apart).sum(0)

    def __repr__(self) -> str:
        return f"CombinedEncoder({self.name})"


def _refuse_twins(parts: Sequence[Encoder], name: str) -> None:
    for number, part in enumerate(parts):
        if any((part.name, digest_of(part)) == (other.name, digest_of(other)) for other in parts[:number]):
            raise SettingsError(
                f"'{name}' has the encoder {part.name} twice.", hint="Write it once, with the sum of its weights."
            )


def _unit(part: Encoder) -> float:
    unit = same_style_distance(part)
    if not unit > 0:
        raise SettingsError(
            f"The encoder '{part.name}' cannot be combined: its same_style_distance has not been measured.",
            hint="`stito evaluate transfer --evaluation-encoder` measures it: truth to reference. An encoder declares "
            "it as an attribute, a file of weights in its header.",
        )
    return unit
