"""Params: the map between theta and physical values, and what a knob accepts."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stito.effects.param import Param
from stito.errors import SettingsError

LOG = Param("cutoff_hz", 20.0, 20_000.0, neutral=1000.0, scale="log")
LINEAR = Param("gain_db", -24.0, 12.0, neutral=0.0)


@st.composite
def params(draw: st.DrawFn) -> Param:
    low = draw(st.floats(-1e4, 1e4))
    high = low + draw(st.floats(1e-2, 1e4))
    scale = draw(st.sampled_from(["linear", "log"])) if low > 1e-2 else "linear"
    return Param("knob", low, high, neutral=low, scale=scale)


@given(params(), st.floats(0, 1))
def test_theta_to_value_and_back(param: Param, u: float) -> None:
    value = param.from_unit(u)
    slack = 1e-9 * max(1.0, abs(param.low), abs(param.high))
    assert param.low - slack <= value <= param.high + slack
    assert param.to_unit(value) == pytest.approx(u, abs=1e-5)


@given(params(), st.floats(0, 1), st.floats(0, 1))
def test_more_theta_is_more_value(param: Param, a: float, b: float) -> None:
    assert param.from_unit(min(a, b)) <= param.from_unit(max(a, b))


def test_tensors_and_floats_agree() -> None:
    places = torch.linspace(0, 1, 7, dtype=torch.float64)
    for param in (LOG, LINEAR):
        assert param.from_unit(places).tolist() == pytest.approx([param.from_unit(float(u)) for u in places])
        assert param.to_unit(param.from_unit(places)).tolist() == pytest.approx(places.tolist())


def test_log_scale_has_equal_ratios() -> None:
    assert LOG.from_unit(0.5) == pytest.approx(math.sqrt(20 * 20_000))


@pytest.mark.parametrize(("name", "unit"), [("gain_db", "dB"), ("cutoff_hz", "Hz"), ("attack_ms", "ms"), ("mix", "")])
def test_unit_is_read_off_the_name(name: str, unit: str) -> None:
    assert Param(name, 0.0, 1.0, neutral=0.0).unit == unit


@pytest.mark.parametrize("value", [math.nan, math.inf, -24.1, 12.1, "loud"])
def test_values_that_a_knob_cannot_have(value: object) -> None:
    with pytest.raises(SettingsError):
        LINEAR.check(value)  # type: ignore[arg-type]


def test_narrowed_moves_the_neutral_value_inside() -> None:
    narrow = LINEAR.narrowed(3, 6)
    assert (narrow.low, narrow.high, narrow.neutral) == (3, 6, 3)
    with pytest.raises(SettingsError):
        LINEAR.narrowed(6, 3)
    with pytest.raises(SettingsError, match="outside"):
        LINEAR.narrowed(-100, 0)


@pytest.mark.parametrize(
    "arguments",
    [("a", 1.0, 1.0, 1.0), ("a", 0.0, 1.0, 2.0), ("a", 0.0, math.inf, 0.0)],
)
def test_params_that_cannot_be(arguments: tuple[str, float, float, float]) -> None:
    with pytest.raises(SettingsError):
        Param(*arguments)


def test_log_needs_a_positive_range() -> None:
    with pytest.raises(SettingsError, match="log"):
        Param("a_hz", 0.0, 1.0, neutral=0.0, scale="log")
