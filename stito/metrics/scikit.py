"""What is used of scikit-learn, and the only place that imports it: forests and maps in two dimensions.

It comes with `pip install 'stito[eval]'`; everything else works without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stito.errors import MissingDependencyError

__all__ = ["regression_forest", "require", "tsne", "tsne_of_distances"]

Matrix = NDArray[np.float64]
TREES = 10
MAX_FEATURES = 0.4


def regression_forest(codes: Matrix, targets: Matrix, seed: int) -> Callable[[Matrix], Matrix]:
    """A forest of ten trees that predicts targets (n, k) from codes (n, d): the function from codes to predictions.

    Each split looks at 40 % of the dims; trees grow until their leaves are pure.
    """
    ensemble = _imported("sklearn.ensemble")
    forest = ensemble.RandomForestRegressor(n_estimators=TREES, max_features=MAX_FEATURES, random_state=seed)
    forest.fit(codes, targets[:, 0] if targets.shape[1] == 1 else targets)

    def predict(unseen: Matrix) -> Matrix:
        found: Matrix = forest.predict(unseen).reshape(len(unseen), -1)
        return found

    return predict


def tsne(codes: Matrix, seed: int) -> Matrix:
    """Places (n, 2) such that neighbours among the codes (n, d) stay neighbours (van der Maaten & Hinton 2008)."""
    manifold = _imported("sklearn.manifold")
    perplexity = _perplexity(len(codes))
    places: Matrix = manifold.TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(codes)
    return places


def tsne_of_distances(distances: Matrix, seed: int) -> Matrix:
    """Places (n, 2) such that what is near by these distances (n, n), of any kind, stays near."""
    manifold = _imported("sklearn.manifold")
    of = manifold.TSNE(
        2, perplexity=_perplexity(len(distances)), metric="precomputed", init="random", random_state=seed
    )
    places: Matrix = of.fit_transform(distances.clip(min=0))
    return places


def _perplexity(count: int) -> float:
    return min(30.0, max(1.0, (count - 1) / 3))


def require() -> None:
    """`MissingDependencyError` now, rather than after a long computation."""
    _imported("sklearn")


def _imported(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"Evaluations need scikit-learn, which cannot be imported: {error}",
            hint="Install it with: pip install 'stito[eval]'",
        ) from error
