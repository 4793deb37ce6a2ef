"""A bench of toys, and what is measured on it."""

from __future__ import annotations

from typing import cast

import pytest

from evaluation.toys import Louder, Noise, toy_encoders
from stito.data.fxmanipulator.manipulator import Manipulator
from stito.evaluation.encoders.cases import Bench, Plan
from stito.evaluation.encoders.disentanglement import Disentanglement, measure_disentanglement


@pytest.fixture
def bench() -> Bench:
    """Toy encoders, small enough for a test."""
    plan = Plan(segments=4, configurations=3, seeds=2, seconds=0.5)
    return Bench(toy_encoders("effects", "music", "both"), Noise(), cast(Manipulator, Louder()), plan)


@pytest.fixture(scope="session")
def measured() -> tuple[Bench, Disentanglement]:
    """A bench, and what it measured: two encoders that should score well and one that should not."""
    plan = Plan(segments=10, configurations=5, seeds=2, seconds=0.5)
    bench = Bench(toy_encoders("selective", "music", "both"), Noise(), cast(Manipulator, Louder()), plan)
    return bench, measure_disentanglement(bench, subjects=["multitrack", "vocals"], effects=["gain"])
