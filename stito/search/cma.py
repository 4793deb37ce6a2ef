"""CMA-ES, the default search: it learns which knobs matter and which move together, from losses alone."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stito.errors import SettingsError
from stito.search.base import FIRST_STEP, Search


@contextmanager
def _as_if_missing(*packages: str) -> Iterator[None]:
    """Inside, these cannot be imported, unless they were already."""
    blocked = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in blocked:
            sys.modules.pop(name, None)


# it does without statistics and plots, which stito does not ask for, and which take longer to import than all of it
with warnings.catch_warnings(), _as_if_missing("scipy.stats", "matplotlib"):
    warnings.filterwarnings("ignore", message="Could not import matplotlib", category=UserWarning)
    import cma

__all__ = ["Cma"]

SIGMA, SIGMA_DIM = 0.2, 40

SMALLEST = 4
"""Below this a generation has no two parents to recombine."""


class Cma(Search):
    """Covariance matrix adaptation (Hansen 2016, arXiv:1604.00772) with diagonal acceleration, inside [0, 1].

    When it converges before the budget is spent it begins anew somewhere at random with twice the population,
    `restarts` times (IPOP: Auger and Hansen 2005).

    Args:
        dim, seed, start: as for every `Search`.
        population: candidates per generation, at least 4. If not given, Hansen's 4 + 3 ln(dim), but at least 16 and
            rounded up to a multiple of 4: a generation is rendered as one batch, and small or ragged batches waste it.
        sigma: the first step size, a part of each knob's range. If not given, 0.2, which did better than 0.3 with 1500
            evaluations in 20 to 40 dimensions; beyond 40 it shrinks so that first steps do not grow with the knobs.
        restarts: how often to begin anew; each doubles the population, and so the memory that a batch takes.
    """

    name = "cma"

    def __init__(
        self,
        dim: int,
        *,
        seed: int,
        start: Tensor | None = None,
        population: int | None = None,
        sigma: float | None = None,
        restarts: int = 4,
    ) -> None:
        super().__init__(dim, seed=seed, start=start, population=population)
        if population is not None and population < SMALLEST:
            raise SettingsError(f"A population of {population} is too small.", hint="CMA-ES needs 4 or more.")
        if sigma is None:
            sigma = SIGMA * min(1.0, math.sqrt(SIGMA_DIM / dim))
        if not 0 < sigma <= 1:
            raise SettingsError(f"sigma = {sigma} is no step size.", hint="Give a part of the range, such as 0.2.")
        if restarts < 0:
            raise SettingsError(f"restarts = {restarts} is no count.", hint="Give 0 or more.")
        self._population = population or _default_population(dim)
        self._sigma = sigma
        self._restarts_left = restarts
        self._random = np.random.RandomState(seed)
        # pycma refuses one dimension: a second, idle knob keeps it company and is never shown.
        self._padded = max(dim, 2)
        self._strategy = self._begin(self._pad(self.start), sigma)
        self._asked: list[Any] = []
        self._begun = False
        self._finished: str | None = None

    def expect(self, std: Tensor) -> None:
        """Begin with steps that are small beside `std`, each knob with its own; restarts are anywhere, as ever."""
        self._strategy = self._begin(self._pad(self.start), FIRST_STEP, self._pad(std))

    def ask(self) -> Tensor:
        """The next generation: (population, dim)."""
        self._asked = self._strategy.ask()
        if not self._begun:
            self._asked[0] = self._pad(self.start)
            self._begun = True
        theta = torch.from_numpy(np.stack(self._asked)[:, : self.dim].astype(np.float32))
        return theta.clamp_(0, 1)  # rounding to float32 may leave the cube

    def tell(self, theta: Tensor, loss: Tensor) -> None:
        """Move and reshape the search distribution; begin anew when it has collapsed."""
        del theta  # pycma wants its own float64 rows back
        self._strategy.tell(self._asked, loss.double().tolist())
        if not self._strategy.stop():
            return
        if self._restarts_left == 0:
            self._finished = f"CMA-ES converged ({', '.join(self._strategy.stop())}) and had no restarts left."
            return
        self._restarts_left -= 1
        self._population *= 2
        self._strategy = self._begin(self._random.uniform(size=self._padded), self._sigma)

    @property
    def finished(self) -> str | None:
        """Which criterion ended the last restart."""
        return self._finished

    def _begin(self, mean: np.ndarray[Any, Any], sigma: float, stds: np.ndarray[Any, Any] | None = None) -> Any:
        options = {
            "bounds": [0, 1],
            "popsize": self._population,
            # Akimoto and Hansen 2020: about halves the loss after 1500 evaluations in 20 to 40 dimensions.
            "CMA_diagonal_decoding": 1,
            "tolx": 1e-6,  # a millionth of a knob's range is not audible
            "tolfunrel": 1e-7,  # below this a float32 loss is rounding noise
            "randn": self._random.randn,
            "seed": np.nan,  # otherwise pycma seeds numpy's global state
            "verbose": -10,  # no output, and no options read from the working folder
            "verb_log": 0,
        }
        return cma.CMAEvolutionStrategy(mean, sigma, options | ({} if stds is None else {"CMA_stds": stds}))

    def _pad(self, theta: Tensor) -> np.ndarray[Any, Any]:
        padded = np.full(self._padded, 0.5)
        padded[: self.dim] = theta.numpy()
        return padded


def _default_population(dim: int) -> int:
    return max(16, 4 * math.ceil((4 + 3 * math.log(dim)) / 4))
