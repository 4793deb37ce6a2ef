"""The contract of encoders."""

from __future__ import annotations

import torch

from stito.models.encoder import Encoder
from stito.testing.probe import ROWS, ContractError, probe

__all__ = ["check_encoder"]


def check_encoder(encoder: Encoder) -> None:
    """Hold an encoder to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: embeddings are float32 (b, dim); the same call twice is equal; a row of a batch equals that row alone;
    the input is not modified; finite on silence, at full scale and on half a second; the gradient to the input is
    finite.
    """
    name = getattr(encoder, "name", type(encoder).__name__)

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The encoder '{name}' breaks its contract: {rule}.")

    x = probe(encoder.sample_rate, 3.0)
    batch = torch.cat([x, 0.3 * x.flip(-1), x.flip(1)])
    before = batch.clone()
    with torch.no_grad():
        embedding = encoder.embed(batch)
        shape = tuple(embedding.shape)
        require(shape == (3, encoder.dim), f"3 signals become {shape}, and dim is {encoder.dim}")
        require(embedding.dtype == torch.float32, f"embeddings are {embedding.dtype}, not float32")
        require(torch.equal(batch, before), "the input is modified")
        require(torch.equal(embedding, encoder.embed(batch)), "the same call twice gives two embeddings")
        for row in range(3):
            apart = (embedding[row] - encoder.embed(batch[row : row + 1])[0]).abs().max().item()
            limit = 10 * ROWS * embedding[row].abs().max().item() + 1e-7
            require(apart <= limit, f"row {row} of a batch differs from that row alone by {apart:.2g}")
        short = x[..., : encoder.sample_rate // 2]
        odd = {"silence": torch.zeros_like(x), "full scale": torch.sign(x), "half a second": short}
        for kind, audio in odd.items():
            require(bool(torch.isfinite(encoder.embed(audio)).all()), f"the embedding of {kind} is not finite")
    for kind, audio in {"music": x, "silence": torch.zeros_like(x)}.items():
        input_ = audio.clone().requires_grad_()
        output = encoder.embed(input_)
        require(output.requires_grad, "no gradient flows from the embedding to the audio")
        (gradient,) = torch.autograd.grad(output.sum(), input_)
        require(bool(torch.isfinite(gradient).all()), f"the gradient to the audio is not finite on {kind}")
