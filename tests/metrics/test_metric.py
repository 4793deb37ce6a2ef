"""The registry of metrics: names, what is left out, and that everything that reports asks it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from conftest import as_mix, song
from stito import registry
from stito.errors import AudioError, UnknownNameError
from stito.evaluation.measures import measures
from stito.metrics import Metric, Property, compare, load_metrics
from stito.registry import Plugin
from stito.report.build import Sources, build_report
from stito.report.data import ReportRow
from stito.testing import ContractError, check_metric, probe
from stito.workflows.transfer import transfer

RATE = 44_100


def loudest(x: Tensor, sample_rate: int) -> Tensor:
    return x.abs().amax((-2, -1))


def peaks_apart(x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    return (loudest(x, sample_rate) - loudest(reference, sample_rate)).abs()


PEAK = Metric.difference("peak", "", Property("Peak", "", loudest), "How far the peak is off.")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """Metrics that another distribution brings, beside ours."""
    theirs: dict[str, object] = {}
    names, find, load = registry.names, registry.find, registry.load
    monkeypatch.setattr(registry, "names", lambda kind: sorted({*names(kind), *(theirs if kind == "metric" else ())}))
    monkeypatch.setattr(
        registry, "find", lambda kind, name: Plugin(kind, name, "theirs", "") if name in theirs else find(kind, name)
    )
    monkeypatch.setattr(registry, "load", lambda kind, name: theirs[name] if name in theirs else load(kind, name))
    load_metrics.cache_clear()
    yield theirs
    load_metrics.cache_clear()


@pytest.mark.parametrize("name", list(load_metrics()))
def test_every_metric_keeps_the_contract(name: str) -> None:
    check_metric(load_metrics()[name])


def test_a_name_of_ours_is_a_metric_and_others_are_suggested() -> None:
    assert registry.load("metric", "loudness_lu").unit == "LU"
    with pytest.raises(UnknownNameError) as caught:
        registry.load("metric", "loudnes_lu")
    assert "loudness_lu" in (caught.value.hint or "")


def measured(row: ReportRow) -> dict[str, tuple[float | None, float | None, float | None]]:
    return {line.name: (line.input, line.result, line.reference) for line in row.metrics}


def test_a_metric_of_others_is_reported_by_itself(installed: dict[str, object]) -> None:
    installed["peak"] = PEAK
    installed["close"] = Metric(
        "close", "dB", "more", lambda x, y, rate: -peaks_apart(x, y, rate), "How like its peak is."
    )
    installed["odd"] = Metric("odd", "dB", "neither", peaks_apart, "How unlike its peak is.")

    def failing(x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
        raise ZeroDivisionError("no peak")

    installed["failing"] = Metric("failing", "", "less", failing, "Nothing.")
    assert list(load_metrics())[:2] == ["left_right", "mid_side"], "ours come first"
    assert measures()["close"].better == "more"
    assert compare(torch.ones(2, RATE), 0.25 * torch.ones(2, RATE), RATE, but=["failing"])["peak"] == 0.75
    mix, other = as_mix(song("night")), as_mix(song("street"))
    result = transfer(mix, other, chain="gain", method="match", excerpt_seconds=1.0, excerpt_count=1)
    with pytest.warns(UserWarning, match="no peak"):
        (row,) = build_report("", Sources(mix, other), result).rows
    lines = measured(row)
    assert lines["Peak"] == pytest.approx(
        [float(x.abs().max()) for x in (mix.stereo_sum(), result.rendered.mix, other.stereo_sum())]
    )
    assert lines["failing"] == (None, None, None)
    assert lines["close"][2] == 0  # the reference itself is what is aimed at
    assert lines["odd"][2] is None
    assert next(line for line in row.metrics if line.name == "Peak").doc == "How far the peak is off."


def test_what_is_no_metric_is_left_out_and_named(installed: dict[str, object]) -> None:
    installed |= {"broken": 3, "alias": PEAK}
    with pytest.warns(UserWarning, match="theirs") as warned:
        found = load_metrics()
    assert len(warned) == 2
    assert not {"broken", "alias", "peak"} & set(found)
    assert "loudness_lu" in found


def test_an_aligned_metric_refuses_another_length() -> None:
    with pytest.raises(AudioError, match="samples"):
        load_metrics()["left_right"](probe(RATE), probe(RATE, 0.5), RATE)


def changed(**fields: object) -> Metric:
    return dataclasses.replace(PEAK, **fields)  # type: ignore[arg-type]


def modifying(x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    x *= 0.5
    return peaks_apart(x, reference, sample_rate)


BROKEN = {
    "definition": changed(doc=" "),
    "no way": changed(better="bigger"),
    r"become \(\)": changed(function=lambda x, y, rate: peaks_apart(x, y, rate).mean()),
    "modified": changed(function=modifying),
    "two values": changed(function=lambda x, y, rate: peaks_apart(x, y, rate) + torch.rand(1)),
    "row 0": changed(function=lambda x, y, rate: peaks_apart(x, y, rate) + len(x)),
    "finite on silence": changed(function=lambda x, y, rate: peaks_apart(x, y, rate) / loudest(x, rate)),
    "another length": changed(function=lambda x, y, rate: (x - y).abs().amax((-2, -1))),
    "better than": changed(better="more"),
    "its property": changed(property=Property("Peak", "", lambda x, rate: x.abs().amax(-1))),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_the_contract_notices(rule: str) -> None:
    with pytest.raises(ContractError, match=rule):
        check_metric(BROKEN[rule])
