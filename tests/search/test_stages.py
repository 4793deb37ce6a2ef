"""Searches in stages: one budget, one history, and whole thetas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stito.search import Budget, Search, StopReason, create
from stito.search.base import Step
from stito.search.objective import Objective
from stito.search.stages import Stage, minimise_in_stages

GOAL = torch.tensor([0.3, 0.8, 0.2, 0.6])


def stages(*knobs: list[int]) -> list[Stage]:
    """Stages that turn these knobs towards the goal, each with half of what is left."""
    objective = Objective(lambda theta: [theta], lambda rows: (rows[0] - GOAL).square().sum(1), torch.device("cpu"))
    return [Stage(f"{places}", lambda _: objective, torch.tensor(places, dtype=torch.long), 0.5) for places in knobs]


def make(stage: Stage, start: Tensor) -> Search:
    return create("cma", len(stage.knobs), seed=1, start=start)


def test_each_stage_turns_its_own_knobs_from_where_those_before_left_the_rest() -> None:
    seen: list[Step] = []
    start = torch.full((4,), 0.5)
    found = minimise_in_stages(stages([0, 2], [3]), start, make, budget=Budget(400), on_step=seen.append)
    assert torch.allclose(found.theta[[0, 2, 3]], GOAL[[0, 2, 3]], atol=0.02)
    assert found.theta[1] == 0.5, "nobody turns it"
    assert found.evaluations == seen[-1].evaluations == 200 + 100
    assert [step.loss for step in seen] == sorted((step.loss for step in seen), reverse=True)
    assert all(torch.equal(a.theta, b.theta) for a, b in zip(seen, found.history, strict=True))
    assert all(len(step.theta) == 4 for step in seen)


@pytest.mark.parametrize("evaluations", [1, 2, 5])
def test_a_budget_is_never_exceeded_and_empty_stages_cost_nothing(evaluations: int) -> None:
    found = minimise_in_stages(stages([], [0], [1], [2]), GOAL + 0.1, make, budget=Budget(evaluations))
    assert found.evaluations <= evaluations


def test_an_interrupted_stage_ends_all_and_keeps_what_was_found() -> None:
    def interrupt(step: Step) -> None:
        if step.evaluations > 50:
            raise KeyboardInterrupt

    found = minimise_in_stages(stages([0], [1]), GOAL + 0.1, make, budget=Budget(100), on_step=interrupt)
    assert found.stop is StopReason.INTERRUPTED
    assert 50 < found.evaluations < 75
    assert abs(float(found.theta[0]) - 0.3) < 0.05

    def broken(theta: Tensor) -> Objective:
        raise KeyboardInterrupt

    first, second = stages([0], [1])
    later = [first, Stage("later", broken, second.knobs, 1.0)]
    found = minimise_in_stages(later, GOAL + 0.1, make, budget=Budget(100))
    assert found.stop is StopReason.INTERRUPTED
    assert found.evaluations == 50
