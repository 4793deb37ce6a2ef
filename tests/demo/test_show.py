"""The demo: a question that has an answer, and a table that hides nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stito.audio import read_audio
from stito.console.strips import loudness
from stito.data.fxnorm.targets import Targets
from stito.demo.show import Demo, StemOutcome, run_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Demo, Path]:
    """The demo with a search of one generation."""
    outdir = tmp_path_factory.mktemp("demo")
    return run_demo(outdir, evaluations=16), outdir


def test_every_stem_and_their_sum_come_nearer_to_the_truth(demo: tuple[Demo, Path]) -> None:
    reductions = {name: stem.reduction for name, stem in demo[0].stems.items()}
    assert list(reductions) == ["drums", "bass", "other", "vocals"]
    assert min(reductions.values()) > 10
    assert demo[0].total.reduction > 20


def test_the_hidden_settings_are_audible_in_every_stem(demo: tuple[Demo, Path]) -> None:
    assert min(stem.before for stem in demo[0].stems.values()) > 0.1


def test_the_dry_song_is_fx_normalised_and_does_not_clip(demo: tuple[Demo, Path]) -> None:
    for name in demo[0].stems:
        audio = read_audio(demo[1] / "night" / f"{name}.wav")
        assert float(audio.samples.abs().max()) < 0.999
        assert loudness(audio.samples, 44_100) == pytest.approx(Targets.shipped().of(name).loudness_lufs, abs=0.1)


def test_the_table_shows_what_got_worse_with_its_sign(demo: tuple[Demo, Path]) -> None:
    worse = replace(demo[0], stems={"bass": StemOutcome(0.1, 0.25, {})}, total=StemOutcome(0.4, 0.3, {}))
    _, bass, total = worse.table().splitlines()
    assert bass.split() == ["bass", "0.100", "->", "0.250", "-150", "%"]
    assert total.split() == ["sum", "0.400", "->", "0.300", "25", "%"]


def test_the_demo_of_a_network_has_no_knobs_to_tell(tmp_path: Path) -> None:
    demo = run_demo(tmp_path, method="neural")
    assert all(not stem.knobs and stem.after > 0 for stem in demo.stems.values())
    assert "drums" in demo.table()
