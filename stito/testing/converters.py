"""The contract of converters."""

from __future__ import annotations

import torch

from stito.models.converter import Converter, convert
from stito.testing.probe import ContractError, probe

__all__ = ["check_converter"]

BLOCKS = 10**-4.5
"""The largest deviation, relative to the peak, of audio converted in blocks: -90 dB."""


def check_converter(converter: Converter) -> None:
    """Hold a converter to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: styles are float32 (b, dim), audio keeps its shape; the same call twice is equal; a row of a batch equals
    that row alone; the input is not modified; finite on silence and at full scale; in blocks as in one piece, within
    -90 dB of the peak.
    """

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The converter '{converter.name}' breaks its contract: {rule}.")

    x = probe(converter.sample_rate, 3.0)
    batch = torch.cat([x, 0.3 * x.flip(-1)])
    before = batch.clone()
    with torch.no_grad():
        style = converter.embed(batch)
        require(style.dtype == torch.float32 and style.dim() == 2 and len(style) == 2, f"styles are {style.shape}")
        made = converter.render(batch, style.flip(0), style)
        require(made.shape == batch.shape, f"{tuple(batch.shape)} becomes {tuple(made.shape)}")
        require(torch.equal(batch, before), "the input is modified")
        require(torch.equal(made, converter.render(batch, style.flip(0), style)), "the same call twice differs")
        alone = converter.render(x, style[1:], style[:1])
        apart = float((made[0] - alone[0]).abs().max())
        require(
            apart <= BLOCKS * float(alone.abs().max()), f"a row of a batch differs from that row alone by {apart:.2g}"
        )
        for kind, audio in {"silence": torch.zeros_like(x), "full scale": torch.sign(x)}.items():
            rendered = converter.render(audio, style[1:], style[:1])
            require(bool(torch.isfinite(rendered).all()), f"the rendering of {kind} is not finite")
        long = torch.cat([x[0]] * (1 + converter.reach // x.shape[-1]), dim=-1)
        pieces, whole = (
            convert(converter, long, style[1], style[0], block=block) for block in (long.shape[-1] // 3, long.shape[-1])
        )
        apart = float((pieces - whole).abs().max())
        require(apart <= BLOCKS * float(whole.abs().max()), f"in blocks it differs by {apart:.2g}")
