"""The weightless encoder: what moves its embedding, and what does not."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from stito.errors import AudioError
from stito.models.encoder import Encoder, distance
from stito_encoders.features import DIM, GROUPS, Features

RATE = 44_100
ENCODER = Features()


def noise(seed: int, seconds: float) -> torch.Tensor:
    return torch.randn(2, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def groove(seed: int, seconds: float = 4.0) -> torch.Tensor:
    """A loop of notes and hits (1, 2, t): the seed chooses pitches and places, the sound is of one kind."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(round(seconds * RATE)) / RATE
    out = 0.002 * noise(seed + 100, seconds)
    for step in range(int(seconds * 4)):
        age = t - step / 4
        pitch = 110 * 2 ** (int(torch.randint(0, 12, (), generator=generator)) / 12)
        tone = sum(torch.sin(2 * math.pi * pitch * k * age) / k for k in range(1, 12))
        hit = torch.randn(t.shape[0], generator=generator) * torch.exp(-60 * age.clamp_min(0))
        pan = 0.5 + 0.3 * (torch.rand((), generator=generator) - 0.5)
        note = (age >= 0) * (0.15 * tone * torch.exp(-9 * age.clamp_min(0)) + 0.1 * hit)
        out = out + torch.stack([1 - pan, pan])[:, None] * note
    return out[None]


def gained(x: torch.Tensor, db: float) -> torch.Tensor:
    return x * 10 ** (db / 20)


def tilted(x: torch.Tensor, db_per_octave: float) -> torch.Tensor:
    spectrum = torch.fft.rfft(x)
    octave = torch.log2(torch.linspace(0, RATE / 2, spectrum.shape[-1]).clamp_min(20) / 1000)
    return torch.fft.irfft(spectrum * 10 ** (db_per_octave * octave / 20), n=x.shape[-1])


def compressed(x: torch.Tensor, ratio: float) -> torch.Tensor:
    """Static compression of a 23 ms envelope, brought back to the level it had."""
    loudest = torch.nn.functional.max_pool1d(x.abs().amax(1, keepdim=True), 1001, 1, 500)
    envelope = torch.nn.functional.avg_pool1d(loudest, 1001, 1, 500, count_include_pad=False)
    gain = (envelope / (0.05 * envelope.amax())).clamp_min(1) ** (1 / ratio - 1)
    return x * gain * (x.square().mean() / (x * gain).square().mean()).sqrt()


def widened(x: torch.Tensor, amount: float) -> torch.Tensor:
    mid, side = x.mean(1, keepdim=True), (x[:, :1] - x[:, 1:]) / 2
    return torch.cat([mid + amount * side, mid - amount * side], dim=1)


def reverberated(x: torch.Tensor, wet: float) -> torch.Tensor:
    t = torch.arange(RATE) / RATE
    response = noise(7, 1.0) * 10 ** (-3 * t)
    response = response / response.square().sum(-1, keepdim=True).sqrt()
    n = x.shape[-1] + RATE
    tail = torch.fft.irfft(torch.fft.rfft(x, n=n) * torch.fft.rfft(response, n=n), n=n)[..., : x.shape[-1]]
    return x + wet * tail


EFFECTS: list[tuple[Callable[[torch.Tensor, float], torch.Tensor], tuple[float, ...]]] = [
    (gained, (1, 3, 6, 12)),
    (gained, (-1, -3, -6, -12)),
    (tilted, (0.5, 1, 2, 4)),
    (tilted, (-0.5, -1, -2, -4)),
    (compressed, (1.3, 2, 4, 10)),
    (widened, (1.3, 2, 4, 8)),
    (widened, (0.8, 0.5, 0.2, 0)),
    (reverberated, (0.05, 0.1, 0.3, 1)),
]


