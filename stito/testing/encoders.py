"""The contract of encoders."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from stito.models.encoder import Encoder, Mirroring, MixEncoder, PartEncoder
from stito.testing.probe import ROWS, ContractError, probe

__all__ = ["check_encoder"]


def check_encoder(encoder: Encoder) -> None:
    """Hold an encoder to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: embeddings are float32 (b, dim); the same call twice is equal; a row of a batch equals that row alone;
    the input is not modified; finite on silence, at full scale and on half a second; the gradient to the input is
    finite; mirror images, where it embeds them, are those of audio whose channels are swapped. An encoder that embeds
    mixes too: what it embeds of a mix is (b, stems, dim) and finite; a silent stem is a missing stem, and the others
    are as they are without it; a mix of a batch equals that mix alone.
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
        if isinstance(encoder, Mirroring):
            each = torch.cat([embedding, encoder.embed(batch.flip(1))])
            apart = (encoder.embed_mirrored(batch) - each).abs().max().item()
            limit = 10 * ROWS * each.abs().max().item() + 1e-7
            require(apart <= limit, f"a mirror image differs from what is mirrored before by {apart:.2g}")
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
    if isinstance(encoder, MixEncoder):
        _check_mixes(encoder, encoder.dim, batch[:2], require)


def _check_mixes(encoder: MixEncoder, dim: int, x: Tensor, require: Callable[[bool, str], None]) -> None:
    """The rules of mixes, on two of them with all stems but the first, and with that one silent."""
    missing, *given = encoder.stems
    stems = {stem: (0.5 + 0.1 * index) * x.roll(1000 * index, -1) for index, stem in enumerate(given)}
    with torch.no_grad():
        mix = encoder.embed_mix(stems)
        shape, expected = tuple(mix.stems.shape), (len(x), len(encoder.stems), dim)
        require(shape == expected, f"the mixes become {shape}, not {expected}")
        require(bool(torch.isfinite(mix.stems).all()), "the embedding of a mix is not finite")
        require(
            mix.present.tolist() == [[False, *(True for _ in given)]] * len(x), "it does not know which stems are there"
        )
        silent = encoder.embed_mix({missing: torch.zeros_like(x), **stems})
        require(torch.equal(silent.present, mix.present), "a silent stem counts as there")
        limit = 10 * ROWS * mix.stems.abs().max().item() + 1e-7
        apart = (silent.stems - mix.stems).abs().max().item()
        require(apart <= limit, f"a silent stem moves the embedding of the others by {apart:.2g}")
        alone = encoder.embed_mix({stem: audio[:1] for stem, audio in stems.items()})
        apart = (alone.stems[0] - mix.stems[0]).abs().max().item()
        require(apart <= limit, f"a mix of a batch differs from that mix alone by {apart:.2g}")
        shared = {stem: audio[:1] for stem, audio in stems.items()}
        repeated = {stem: audio.expand(len(x), -1, -1).contiguous() for stem, audio in shared.items()}
        once, each = (encoder.embed_mix({missing: x, **others}) for others in (shared, repeated))
        require(once.stems.shape == each.stems.shape, "a stem of one row is not the same in all mixes")
        apart = (once.stems - each.stems).abs().max().item()
        require(apart <= limit, f"a stem of one row moves the embedding by {apart:.2g} against one that is repeated")
        if isinstance(encoder, PartEncoder):
            apart = (encoder.embed_part(missing, x, shared) - once.stems[:, 0]).abs().max().item()
            require(apart <= limit, f"a stem's part of a mix differs from the mix's by {apart:.2g}")
