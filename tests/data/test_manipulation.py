"""Manipulations of effects that nobody but the test knows: what there is to know of them, they declare."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stito import registry
from stito.data.manipulation import ManipulatedEffect, Manipulation, Specification, load_manipulator
from stito.effects.param import Param
from stito.errors import SettingsError, UnknownNameError


def squared(whole: Tensor, strength: Tensor) -> Tensor:
    return whole * strength**2


SPECIFICATION = Specification(
    {
        "wobble": ManipulatedEffect((Param("speed_hz", 1.0, 16.0, neutral=1.0, scale="log", depth=True),)),
        "crunch": ManipulatedEffect(
            (Param("amount", 0.0, 4.0, neutral=0.0), Param("tone", 0.0, 1.0, neutral=0.5)),
            weaken={"amount": squared, "follower": squared},
            keeps_level=False,
        ),
        "cave": ManipulatedEffect((Param("size", 0.0, 10.0, neutral=0.0),), reverberates=True),
    },
    {"wobble_first": ("wobble", "crunch")},
)


@pytest.fixture
def manipulation() -> Manipulation:
    """Two rows: all effects in their order, and wobble after crunch without a cave."""
    return Manipulation(
        SPECIFICATION,
        ("vocals", "drums"),
        {
            "wobble": torch.tensor([True, True]),
            "crunch": torch.tensor([True, True]),
            "cave": torch.tensor([True, False]),
        },
        {
            "wobble": {"speed_hz": torch.tensor([16.0, 4.0])},
            "crunch": {
                "amount": torch.tensor([4.0, 2.0]),
                "tone": torch.tensor([1.0, 0.0]),
                "follower": torch.tensor([8.0, 4.0]),
            },
            "cave": {"size": torch.tensor([10.0, 5.0])},
        },
        {"wobble_first": torch.tensor([True, False])},
    )


def test_depth_knobs_get_milder_along_their_scale_and_others_as_is_declared(manipulation: Manipulation) -> None:
    half = manipulation.milder(0.5).settings
    assert torch.allclose(half["wobble"]["speed_hz"], torch.tensor([4.0, 2.0])), "halfway between 1 and 16 is 4"
    assert torch.equal(half["crunch"]["amount"], torch.tensor([1.0, 0.5]))
    assert torch.equal(half["crunch"]["follower"], torch.tensor([2.0, 1.0]))
    assert torch.equal(half["crunch"]["tone"], manipulation.settings["crunch"]["tone"]), "no depth, and none declared"
    each = manipulation.milder(torch.tensor([0.0, 1.0]))
    assert torch.equal(each.settings["crunch"]["amount"], torch.tensor([0.0, 2.0]))
    assert [active.tolist() for active in each.active.values()] == [[False, True], [False, True], [False, False]]


def test_factors_are_the_declared_knobs_and_neutral_where_an_effect_is_off(manipulation: Manipulation) -> None:
    values, names = manipulation.vector()
    assert names == ("wobble.speed_hz", "crunch.amount", "crunch.tone", "cave.size")
    assert torch.allclose(values, torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.5, 0.5, 0.0, 0.0]]))


def test_a_description_has_the_effects_in_the_order_of_the_signal(manipulation: Manipulation) -> None:
    chains = [[entry["effect"] for entry in manipulation.describe(row)["chain"]] for row in (0, 1)]
    assert chains == [["wobble", "crunch", "cave"], ["crunch", "wobble"]]


def test_a_room_is_told_by_what_is_declared(manipulation: Manipulation) -> None:
    assert manipulation.reverberant().tolist() == [True, False]
    dry = Specification({"wobble": SPECIFICATION.effects["wobble"]})
    assert replace(manipulation, specification=dry).reverberant().tolist() == [False, False]


def test_rows_and_join_keep_what_was_drawn_from_and_it_can_be_sent(manipulation: Manipulation) -> None:
    turned = Manipulation.join([manipulation.rows([1]), manipulation.rows(slice(0, 1))])
    sent: Manipulation = pickle.loads(pickle.dumps(turned))
    assert sent.stems == ("drums", "vocals")
    assert torch.equal(sent.milder(0.5).vector()[0], manipulation.milder(0.5).vector()[0].flip(0))


def test_an_effect_is_taken_from_another(manipulation: Manipulation) -> None:
    mixed = manipulation.with_effect("cave", manipulation.rows([1, 0]))
    assert mixed.active["cave"].tolist() == [False, True]
    assert mixed.settings["cave"]["size"].tolist() == [5.0, 10.0]
    assert torch.equal(mixed.settings["wobble"]["speed_hz"], manipulation.settings["wobble"]["speed_hz"])


def test_a_manipulator_is_loaded_by_name_or_as_the_installed_default() -> None:
    name = registry.default("manipulator")
    assert name in registry.names("manipulator")
    default, named = load_manipulator(rooms=1), load_manipulator(name, rooms=1, sample_rate=48_000)
    assert type(default) is type(named)
    assert (default.sample_rate, named.sample_rate) == (44_100, 48_000)
    first = default.effects[0]
    assert load_manipulator(rooms=1, probabilities={first: 0.25}).probabilities[first] == 0.25
    assert default.with_probabilities({first: 0.75}).probabilities == default.probabilities | {first: 0.75}
    with pytest.raises(UnknownNameError, match="manipulator 'nobody'"):
        load_manipulator("nobody")
    with pytest.raises(SettingsError):
        load_manipulator(rooms=1, probabilities={first: 1.5})
