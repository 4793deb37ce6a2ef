"""Places to start from, and how far they are."""

from __future__ import annotations

import torch
from torch import Tensor

from stito.engine.starts import Problem
from stito.search.objective import Objective


def test_each_start_is_measured_once() -> None:
    rendered: list[int] = []

    def candidates(theta: Tensor) -> list[Tensor]:
        rendered.extend([1] * len(theta))
        return [theta]

    objective = Objective(candidates, lambda excerpts: excerpts[0].sum(-1), torch.device("cpu"))
    starts = {"neutral": torch.tensor([0.5]), "match": torch.tensor([0.25]), "predict": torch.tensor([0.75])}
    problem = Problem(objective, None, starts)
    assert problem.distance("neutral") == 0.5
    assert len(rendered) == 1
    assert problem.distances(["neutral", "predict"]) == [0.5, 0.75]
    assert len(rendered) == 2
    assert problem.choose("auto") == "match"
    assert problem.choose("predict") == "predict"
    assert len(rendered) == 3
