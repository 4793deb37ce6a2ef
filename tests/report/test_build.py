"""From a transfer to its report: excerpts, measures, curves and knobs are those of the transfer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from conftest import as_mix, song
from stito.console.preset import StripPreset
from stito.effects.chain_files import load_chain
from stito.mix import Mix
from stito.report.data import ReportData
from stito.report.html import write_report
from stito.search.base import Budget
from stito.workflows.result import result_json
from stito.workflows.transfer import transfer


@pytest.fixture(scope="module")
def report() -> ReportData:
    """Of two stems, with one search each."""
    mix, reference = song("night", stems=("drums", "bass")), song("street", styled=True, stems=("drums",))
    result = transfer(
        mix,
        reference,
        chain="eq | imager | reverb",
        init="match",
        budget=Budget(evaluations=16),
        excerpt_seconds=1.0,
        excerpt_count=1,
    )
    return result.report()


def test_rows_are_the_mix_and_its_stems(report: ReportData) -> None:
    assert report.rows[0].name == "mix"
    assert {row.name for row in report.rows[1:]} == {"drums", "bass"}
    assert report.title == "night → street"


def test_who_covers_whom_is_said_of_input_and_result_alike() -> None:
    x = 0.1 * torch.randn(2, 2 * 44_100, generator=torch.Generator().manual_seed(0))
    mix = Mix.from_arrays({"vocals": 0.1 * x, "other": x}, 44_100)
    reference = Mix.from_arrays({"vocals": x, "other": 0.1 * x}, 44_100)
    result = transfer(mix, reference, method="match", chain="gain", excerpt_seconds=1.0, excerpt_count=1)
    findings = result.report().findings
    assert any(said.startswith("vocals are covered by other between") for said in findings.input)
    assert not any(said.startswith("vocals") for said in findings.result)
    assert any(said.startswith("other is covered by vocals") for said in findings.result)
    assert result_json(result, result.report())["findings"]["input"] == findings.input


def test_each_voice_is_there_where_it_exists(report: ReportData) -> None:
    rows = {row.name: row for row in report.rows}
    assert [clip.voice for clip in rows["drums"].players] == ["input", "result", "reference"]
    assert [clip.voice for clip in rows["bass"].players] == ["input", "result"]
    assert len(rows["drums"].spectra) == 3


def test_the_result_has_the_loudness_of_the_reference(report: ReportData) -> None:
    drums = next(row for row in report.rows if row.name == "drums")
    loudness = next(metric for metric in drums.metrics if metric.unit == "LUFS")
    assert loudness.result == pytest.approx(loudness.reference, abs=1.0)


def test_curves_start_at_a_guess_and_end_at_the_result(report: ReportData) -> None:
    drums = next(row for row in report.rows if row.name == "drums")
    losses = [loss for _, loss in drums.convergence]
    assert losses == sorted(losses, reverse=True)
    assert drums.loss_after == losses[-1]
    assert drums.loss_before is None, "between songs the search is drawn to the guess, which the input is far from"
    assert drums.loss_start is not None
    assert losses[-1] <= drums.loss_start


def test_effects_that_change_nothing_say_so(report: ReportData) -> None:
    bass = next(row for row in report.rows if row.name == "bass")
    assert not bass.settings, "a stem that was left alone has no settings"
    drums = next(row for row in report.rows if row.name == "drums")
    assert not all(effect.neutral for effect in drums.settings)


def test_a_reverb_without_wet_signal_does_nothing_wherever_its_other_knobs_stand() -> None:
    mix = song("night", stems=("drums",))
    result = transfer(mix, song("street", stems=("drums",)), chain="reverb", method="match", excerpt_seconds=1.0)
    chain = load_chain("reverb")
    settings = chain.neutral()
    settings["reverb"] |= {"decay_mid_s": 2.5, "mix": 0.0}
    preset = result.preset.model_copy(update={"stems": {"drums": StripPreset.of(chain, settings)}})
    report = replace(result, preset=preset).report()
    assert next(row for row in report.rows if row.name == "drums").settings[0].neutral


def test_a_joint_search_is_shown_on_the_mix(tmp_path) -> None:  # type: ignore[no-untyped-def]
    mix, reference = song("night", stems=("drums", "bass")), as_mix(song("street"))
    result = transfer(mix, reference, chain="gain", budget=Budget(evaluations=16), excerpt_seconds=1.0, excerpt_count=1)
    data = result.report()
    assert data.rows[0].convergence
    write_report(tmp_path / "report.html", data)
    assert (tmp_path / "report.html").stat().st_size > 10_000
