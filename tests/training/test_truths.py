"""Transfers with a known truth to learn from: what an example is, and what its distance measures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
import torch
from lightning_fabric import Fabric

from stito.data.fxmanipulator.impulses import Impulses
from stito.data.fxmanipulator.manipulator import Manipulator
from stito.training.devices import make_fabric
from stito.training.recipe import parse_recipe
from stito.training.tasks.supplies import Supplies
from stito.training.tasks.truths import Truths
from training.toys import Noise

RATE = 44_100
RECIPE = """
name = "toy"
[batch]
groups = 2
configurations = 3
contents = 2
min_seconds = 0.3
max_seconds = 0.3
level_jitter_db = 6.0
[validation]
batches = 1
groups = 1
configurations = 2
seconds = 0.3
"""


def truths(mixed: float = 0.0, mild: float = 0.0, fabric: Fabric | None = None) -> Truths:
    """Of noise, in a few short rooms."""
    rooms = Impulses.synthetic(RATE, count=2)
    supplies = Supplies(Noise(), Noise(), lambda p: Manipulator(rooms, probabilities=p), fabric or make_fabric("cpu"))
    return Truths(parse_recipe(RECIPE), supplies, mixed=mixed, mild=mild)


def test_each_clip_is_a_truth_and_the_reference_of_its_neighbour() -> None:
    the_truths = truths()
    arrivals = the_truths._arrivals(the_truths._train, ("training", 3))
    drawn = arrivals.drawn
    examples = the_truths.rendered(arrivals)
    groups, configurations, contents = drawn.shape
    assert examples.pairs().shape[:3] == (groups * configurations * contents, 2, 2)
    assert len(examples.truth) == 12
    # input: the content, turned up or down; truth: that content at its own level, under the settings of its row
    for row in range(12):
        group, setting, content = row // 6, row // 2, row % 2
        place = group * contents + content
        assert torch.equal(examples.source[row], drawn.audio[place] * drawn.gain[place])
        alone = the_truths._train.manipulator.render(drawn.audio[place][None], drawn.manipulation.rows([setting]))
        assert torch.allclose(examples.truth[row], alone[0], atol=1e-5)
    # the reference is the other content's truth
    neighbours = examples.truth.view(6, 2, 2, -1).flip(1).flatten(0, 1)
    assert torch.equal(examples.reference, neighbours)


def test_inputs_may_arrive_with_effects_of_their_own() -> None:
    plain, mixed = truths(), truths(mixed=0.5)
    before, after = (t.rendered(t._arrivals(t._train, ("training", 3))) for t in (plain, mixed))
    assert torch.equal(before.truth, after.truth)
    changed = (before.source != after.source).flatten(1).any(1)
    assert 0 < changed.sum() < len(changed)
    ratio = after.source.square().mean((1, 2)) / before.source.square().mean((1, 2))
    assert torch.allclose(ratio, torch.ones_like(ratio), atol=1e-3)  # the level is the level's business


def test_some_effects_may_be_milder() -> None:
    plain, mild = truths(mixed=1.0), truths(mixed=1.0, mild=0.5)
    before, after = (t.rendered(t._arrivals(t._train, ("training", 3))) for t in (plain, mild))
    milder = (before.truth != after.truth).flatten(1).any(1)
    assert 0 < milder.sum() < len(milder)
    assert (before.source != after.source).any(), "their own ones too"
    less, more = (examples.effects.settings["eq"]["mid_gain_db"].abs() for examples in (after, before))
    assert (less[milder] < more[milder]).all()


def test_two_processes_draw_the_halves_of_what_one_draws() -> None:
    """Contents, effects, their strengths, and the effects with which inputs arrive."""
    halves = [SimpleNamespace(global_rank=rank, world_size=2, device=torch.device("cpu")) for rank in range(2)]
    alone, *together = (
        t.rendered(t._arrivals(t._train, ("training", 3)))
        for t in (truths(0.5, 0.5, cast(Fabric, fabric)) for fabric in (make_fabric("cpu"), *halves))
    )
    for name in ("reference", "source", "truth"):
        joined = torch.cat([getattr(half, name) for half in together])
        assert torch.allclose(joined, getattr(alone, name), atol=1e-6), name
    first, second = together
    assert not torch.equal(first.effects.vector()[0], second.effects.vector()[0])


def test_validations_compare_at_the_same_frames_and_leave_torchs_own_generator_alone() -> None:
    the_truths = truths()
    before = torch.get_rng_state()
    first = the_truths.validate(lambda examples: examples.source.flip(-1))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert the_truths.validate(lambda examples: examples.source.flip(-1)) == first


def test_the_distance_does_not_hear_the_level() -> None:
    the_truths = truths()
    examples = the_truths.rendered(the_truths.prepare(0))
    assert examples.distance(0.1 * examples.truth).max() < 1e-4
    torch.manual_seed(0)
    loud = examples.distance(examples.source)
    torch.manual_seed(0)
    assert torch.allclose(examples.distance(3 * examples.source), loud, atol=1e-4)
    assert loud.max() > 0.05


def test_validation_measures_the_reduction_of_the_distance() -> None:
    the_truths = truths()
    nothing, scores = the_truths.validate(lambda examples: examples.source)
    assert nothing == pytest.approx(0, abs=0.05)  # at other frames
    everything, found = the_truths.validate(lambda examples: 0.5 * examples.truth)
    assert everything == pytest.approx(1, abs=1e-3)
    assert found["drums.reduction_percent"] == pytest.approx(100, abs=0.1)
    assert (
        set(scores)
        == set(found)
        == {f"{stem}.{what}" for stem in ("drums", "vocals") for what in ("distance", "reduction_percent")}
    )
