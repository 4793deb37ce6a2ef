"""Target settings: what random configurations of the FXmanipulator are in the knobs of a chain.

Each effect says it of itself (`Effect.target_settings`). The two are close relatives and not the same: rooms, and the
compressor's range, differ. So this only helps a predictor on its way; what counts is how the result sounds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stito.data.manipulation import Manipulation
from stito.effects.chain import Chain

__all__ = ["target_settings"]


def target_settings(chain: Chain, manipulation: Manipulation) -> tuple[Tensor, Tensor]:
    """Theta (b, dim) of b configurations, and where it is known: 1 or 0, (b, dim).

    Of an effect that is not active, only its depth is known: neutral.
    """
    theta = chain.encode({}).repeat(len(manipulation), 1)
    known = torch.zeros_like(theta)
    targets = {
        slot.label: slot.effect.target_settings(manipulation.settings[slot.effect.name])
        for slot in chain.slots
        if slot.effect.name in manipulation.settings
    }
    effects = {slot.label: slot.effect.name for slot in chain.slots}
    for column, knob in enumerate(chain.knobs):
        value = targets.get(knob.label, {}).get(knob.param.name)
        if value is None:
            continue
        active = manipulation.active[effects[knob.label]].cpu()
        placed = knob.param.to_unit(value.cpu().clamp(knob.param.low, knob.param.high))
        theta[:, column] = torch.where(active, placed, theta[:, column])
        known[:, column] = torch.ones_like(placed) if knob.param.depth else active.float()
    return theta, known
