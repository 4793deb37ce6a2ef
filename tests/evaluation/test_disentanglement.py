"""Disentanglement: an encoder of effects scores above an encoder of music, and the tables show it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from evaluation.toys import toy_encoders
from stito.evaluation.encoders.cases import Bench
from stito.evaluation.encoders.disentanglement import FULL, Disentanglement, Score, measure_disentanglement
from stito.evaluation.encoders.outcome import Outcome
from stito.evaluation.encoders.outcome_tables import PUBLISHED, as_markdown, as_text
from stito.evaluation.encoders.retrieval import measure_retrieval
from stito.evaluation.encoders.sensitivity import measure_sensitivity
from stito.evaluation.page import render_page
from stito.evaluation.plots import cloud_png
from stito.evaluation.table import figure

Measured = tuple[Bench, Disentanglement]


@pytest.fixture(scope="module")
def outcome(measured: Measured) -> Outcome:
    """What is written about: the scores, a little retrieval, a little sensitivity."""
    bench, found = measured
    return Outcome(
        dict.fromkeys(bench.encoders, ""),
        "noise",
        bench.plan,
        found,
        tuple(measure_retrieval(bench, subjects=["vocals"], candidates=4, own=2, rounds=2)),
        tuple(measure_sensitivity(bench, effects=["gain"], bases=2, others=4)),
    )


def test_an_ear_for_effects_scores_and_an_ear_for_music_does_not(measured: Measured) -> None:
    bench, found = measured
    unseen = {label: found.over_draws("held_out", label, multitrack=False).mean for label in bench.encoders}
    assert unseen["selective"] > 0.8
    assert unseen["both"] > 0.6
    assert unseen["music"] < 0.1
    dcimig = {label: found.over_draws("dcimig", label, multitrack=False).mean for label in bench.encoders}
    assert dcimig["selective"] > 0.5
    assert dcimig["music"] < 0.15


def test_shuffled_embeddings_say_nothing_though_forests_remember_them(measured: Measured) -> None:
    bench, found = measured
    for label in bench.encoders:
        assert found.over_draws("dcimig_chance", label).mean < 0.3
    assert found.over_draws("explicitness_chance", "both").mean > 0.2
    assert found.over_draws("explicitness_chance", "both").mean < found.over_draws("explicitness", "both").mean


def test_settings_are_read_from_clips_with_a_configuration_each(measured: Measured) -> None:
    _, found = measured
    assert found.over_draws("settings_held_out", "selective", multitrack=False, full=True).mean > 0.8
    assert found.over_draws("settings_held_out", "music", multitrack=False, full=True).mean < 0.1
    assert found.over_draws("settings_dcimig", "both", multitrack=False, full=True).mean > 0.8
    assert all(math.isnan(score.settings_held_out) for score in found.scores if score.effects != FULL)


def test_every_segment_is_under_every_configuration_in_the_clouds(measured: Measured) -> None:
    bench, found = measured
    cloud = found.clouds["both"]["gain"]
    pairs = set(zip(cloud.segment.tolist(), cloud.configuration.tolist(), strict=True))
    assert len(pairs) == len(cloud.embeddings) == bench.plan.segments * bench.plan.configurations


def test_one_configuration_sounds_alike_on_all_segments_of_a_stem(bench: Bench) -> None:
    bench = replace(bench, encoders=toy_encoders("effects"), plan=replace(bench.plan, seeds=1))
    cloud = measure_disentanglement(bench, subjects=["drums"], effects=[]).clouds["effects"][FULL]
    level = cloud.embeddings[:, 0]
    assert all(np.ptp(level[cloud.configuration == number]) < 1e-5 for number in range(3))


def test_single_effects_are_asked_for_and_draws_differ_and_repeat(bench: Bench) -> None:
    bench = replace(bench, encoders=toy_encoders("both"))
    first, again = (measure_disentanglement(bench, subjects=["vocals"], effects=["eq"]) for _ in range(2))
    assert repr(first.scores) == repr(again.scores)
    one, other = (score.explicitness_chance for score in first.scores if score.effects == FULL)
    assert one != other
    assert bench.manipulator.asked == 2 * 2 * [None, None, "eq"]  # type: ignore[attr-defined]


def test_columns_average_within_a_draw_and_then_over_draws() -> None:
    def score(subject: str, effects: str, draw: int, value: float) -> Score:
        return Score("e", subject, effects, draw, value, 0, 0, 0, 0)

    found = Disentanglement(
        (
            score("multitrack", FULL, 0, 9.0),
            score("vocals", FULL, 0, 1.0),
            score("drums", FULL, 0, 3.0),
            score("vocals", FULL, 1, 3.0),
            score("drums", FULL, 1, 5.0),
            score("drums", "eq", 1, 7.0),
        )
    )
    stems = found.over_draws("dcimig", "e", multitrack=False, full=True)
    assert (stems.mean, stems.draws) == (3.0, 2)
    assert found.over_draws("dcimig", "e", multitrack=True, full=True).mean == 9.0
    assert found.over_draws("dcimig", "e", subject="drums", effects="eq").mean == 7.0
    assert math.isnan(found.over_draws("dcimig", "nobody").mean)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.6744, ".674"), (1.0, "1.000"), (-0.12, "−.120"), (0.0, ".000"), (-0.0001, ".000"), (math.nan, "–")],
)
def test_figures_are_written_as_in_papers(value: float, written: str) -> None:
    assert figure(value) == written


def test_tables_have_the_published_figures_ours_and_the_data(measured: Measured, outcome: Outcome) -> None:
    bench, _ = measured
    text, markdown = as_text(outcome), as_markdown(outcome)
    for words in (text, markdown):
        for name in [*PUBLISHED, *bench.encoders]:
            assert name in words
        assert ".674 / .963" in words
        assert "noise" in words
    widths = {len(line.split("   ")) for line in text.splitlines() if line.startswith("  MEE")}
    assert widths, "the published rows stand in the table"
    for block in markdown.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1


def test_json_has_no_nan_and_every_draw(measured: Measured, outcome: Outcome) -> None:
    bench, found = measured
    read = json.loads(json.dumps(outcome.as_json(), allow_nan=False))
    assert len(read["scores"]) == len(found.scores)
    both = read["encoders"]["both"]
    assert both["table"]["multitrack_full_fx"]["dcimig"]["draws"] == bench.plan.seeds
    assert set(both["retrieval"]) == {"vocals"}
    assert set(both["sensitivity"]) == {"gain"}


def test_the_page_holds_everything_and_loads_nothing(outcome: Outcome) -> None:
    picture = cloud_png(outcome.disentanglement.clouds["both"])
    assert picture.startswith(b"\x89PNG")
    page = render_page(replace(outcome, data="<script>songs</script>"), {"both": picture}, "stito evaluate")
    assert "<script>" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") == 1
    assert ".674 / .963" in page