def embed(x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return ENCODER.embed(x)


def test_it_is_an_encoder() -> None:
    assert isinstance(ENCODER, Encoder)
    assert embed(groove(0)).shape == (1, ENCODER.dim)
    assert sum(group.dims for group in GROUPS.values()) == ENCODER.dim == DIM


@pytest.mark.parametrize(("effect", "amounts"), EFFECTS, ids=lambda part: getattr(part, "__name__", None))
def test_more_of_an_effect_is_farther(
    effect: Callable[[torch.Tensor, float], torch.Tensor], amounts: tuple[float, ...]
) -> None:
    x = groove(0)
    embedded = embed(torch.cat([effect(x, amount) for amount in amounts]))
    values = distance(ENCODER, embedded, embed(x)).tolist()
    assert values == sorted(values)
    assert values[0] > 0.03  # a step that one can just hear
    assert values[-1] > 0.6  # a strong effect


def test_content_moves_it_less_than_a_strong_effect() -> None:
    contents = torch.cat([groove(seed) for seed in range(5)])
    plain = embed(contents)
    pairs = torch.cat([distance(ENCODER, plain, plain[k : k + 1])[k + 1 :] for k in range(5)])
    strong = [
        distance(ENCODER, embed(torch.cat([effect(x[None], amounts[-1]) for x in contents[:2]])), plain[:2])
        for effect, amounts in EFFECTS
    ]
    assert float(pairs.mean()) < 0.5 * float(torch.stack(strong).mean())


def test_the_processing_is_recognised_on_other_content() -> None:
    contents = torch.cat([groove(seed) for seed in range(2)])
    styles = [embed(torch.cat([effect(x[None], amounts[-1]) for x in contents])) for effect, amounts in EFFECTS[2:]]
    first, second = (torch.stack([style[k] for style in styles]) for k in range(2))
    apart = torch.stack([distance(ENCODER, first, row[None]) for row in second])
    assert apart.argmin(1).tolist() == list(range(len(styles)))


def test_length_does_not_matter_on_one_texture() -> None:
    loop = groove(0, 4.0)
    once, twice = embed(loop), embed(torch.cat([loop, loop], dim=-1))
    assert float(distance(ENCODER, once, twice)) < 0.1
    short, long = embed(0.1 * noise(0, 4.0)[None]), embed(0.1 * noise(1, 8.0)[None])
    assert float(distance(ENCODER, short, long)) < 0.25  # what chance leaves in the slopes of noise


def test_distances_are_weighted_means_over_groups() -> None:
    # 4 LU are two units of loudness, and gain moves nothing else
    share = GROUPS["loudness"].weight / sum(group.weight for group in GROUPS.values())
    found = distance(ENCODER, embed(gained(groove(0), 4)), embed(groove(0)))
    assert float(found) == pytest.approx(2 * math.sqrt(share), rel=0.02)


def test_it_is_deterministic_and_a_row_is_the_same_alone() -> None:
    x = torch.cat([groove(0), torch.zeros(1, 2, 4 * RATE), groove(1)])
    together = embed(x)
    assert torch.equal(together, embed(x))
    torch.testing.assert_close(together[2:], embed(x[2:]), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(1, 2, RATE),
        torch.ones(1, 2, RATE),
        noise(0, 1.0).sign()[None],
        1e-6 * noise(0, 1.0)[None],
        torch.cat([groove(0, 1.0)[:, :1], torch.zeros(1, 1, RATE)], dim=1),
        groove(0, 1.0)[:, :1].expand(-1, 2, -1),
        groove(0, 0.12),
    ],
    ids=["silence", "constant", "full scale", "very soft", "hard left", "mono", "short"],
)
def test_embedding_and_gradients_are_finite(x: torch.Tensor) -> None:
    x = x.clone().requires_grad_()
    found = ENCODER.embed(x)
    found.square().sum().backward()
    assert torch.isfinite(found).all()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_the_gradient_leads_back_to_the_level() -> None:
    x = groove(0)
    target = embed(gained(x, 6))
    db = torch.zeros((), requires_grad=True)
    for _ in range(8):
        loss = distance(ENCODER, ENCODER.embed(x * 10 ** (db / 20)), target).square()
        (slope,) = torch.autograd.grad(loss.sum(), db)
        db = (db - slope / (2 * (1 / 2.0) ** 2 * GROUPS["loudness"].weight / 13)).detach().requires_grad_()
    assert db.item() == pytest.approx(6, abs=0.3)


def test_float64_agrees() -> None:
    x = groove(0)
    torch.testing.assert_close(embed(x.double()).float(), embed(x), atol=2e-2, rtol=1e-3)


def test_too_short_is_refused() -> None:
    with pytest.raises(AudioError, match=r"\.1 s"):
        ENCODER.embed(torch.zeros(1, 2, 100))
