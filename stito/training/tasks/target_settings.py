"""Target settings: the knobs of a chain that correspond to random configurations of the FXmanipulator.

Each effect translates its own (`Effect.target_settings`). The effects of the two are similar, not equal: rooms, and the
compressor's range, differ. So target settings only support a predictor's training; what counts is how the result
sounds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stito.data.fxmanipulator.manipulation import Manipulation
from stito.effects.chain import Chain

__all__ = ["target_settings"]


def target_settings(chain: Chain, manipulation: Manipulation) -> tuple[Tensor, Tensor]:
    """Target settings of b configurations, as theta.

    Returns:
        Theta (b, dim), and a mask (b, dim): 1 where a knob has a target, else 0. An effect that is not active has a
        target for its depth alone: neutral.
    """
    theta = chain.encode({}).repeat(len(manipulation), 1)
    has_target = torch.zeros_like(theta)
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
        has_target[:, column] = torch.ones_like(placed) if knob.param.depth else active.float()
    return theta, has_target
