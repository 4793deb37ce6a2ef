"""What a metric is, and all that are installed: a number that compares a result with a reference."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from torch import Tensor

from stito import registry
from stito.dsp.levels import Levels
from stito.errors import AudioError, PluginError, StitoWarning
from stito.manifest import MANIFEST

__all__ = ["Better", "Metric", "Property", "compare", "load_metrics", "validate"]

Better = Literal["less", "more", "neither"]


@dataclass(frozen=True)
class Property:
    """What can be measured of one sound alone, such as its loudness.

    Args:
        title: its name in a report.
        unit: of its values; a difference of levels in LUFS is in LU.
        function: of audio (b, 2, t) and its rate: values (b,).
        longest_s: of longer audio a report takes the most active stretch of so many seconds.
        of_levels: the same from what is measured of every sound anyway, where that is enough.
    """

    title: str
    unit: str
    function: Callable[[Tensor, int], Tensor]
    longest_s: float | None = None
    of_levels: Callable[[Levels], float] | None = None


@dataclass(frozen=True)
class Metric:
    """One number that is reported of a result beside its reference, or beside its truth where there is one.

    Args:
        name: one name everywhere; it ends in its unit where it has one.
        unit: `dB`, `LU`, ... or nothing.
        better: which way is better.
        function: of a result (b, 2, t), a reference (b | 1, 2, t') and their rate: values (b,), finite.
        doc: the definition in one sentence.
        title: its name in a report; `name` if not given.
        property: what it is the difference of, if it is one: reports then show the three sounds' own values.
        aligned: whether it compares sample by sample: with the truth, and not with a reference of other music.
    """

    name: str
    unit: str
    better: Better
    function: Callable[[Tensor, Tensor, int], Tensor]
    doc: str
    title: str = ""
    property: Property | None = None
    aligned: bool = False

    @classmethod
    def difference(cls, name: str, unit: str, property: Property, doc: str) -> Metric:
        """How far a property of the result is from the reference's, up or down: less is better."""

        def apart(x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
            return (property.function(x, sample_rate) - property.function(reference, sample_rate)).abs()

        return cls(name, unit, "less", apart, doc, property=property)

    def __call__(self, x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
        """The values (b,) of results (b, 2, t); `AudioError` for shapes or lengths that it cannot compare."""
        validate(x, reference, same_length=self.aligned)
        return self.function(x, reference, sample_rate)


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


@lru_cache(maxsize=1)
def load_metrics() -> MappingProxyType[str, Metric]:
    """Every metric that is installed, by name: ours first, then the others'. One that cannot be loaded is left out."""
    ours = list(MANIFEST.metrics)
    found = {}
    for name in [*ours, *(name for name in registry.names("metric") if name not in ours)]:
        try:
            found[name] = _loaded(name)
        except PluginError as error:
            warnings.warn(f"{error.message} It is not reported.", StitoWarning, stacklevel=2)
    return MappingProxyType(found)


def _loaded(name: str) -> Metric:
    metric = registry.load("metric", name)
    owner = registry.find("metric", name).distribution
    if not isinstance(metric, Metric):
        raise PluginError(f"The metric '{name}' of {owner} is no stito.metrics.Metric.", hint="Make it an instance.")
    if metric.name != name:
        raise PluginError(f"{owner} lists the metric '{metric.name}' as '{name}'.", hint="Give both the same name.")
    return metric


def compare(x: Tensor, reference: Tensor, sample_rate: int, *, but: Collection[str] = ()) -> dict[str, float]:
    """The values of all installed metrics for a result (2, t) and its truth (2, t), without those named in `but`."""
    return {
        name: float(metric(x[None], reference[None], sample_rate)[0])
        for name, metric in load_metrics().items()
        if name not in but
    }
