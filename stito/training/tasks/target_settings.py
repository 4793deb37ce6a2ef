"""Settings that are known: what a random configuration of the FXmanipulator is in the knobs of a chain.

The two are close relatives and not the same: rooms, and the compressor's range, differ. So this only helps a predictor
on its way; what counts is how the result sounds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stito.data.fxmanipulator.manipulation import Manipulation
from stito.effects.chain import Chain, Knob

__all__ = ["known_settings"]

DEPTHS = ("gain_db", "pan", "width", "ratio", "mix")
"""Knobs (by the end of their name) that an effect which does nothing has at neutral; its others are anywhere."""


def known_settings(chain: Chain, manipulation: Manipulation) -> tuple[Tensor, Tensor]:
    """Theta (b, dim) of b configurations, and where it is known: 1 or 0, (b, dim)."""
    theta = chain.encode({}).repeat(len(manipulation), 1)
    known = torch.zeros_like(theta)
    for column, knob in enumerate(chain.knobs):
        value = _value(knob, manipulation)
        if value is None:
            continue
        active = manipulation.active[knob.label].cpu()
        placed = knob.param.to_unit(value.cpu().clamp(knob.param.low, knob.param.high))
        theta[:, column] = torch.where(active, placed, theta[:, column])
        known[:, column] = torch.ones_like(placed) if knob.param.name.endswith(DEPTHS) else active.float()
    return theta, known


def _value(knob: Knob, manipulation: Manipulation) -> Tensor | None:
    """The physical values (b,) that configurations have for a knob; None where they have no such knob."""
    settings = manipulation.settings.get(knob.label)
    if settings is None:
        return None
    if knob.label == "reverb" and knob.param.name == "mix":
        return 1 - settings["dry"]
    if knob.label == "reverb" and knob.param.name.startswith("decay"):
        return settings["decay_s"]
    return settings.get(knob.param.name)
