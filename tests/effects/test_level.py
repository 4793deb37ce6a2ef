"""What effects declare of the level: settings that say the same, sound the same."""

from __future__ import annotations

import pytest
import torch

from stito import registry
from stito.effects.chain_files import load_chain
from stito.effects.effect import Effect, LinearEffect
from stito.effects.param import as_batch
from stito.engine.equivalence import with_level_moved

RATE = 44_100
EFFECTS: dict[str, type[Effect]] = {name: registry.load("effect", name) for name in registry.names("effect")}


def bursts() -> torch.Tensor:
    """Noise that swells four times, (1, 2, t)."""
    noise = torch.randn(1, 2, RATE // 2, generator=torch.Generator().manual_seed(1))
    return 0.3 * noise * torch.linspace(0, 4 * torch.pi, RATE // 2).sin().abs()


@pytest.mark.parametrize("name", [name for name, effect in EFFECTS.items() if effect.thresholds])
def test_thresholds_go_with_the_level(name: str) -> None:
    effect, x = EFFECTS[name](), bursts()
    settings = {param.name: param.from_unit(0.7 if param.name in effect.thresholds else 0.3) for param in effect.params}
    lower = {**settings, **{knob: settings[knob] - 6.0 for knob in effect.thresholds}}
    factor = 10 ** (-6 / 20)
    loud = effect.process(x, as_batch(settings), RATE)
    soft = effect.process(factor * x, as_batch(lower), RATE)
    assert float((loud - x).abs().max()) > 0.01, "it works"
    assert torch.allclose(soft, factor * loud, atol=2e-4)


@pytest.mark.parametrize("name", [name for name, effect in EFFECTS.items() if effect.level])
def test_the_level_knob_is_a_gain_in_db(name: str) -> None:
    effect, x = EFFECTS[name](), bursts()
    assert effect.level is not None
    out = effect.process(x, as_batch({**effect.neutral(), effect.level: -6.0}), RATE)
    assert torch.allclose(out, 10 ** (-6 / 20) * x, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, effect in EFFECTS.items() if effect.bands])
def test_a_band_without_gain_does_nothing(name: str) -> None:
    effect, x = EFFECTS[name](), bursts()
    assert isinstance(effect, LinearEffect)
    assert {knob for band in effect.bands for knob in band} == {param.name for param in effect.params}
    depths = {param.name for param in effect.params if param.depth}
    assert {band[0] for band in effect.bands} == depths
    settings = {param.name: param.neutral if param.name in depths else param.from_unit(0.8) for param in effect.params}
    assert torch.allclose(effect.process(x, as_batch(settings), RATE), x, atol=1e-4)


@pytest.mark.parametrize("text", ["eq | compressor | gain", "gain | compressor | eq"])
def test_level_moves_to_the_gain_through_a_compressor(text: str) -> None:
    chain, x = load_chain(text), bursts()[0]
    settings = chain.settings(chain.encode({"compressor": {"threshold_db": -30.0, "ratio": 4.0}}))
    before = chain.render_one(x, settings, RATE)
    # the equaliser has done 6 dB that the gain is to do: without them in front of it, thresholds are lower by 6 dB
    moved = with_level_moved(chain, settings, "eq", 6.0)
    sign = 1 if text.startswith("eq") else -1
    assert moved["gain"]["gain_db"] == 6.0
    assert moved["compressor"]["threshold_db"] == pytest.approx(-30.0 - sign * 6.0)
    out = chain.render_one(x * 10 ** (-sign * 6 / 20), moved, RATE) if sign > 0 else chain.render_one(x, moved, RATE)
    expected = before if sign > 0 else before * 10 ** (6 / 20)
    assert torch.allclose(out, expected, atol=5e-4)
