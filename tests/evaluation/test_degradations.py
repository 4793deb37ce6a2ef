"""An encoder that embeds a fault finds it, one that does not is guessing, and heads see no song of a trial."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stito.data.degradation.fault import fault_names
from stito.demo.mixes import DemoMixes
from stito.errors import SettingsError
from stito.evaluation.degradations.cases import GOOD, Plan, learnt_from, tried_on
from stito.evaluation.degradations.outcome import ALL, Judged, Outcome, area_under_curve, rank_correlation
from stito.evaluation.degradations.study import NAMES, cache_sources, study_degradations, write_study
from stito.models.quality import HeadPlan, fit_head, mix_vectors
from stito.models.stem_batch import MixEmbedding

RATE = 44_100
PLAN = Plan(places=1, severities=(0.5, 1.0), learning_places=1, learning_versions=1, seconds=0.5)


class Level:
    """Embeds the level alone."""

    name, sample_rate, dim = "level", RATE, 1

    def embed(self, x: Tensor) -> Tensor:
        return x.square().mean((1, 2)).add(1e-9).log10()[:, None]


class Deaf:
    """Embeds nothing."""

    name, sample_rate, dim = "deaf", RATE, 2

    def embed(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x), 2)


@pytest.fixture(scope="module")
def songs() -> DemoMixes:
    return DemoMixes(seconds=2.0)


def test_each_fault_is_tried_at_each_severity_with_the_same_settings(songs: DemoMixes) -> None:
    versions = list(tried_on(songs, PLAN, RATE))
    assert {version.song for version in versions} == set(songs.songs)
    assert {version.fault for version in versions} == {GOOD, *fault_names()}
    first = [version for version in versions if version.song == versions[0].song]
    good = first[0]
    assert (good.fault, good.severity) == (GOOD, 0.0)
    for fault in ("gain", "shelf"):
        half, full = (version for version in first if version.fault == fault)
        changed = [[name for name, x in v.stems.items() if x is not good.stems[name]] for v in (half, full)]
        assert changed[0] == changed[1]
        apart = [float((v.stems[changed[0][0]] - good.stems[changed[0][0]]).square().mean()) for v in (half, full)]
        assert 0 < apart[0] < apart[1]


def test_heads_learn_from_random_faults_of_their_own_songs(songs: DemoMixes) -> None:
    versions = list(learnt_from(songs, replace(PLAN, learning_versions=3), RATE))
    assert [version.severity == 0 for version in versions] == [True, False, False, False] * 3
    again = list(learnt_from(songs, replace(PLAN, learning_versions=3), RATE))
    assert [version.fault for version in versions] == [version.fault for version in again]


def test_area_under_curve_and_rank_correlation() -> None:
    assert area_under_curve(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1.0
    assert area_under_curve(np.array([0.0, 1.0]), np.array([1.0])) == 0.75
    assert np.isnan(area_under_curve(np.array([]), np.array([1.0])))
    assert rank_correlation(np.array([0.0, 1.0, 2.0]), np.array([1.0, 10.0, 100.0])) == pytest.approx(1.0)
    assert rank_correlation(np.array([0.0, 1.0]), np.array([1.0, 1.0])) == 0.0


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """An encoder that always knows the severity of `gain` and never that of `tilt`, and one that guesses."""
    generator = np.random.default_rng(0)
    judged = []
    for song in map(str, range(8)):
        for fault, severity in ((GOOD, 0.0), ("gain", 0.5), ("gain", 1.0), ("tilt", 0.5), ("tilt", 1.0)):
            sure = severity if fault == "gain" else 0.0
            predicted = {"sure": sure + 1e-3 * generator.random(), "guess": generator.random()}
            judged.append(Judged(song, 0, fault, severity, predicted))
    return Outcome({"sure": "abc", "guess": ""}, "eight songs", PLAN, judged)


def test_what_is_known_scores_one_and_what_is_not_scores_half(outcome: Outcome) -> None:
    assert outcome.detection["sure", 0.5, "gain"].mean == 1.0
    assert outcome.correlation["sure", "gain"].mean > 0.9
    assert 0.2 < outcome.detection["sure", 0.5, "tilt"].mean < 0.8
    mean = outcome.detection["sure", 1.0, ALL]
    assert mean.mean == pytest.approx((1 + outcome.detection["sure", 1.0, "tilt"].mean) / 2)
    assert mean.low <= mean.mean <= mean.high
    guess = outcome.detection["guess", 1.0, "gain"]
    assert guess.low < 0.5 < guess.high


def test_a_study_leaves_tables_a_page_and_every_mix(outcome: Outcome, tmp_path: Path) -> None:
    write_study(tmp_path, outcome, command="stito evaluate degradations")
    assert {path.name for path in tmp_path.iterdir()} == set(NAMES)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["encoders"]["sure"]["auc"]["0.5"]["gain"]["mean"] == 1.0
    assert len(result["mixes"]) == 40
    page, tables = ((tmp_path / name).read_text() for name in ("report.html", "tables.md"))
    for text in ("Detection at severity 0.5", "Rank correlation", "eight songs"):
        assert text in page
        assert text in tables
    assert "stito evaluate degradations" in page


def test_an_encoder_of_level_finds_gain_and_a_deaf_one_nothing(songs: DemoMixes) -> None:
    outcome = study_degradations({"level": Level(), "deaf": Deaf()}, songs, songs, "demo", PLAN)
    assert len(outcome.judged) == len(songs.songs) * (1 + 2 * len(fault_names()))
    assert outcome.detection["deaf", 1.0, ALL].mean == 0.5
    assert {each.predicted["deaf"] for each in outcome.judged} == {outcome.judged[0].predicted["deaf"]}


class Finder(Deaf):
    """Deaf, but says of every mix how far its sum is from silence."""

    faults = ("gain",)
    stems = ("vocals", "drums", "bass", "other")

    def find_faults(self, stems: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        return {name: {"gain": x.square().mean((1, 2))} for name, x in stems.items()}


def test_an_encoder_that_finds_faults_itself_has_a_column_of_its_own(songs: DemoMixes) -> None:
    outcome = study_degradations({"finder": Finder()}, songs, songs, "demo", PLAN)
    assert list(outcome.encoders) == ["finder", "finder, own faults"]
    assert outcome.detection["finder", 1.0, "gain"].mean == 0.5
    assert outcome.detection["finder, own faults", 1.0, "gain"].mean != 0.5


def test_what_is_heard_of_a_place_is_the_mean_of_its_excerpts(songs: DemoMixes) -> None:
    heard: list[Tensor] = []

    class Heard(Level):
        def embed(self, x: Tensor) -> Tensor:
            heard.append(x)
            return super().embed(x)

    one, three = (replace(PLAN, excerpts=count, severities=(1.0,)) for count in (1, 3))
    for plan in (one, three):
        heard.clear()
        study_degradations({"level": Heard()}, songs, songs, "demo", plan)
        assert {tuple(x.shape) for x in heard} == {(plan.excerpts, 2, round(0.5 * RATE))}


def test_nothing_to_evaluate_and_songs_that_were_seen_are_refused(songs: DemoMixes, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No encoder"):
        study_degradations({}, songs, songs, "demo", PLAN)
    with pytest.raises(SettingsError, match="learns from"):
        cache_sources(tmp_path, "test", "test")
    slow = Level()
    slow.sample_rate = 22_050
    with pytest.raises(SettingsError, match="44100"):
        study_degradations({"slow": slow}, songs, songs, "demo", PLAN)


def test_a_head_learns_what_the_vectors_say_and_bears_what_is_missing() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(400, 12, generator=generator)
    score = 3 + 2 * vectors[:, 0] - vectors[:, 1]
    vectors[::5, 6:] = torch.nan
    head = fit_head(vectors[:300], score[:300], HeadPlan(steps=200))
    wrong = (head(vectors[300:]) - score[300:]).square().mean() / score.var()
    assert float(wrong) < 0.3
    again = fit_head(vectors[:300], score[:300], HeadPlan(steps=200))
    assert torch.equal(head(vectors), again(vectors))
    ranked = fit_head(vectors[:300], score[:300], HeadPlan(steps=200, ranking=1.0))
    order = rank_correlation(score[300:].double().numpy(), ranked(vectors[300:]).double().numpy())
    assert order > 0.85


def test_vectors_of_mixes_are_stems_side_by_side_and_nan_where_one_is_missing() -> None:
    stems = {"drums": torch.full((1, 2, 100), 0.1), "bass": torch.full((1, 2, 100), 0.01)}
    (vector,) = mix_vectors(Level(), stems, ("vocals", "drums", "bass"))
    assert vector.shape == (4,)  # three stems, and their sum
    assert bool(vector[0].isnan())
    torch.testing.assert_close(vector[1:], torch.tensor([-2.0, -4.0, 2 * np.log10(0.11)]).float(), atol=1e-3, rtol=0)

    class Whole(Level):
        stems = ("drums", "vocals")

        def embed_mix(self, stems: dict[str, Tensor]) -> MixEmbedding:
            return MixEmbedding(torch.tensor([[[1.0], [0.0]]]), torch.tensor([[True, False]]))

    (vector,) = mix_vectors(Whole(), stems, ("drums", "vocals"))
    assert float(vector[0]) == 1
    assert bool(vector[1].isnan())
