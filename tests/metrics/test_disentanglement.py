"""DCIMIG and explicitness: closed forms, a plain loop, and what they must not be fooled by."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from stito.errors import MissingDependencyError, SettingsError
from stito.metrics.disentanglement import dci_explicitness, dcimig

Array = NDArray[np.float64]


def uniform(seed: int, clips: int, columns: int) -> Array:
    return np.random.default_rng(seed).random((clips, columns))


def naive(codes: Array, factors: Array, bins: int = 10) -> float:
    """The docstring, one pair at a time."""

    def cut(x: Array) -> NDArray[np.int64]:
        return np.minimum((bins * (x - x.min()) / (x.max() - x.min())).astype(int), bins - 1)

    def entropy(labels: NDArray[np.int64]) -> float:
        p = np.unique(labels, return_counts=True)[1] / len(labels)
        return float(-(p * np.log2(p)).sum())

    cells = [cut(f) for f in factors.T]
    scores = [0.0] * len(cells)
    for code in map(cut, codes.T):
        told = [entropy(f) + entropy(code) - entropy(f * bins + code) for f in cells]
        best = int(np.argmax(told))
        scores[best] = max(scores[best], told[best] - max([0.0, *told[:best], *told[best + 1 :]]))
    return sum(scores) / sum(map(entropy, cells))


def test_it_is_its_definition() -> None:
    factors = uniform(0, 300, 3)
    codes = np.hstack([factors @ uniform(1, 3, 4), factors**2, uniform(2, 300, 3)])
    assert dcimig(codes, factors) == pytest.approx(naive(codes, factors), abs=1e-9)


def test_one_factor_has_no_second_to_be_confused_with() -> None:
    factor = uniform(0, 300, 1)
    codes = np.hstack([factor + 0.2 * uniform(1, 300, 1), uniform(2, 300, 1)])
    assert dcimig(codes, factor) == pytest.approx(naive(codes, factor), abs=1e-9)


def test_a_code_for_each_factor_is_perfect_however_scaled_signed_and_ordered() -> None:
    factors = uniform(0, 20_000, 4)
    codes = np.hstack([-3 * factors[:, ::-1] + 7, 1e-3 * uniform(1, 20_000, 5)])
    assert dcimig(codes, factors) > 0.98


def test_repeating_a_code_changes_nothing_and_noise_tells_nothing() -> None:
    factors = uniform(0, 20_000, 3)
    assert dcimig(np.hstack([factors, factors]), factors) == pytest.approx(dcimig(factors, factors))
    assert dcimig(uniform(1, 20_000, 3), factors) < 0.01


def test_turning_the_axes_lowers_dcimig_and_not_explicitness() -> None:
    """Two factors mixed evenly into two codes: each code tells both as well, none tells them apart."""
    factors = uniform(0, 2000, 2)
    turned = factors @ np.array([[1.0, 1.0], [-1.0, 1.0]])
    assert dcimig(turned, factors) < 0.1 < 0.9 < dcimig(factors, factors)
    contents = np.arange(2000) % 20
    straight, mixed = (dci_explicitness(codes, factors, [0], groups=contents)[0] for codes in (factors, turned))
    assert straight > 0.99
    assert mixed > 0.95


def test_noise_lowers_both_step_by_step() -> None:
    factors, noise = uniform(0, 1000, 3), uniform(1, 1000, 3)
    contents = np.arange(1000) % 25
    noisy = [(1 - a) * factors + a * noise for a in (0.0, 0.3, 0.6, 1.0)]
    for scores in (
        [dcimig(codes, factors) for codes in noisy],
        [dci_explicitness(codes, factors, [0], groups=contents)[0] for codes in noisy],
        [dci_explicitness(codes, factors, [0])[0] for codes in noisy],
    ):
        assert scores == sorted(scores, reverse=True)


def test_a_forest_remembers_noise_and_is_caught_on_unseen_content() -> None:
    """The published explicitness of codes that know nothing is high; on contents not seen it is nil."""
    configuration, content = np.tile(np.arange(10), 25), np.repeat(np.arange(25), 10)
    factors = uniform(0, 10, 4)[configuration]
    codes = uniform(1, 250, 30)
    assert dci_explicitness(codes, factors, [0])[0] > 0.6
    assert dci_explicitness(codes, factors, [0], groups=content)[0] < 0.05


def test_content_alone_explains_no_settings() -> None:
    """Codes that are the same for all clips of a content, whatever the effects do."""
    configuration, content = np.tile(np.arange(10), 25), np.repeat(np.arange(25), 10)
    codes = uniform(0, 25, 20)[content]
    factors = uniform(1, 10, 3)[configuration]
    assert dcimig(codes, factors) < 1e-9
    assert dci_explicitness(codes, factors, [0], groups=content)[0] == 0


def test_settings_of_ten_configurations_tell_each_other_and_so_cannot_be_told_apart() -> None:
    """Even codes that are the settings fare badly; the configurations themselves are told by a cell for each."""
    configuration = np.tile(np.arange(10), 25)
    settings = uniform(0, 10, 12)[configuration]
    assert dcimig(settings, settings) < 0.2
    cells = np.eye(10)[configuration]
    assert dcimig(cells + 0.01 * uniform(1, 250, 10), cells) > 0.9
    assert dcimig(configuration[:, None], cells) < 1e-9


def test_more_codes_that_are_not_negative_raise_dcimig_and_tell_nothing_new() -> None:
    """Ten clusters in 32 dims, and 1,024 rectified random mixtures of them: compare networks of like size and sign."""
    generator = np.random.default_rng(0)
    configuration = np.arange(250) % 10
    factors = np.eye(10)[configuration]
    codes = generator.standard_normal((10, 32))[configuration] + 0.3 * generator.standard_normal((250, 32))
    rectified = np.maximum(codes @ generator.standard_normal((32, 1024)), 0.0)
    assert dcimig(rectified, factors) > dcimig(codes, factors) + 0.2


def test_long_embeddings_are_read_through_their_principal_components() -> None:
    configuration, content = np.tile(np.arange(10), 25), np.repeat(np.arange(25), 10)
    factors = uniform(0, 10, 3)[configuration]
    codes = factors @ uniform(1, 3, 500) + 0.01 * uniform(2, 250, 500)
    assert dci_explicitness(codes, factors, [0], groups=content)[0] > 0.95


def test_factors_that_do_not_vary_count_for_nothing_and_seeds_decide() -> None:
    factors, codes = uniform(0, 200, 2), uniform(1, 200, 4)
    still = np.hstack([factors, np.full((200, 2), 0.3)])
    assert dcimig(codes, still) == dcimig(codes, factors)
    first, second, again = dci_explicitness(codes, still, [3, 4, 3])
    assert first == again != second


@pytest.mark.parametrize(
    ("codes", "factors"),
    [
        (np.zeros((4, 2)), np.zeros((5, 2))),
        (np.zeros(4), uniform(0, 4, 1)),
        (np.zeros((4, 0)), uniform(0, 4, 1)),
        (np.full((4, 2), np.nan), uniform(0, 4, 1)),
        (np.zeros((4, 2)), np.ones((4, 3))),
    ],
)
def test_what_cannot_be_scored_is_refused(codes: Array, factors: Array) -> None:
    for metric in (dcimig, dci_explicitness):
        with pytest.raises(SettingsError) as caught:
            metric(codes, factors)
        assert caught.value.hint


def test_groups_must_be_of_the_clips() -> None:
    for groups in ([0, 1], [0] * 10):
        with pytest.raises(SettingsError):
            dci_explicitness(uniform(0, 10, 2), uniform(1, 10, 1), groups=groups)


def test_without_scikit_learn_the_hint_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(MissingDependencyError) as caught:
        dci_explicitness(uniform(0, 10, 2), uniform(1, 10, 1))
    assert "stito[eval]" in str(caught.value.hint)
