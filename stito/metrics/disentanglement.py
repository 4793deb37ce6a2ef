"""How well an embedding determines the settings of effects, each in dims of its own: DCIMIG and explicitness.

A *code* is one dim of an embedding, a *factor* one thing that was varied when the audio was made, a setting of an
effect. Rows are clips: codes (n, d), factors (n, k). Factors that do not vary are left out. `SettingsError` for other
shapes, values that are not finite, or factors none of which varies.

Both are as J. Zaidi et al. define them in "Measuring Disentanglement: A Review of Metrics" (arXiv 2012.09276), whose
implementation the field's figures come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stito import streams
from stito.errors import SettingsError
from stito.metrics.scikit import regression_forest
from stito.streams import Purpose

__all__ = ["dci_explicitness", "dcimig", "validate"]

Matrix = NDArray[np.float64]
BINS = 10
FOREST_DIMS = 64
"""Longer embeddings are seen by forests through as many principal components: the time of a forest grows with dims."""
FOLDS = 5
UNIFORM_VARIANCE = 1 / 12


def validate(codes: ArrayLike, factors: ArrayLike) -> tuple[Matrix, Matrix]:
    """Codes (n, d) and the varying factors (n, k'), each column scaled to [0, 1]."""
    tables = {"codes": np.asarray(codes, dtype=np.float64), "factors": np.asarray(factors, dtype=np.float64)}
    for name, table in tables.items():
        if table.ndim != 2 or 0 in table.shape:
            raise SettingsError(f"The {name} have shape {table.shape}.", hint="Give one row per clip: a table (n, d).")
        if not np.isfinite(table).all():
            raise SettingsError(f"The {name} hold values that are not finite.", hint="Leave those clips out.")
    if len(tables["codes"]) != len(tables["factors"]):
        raise SettingsError(
            f"{len(tables['codes'])} rows of codes for {len(tables['factors'])} of factors.",
            hint="Both describe the same clips, in the same order.",
        )
    varying = np.ptp(tables["factors"], axis=0) > 0
    if not varying.any():
        raise SettingsError("No factor varies.", hint="Draw more than one configuration of the effects.")
    return _scaled(tables["codes"]), _scaled(tables["factors"][:, varying])


def dcimig(codes: ArrayLike, factors: ArrayLike, *, bins: int = BINS) -> float:
    """Whether each factor has a code that determines it, and no other factor: 1 at best, 0 at worst.

    Codes and factors are cut into `bins` equal parts of their range. With I the mutual information of a code and a
    factor, a code's gap is its largest I over the factors less its second largest (less 0 where there is one factor),
    and belongs to the factor of the largest. A factor's score is the largest gap that belongs to it, or 0. The result
    is the sum of scores over the sum of the factors' entropies (Zaidi et al., eq. 8; proposed by Sepliarskaia et al.,
    arXiv 1910.05587).

    I is the plug-in estimate, which is above zero for unrelated values where clips are few, and the best of many codes
    is further above it: compare with codes in shuffled order. More codes, and codes that are zero for most clips, also
    score higher where they add no information: compare embeddings of like length and sign (the published: 2,048 dims,
    not negative).
    """
    scaled_codes, scaled_factors = validate(codes, factors)
    information, entropies = _mutual_information(scaled_codes, scaled_factors, bins)
    ranked = np.sort(np.vstack([np.zeros_like(information[:1]), information]), axis=0)
    gaps = ranked[-1] - ranked[-2]
    owners = information.argmax(axis=0)
    scores = np.zeros(len(entropies))
    np.maximum.at(scores, owners, gaps)
    return float(scores.sum() / entropies.sum())


def dci_explicitness(
    codes: ArrayLike,
    factors: ArrayLike,
    seeds: Sequence[int] = (0, 1, 2, 3),
    *,
    groups: ArrayLike | None = None,
) -> Matrix:
    """How well random forests predict the factors from the codes: (len(seeds),), 1 at best, 0 at worst.

    Without `groups` it is the published explicitness (DCI of Eastwood & Williams 2018, as the implementation of Zaidi
    et al. has it): for each factor a forest of ten trees is fitted to all clips and predicts the same clips, and the
    result is the mean over factors of max(0, 1 - 12 MSE), where 1 / 12 is the variance of a uniform factor. A forest
    remembers what it has seen, so even codes without any information score about .8; it ranks embeddings, and means
    little by itself.

    With `groups` (n,), the content of each clip, the forest predicts clips of contents that it has not seen: contents
    are dealt to five folds at random, and the result is the mean over factors of max(0, 1 - MSE / variance of the
    factor). 0 is no better than the mean; at 1 the settings can be read from new music.

    Unlike the published one, the forest's size is fixed and not searched, and codes of more than 64 dims are given as
    their 64 leading principal components: explicitness measures how much can be predicted, not along which axes.
    """
    scaled_codes, scaled_factors = validate(codes, factors)
    reduced = _principal(scaled_codes, FOREST_DIMS)
    if groups is None:
        return np.array([_remembered(reduced, scaled_factors, seed) for seed in seeds])
    contents = np.asarray(groups)
    if contents.shape != (len(reduced),) or len(np.unique(contents)) < 2:
        raise SettingsError("Groups must name the content of each clip, and at least two contents.")
    return np.array([_unseen(reduced, scaled_factors, contents, seed) for seed in seeds])


def _remembered(codes: Matrix, factors: Matrix, seed: int) -> float:
    """The published explicitness: predictions of the clips that were fitted."""
    scores = []
    for factor in factors.T[..., None]:
        mse = np.square(regression_forest(codes, factor, seed)(codes) - factor).mean()
        scores.append(max(0.0, 1 - mse / UNIFORM_VARIANCE))
    return float(np.mean(scores))


def _unseen(codes: Matrix, factors: Matrix, contents: NDArray[np.generic], seed: int) -> float:
    """Predictions of clips whose content was not fitted; one forest predicts all factors."""
    names = streams.generator(seed, Purpose.FOLDS).permutation(np.unique(contents))
    predicted = np.empty_like(factors)
    for fold in np.array_split(names, min(FOLDS, len(names))):
        held = np.isin(contents, fold)
        predicted[held] = regression_forest(codes[~held], factors[~held], seed)(codes[held])
    errors = np.square(predicted - factors).mean(axis=0)
    return float(np.maximum(0.0, 1 - errors / factors.var(axis=0)).mean())


def _scaled(table: Matrix) -> Matrix:
    low, span = table.min(axis=0), np.ptp(table, axis=0)
    scaled: Matrix = (table - low) / np.where(span > 0, span, 1.0)
    return scaled


def _principal(table: Matrix, dims: int) -> Matrix:
    """The leading principal components (n, dims) of a table (n, d); the table itself where it is no longer."""
    if table.shape[1] <= dims:
        return table
    left, sizes, _ = np.linalg.svd(table - table.mean(axis=0), full_matrices=False)
    return np.asarray(left[:, :dims] * sizes[:dims], dtype=np.float64)


def _mutual_information(codes: Matrix, factors: Matrix, bins: int) -> tuple[Matrix, Matrix]:
    """I = H(f) + H(c) - H(f, c) of every factor with every code (k, d), and the factors' entropies (k,), in bits."""
    n, d = codes.shape
    in_code = _one_hot(codes, bins).reshape(n, d * bins)
    code_entropies = _entropy(in_code.mean(axis=0, dtype=np.float64).reshape(d, bins), axis=1)
    information, entropies = [], []
    for in_factor in _one_hot(factors, bins).swapaxes(0, 1):
        joint = (in_factor.T @ in_code).astype(np.float64).reshape(bins, d, bins) / n
        entropies.append(_entropy(joint.sum(axis=2)[:, 0], axis=0))
        information.append(entropies[-1] + code_entropies - _entropy(joint, axis=(0, 2)))
    return np.maximum(np.array(information), 0.0), np.array(entropies)


def _one_hot(table: Matrix, bins: int) -> NDArray[np.float32]:
    """Which of equal parts of [0, 1] each value falls into: (n, columns, bins). Counts below 2^24 are exact in it."""
    places = np.minimum((table * bins).astype(np.int64), bins - 1)
    hot: NDArray[np.float32] = (places[..., None] == np.arange(bins)).astype(np.float32)
    return hot


def _entropy(p: Matrix, axis: int | tuple[int, ...]) -> Matrix:
    total: Matrix = -np.sum(p * np.log2(np.where(p > 0, p, 1.0)), axis=axis)
    return total
