"""The contract of manipulators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from stito.testing.probe import ROWS, ContractError, probe

if TYPE_CHECKING:
    from stito.data.manipulation import Manipulator

__all__ = ["check_manipulator"]

MANIPULATIONS = 16
LEVEL = 1e-3
"""The largest relative change of the RMS level by an effect that keeps it."""


def check_manipulator(manipulator: Manipulator) -> None:
    """Hold a manipulator to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: each effect has a probability; the same seed draws the same, and probabilities do not move the settings
    that are drawn; factors lie in [0, 1]; rendering keeps shape and dtype, is finite, does not modify its input, and
    gives the same twice; a row of a batch equals that row alone; a row without effects, or with effects of no strength,
    is exactly the input; what is said to keep the level does.
    """

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The manipulator {type(manipulator).__name__} breaks its contract: {rule}.")

    effects, stems = manipulator.effects, ["vocals", "drums", "bass", "other"] * (MANIPULATIONS // 4)
    require(set(manipulator.probabilities) == set(effects), "its probabilities are not those of its effects")
    never, always = (manipulator.with_probabilities(dict.fromkeys(effects, p)) for p in (0.0, 1.0))
    rare, drawn, again = (it.sample(stems, np.random.default_rng(0)) for it in (never, always, always))
    require(tuple(drawn.specification.effects) == effects, "its specification is of other effects")
    settings = [[knob for of in it.settings.values() for knob in of.values()] for it in (rare, drawn, again)]
    require(all(map(torch.equal, settings[1], settings[2])), "the same seed draws other settings")
    require(all(map(torch.equal, settings[0], settings[1])), "probabilities move the settings that are drawn")
    factors, _ = drawn.vector()
    require(bool(((factors >= 0) & (factors <= 1)).all()), "a factor lies outside 0 to 1")
    x = 0.2 * probe(manipulator.sample_rate).repeat(len(stems), 1, 1)
    before = x.clone()
    y = manipulator.render(x, drawn)
    require(torch.equal(x, before), "the input is modified")
    require(y.shape == x.shape and y.dtype == x.dtype, f"{tuple(x.shape)} becomes {tuple(y.shape)} {y.dtype}")
    require(bool(torch.isfinite(y).all()), "the output is not finite")
    require(torch.equal(y, manipulator.render(x, drawn)), "the same call twice gives two outputs")
    for row in (0, len(stems) - 1):
        apart = float((manipulator.render(x[:1], drawn.rows([row]))[0] - y[row]).abs().max())
        require(apart <= 10 * ROWS * float(y.abs().max()), f"row {row} of a batch differs from it alone by {apart:.2g}")
    require(torch.equal(manipulator.render(x, rare), x), "rows without an effect are changed")
    require(torch.equal(manipulator.render(x, drawn.milder(0.0)), x), "effects of no strength do something")
    for effect, declared in drawn.specification.effects.items():
        one = manipulator.sample(stems, np.random.default_rng(1), only=effect)
        used = {name for name, active in one.active.items() if bool(active.any())}
        require(used == {effect}, f"of {effect} alone it draws {', '.join(sorted(used)) or 'nothing'}")
        if declared.keeps_level:
            now, then = (audio.square().mean((1, 2)).sqrt() for audio in (manipulator.render(x, one), x))
            require(bool(((now / then - 1).abs() < LEVEL).all()), f"{effect} does not keep the level")
