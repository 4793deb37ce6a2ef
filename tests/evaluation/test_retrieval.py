"""Retrieval and sensitivity: an encoder of effects finds; one of music guesses, and is misled by its own music."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stito.errors import SettingsError
from stito.evaluation.encoders.cases import Bench
from stito.evaluation.encoders.retrieval import Retrieval, _share_found, measure_retrieval
from stito.evaluation.encoders.sensitivity import measure_sensitivity, spearman


def of(found: list[Retrieval], encoder: str) -> Retrieval:
    return next(result for result in found if result.encoder == encoder)


def test_who_hears_effects_finds_and_who_hears_music_guesses(bench: Bench) -> None:
    found = measure_retrieval(bench, subjects=["vocals"], candidates=10, own=5, rounds=6)
    assert of(found, "effects").found.mean == of(found, "effects").hard.mean == 1
    assert of(found, "music").found.mean < 0.3
    assert of(found, "music").hard.mean == 0
    assert of(found, "both").hard.mean < of(found, "both").found.mean
    assert of(found, "both").queries == 60


def test_without_own_content_hard_is_plain(bench: Bench) -> None:
    (first, *_) = measure_retrieval(bench, subjects=["vocals"], candidates=4, own=0, rounds=2)
    assert first.hard == first.found


def test_a_deaf_encoder_finds_nothing() -> None:
    """All distances equal: a tie is not a find, or an encoder without information would score by the list's order."""
    assert _share_found(torch.ones(4, 4)) == 0
    assert _share_found(1 - torch.eye(4)) == 1


@pytest.mark.parametrize("wrong", [{"candidates": 1}, {"own": 20}, {"rounds": 0}])
def test_rounds_that_cannot_be_are_refused(bench: Bench, wrong: dict[str, int]) -> None:
    with pytest.raises(SettingsError):
        measure_retrieval(bench, **wrong)


def test_distances_follow_the_knob_only_for_who_hears_it(bench: Bench) -> None:
    found = {result.encoder: result for result in measure_sensitivity(bench, effects=["gain"], bases=4, others=12)}
    assert found["effects"].same_content.mean == pytest.approx(1, abs=1e-6)
    assert found["effects"].other_content.mean > 0.99
    assert abs(found["music"].same_content.mean) < 0.6
    assert found["both"].same_content.mean > 0.99 > found["both"].other_content.mean
    assert bench.manipulator.asked == ["gain"] * 4  # type: ignore[attr-defined]
    with pytest.raises(SettingsError):
        measure_sensitivity(bench, others=1)


def test_spearman_ranks() -> None:
    """1 for any rising relation, ties share a rank, a constant has no order. Against the textbook's sum of d^2."""
    x = np.random.default_rng(0).random(30)
    y = np.random.default_rng(1).random(30)
    assert spearman(x, np.exp(5 * x)) == pytest.approx(1)
    assert spearman(x, -(x**3)) == pytest.approx(-1)
    d = x.argsort().argsort() - y.argsort().argsort()
    assert spearman(x, y) == pytest.approx(1 - 6 * (d**2).sum() / (30 * (900 - 1)))
    assert spearman(np.array([0.0, 0.0, 1.0]), np.array([1.0, 1.0, 5.0])) == pytest.approx(1)
    assert spearman(x, np.ones(30)) == 0
