"""The fxencoder: the published network to the last parameter, a small one, and weights in files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stito.data.fxnorm.normalize import normalize
from stito.demo import compose
from stito.effects.chain_files import load_chain
from stito.errors import AudioError, MissingFileError, UnknownNameError, WeightsError
from stito.models.encoder import distance
from stito.models.loading import load_encoder
from stito.models.weights import save_weights
from stito.testing import check_encoder
from stito_encoders.fxencoder import SHIPPED, FXencoder
from stito_encoders.waveform_net import Layer, WaveformNet

TINY = {"front": "spectral", "bands": 24, "width": 16, "depth": 2, "hidden": 32, "dim": 8}
RECTIFIED = {**TINY, "rectified": True}
SHALLOW = {"front": "waveform", "layers": [[8, 25, 4], [16, 10, 2]]}


def untrained(config: dict[str, object]) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FXencoder.network(config)


def saved(path: Path, config: dict[str, object], architecture: str = "fxencoder") -> Path:
    net = untrained(config)
    save_weights(path, net.state_dict(), {"architecture": architecture, "config": config})
    return path


def test_the_published_network_has_the_published_size() -> None:
    with torch.device("meta"):
        net = WaveformNet()
    assert sum(parameter.numel() for parameter in net.parameters()) == 81_392_682
    assert net.dim == 2048


def test_the_published_network_hears_two_and_a_half_seconds() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of few channels, some draws are all cut off by the ReLUs
        net = WaveformNet((Layer(4, 25, 4), Layer(4, 15, 2), Layer(4, 5, 1))).eval()
    reach = 1 + 24 + 24 + 4 * (14 + 14) + 8 * (4 + 4)  # both kernels of each block, at its input's stride
    x = torch.randn(1, 2, 4000, generator=torch.Generator().manual_seed(0)).requires_grad_()
    middle = net.blocks(x)[..., 250].sum()
    (gradient,) = torch.autograd.grad(middle, x)
    heard = gradient.abs().sum(1)[0].nonzero()
    assert int(heard.max() - heard.min()) + 1 <= reach
    assert int(heard.max() - heard.min()) + 1 > 0.8 * reach


@pytest.mark.parametrize("config", [TINY, RECTIFIED, SHALLOW], ids=["spectral", "rectified", "waveform"])
def test_weights_make_an_encoder_that_keeps_the_contract(tmp_path: Path, config: dict[str, object]) -> None:
    encoder = load_encoder(saved(tmp_path / "weights.safetensors", config))
    check_encoder(encoder)


def test_a_rectified_embedding_is_the_other_ones_positive_part() -> None:
    net, rectified = untrained(TINY).eval(), untrained(RECTIFIED).eval()
    rectified.load_state_dict(net.state_dict())
    x = torch.randn(2, 2, 44_100, generator=torch.Generator().manual_seed(4))
    assert net(x).min() < 0
    torch.testing.assert_close(rectified(x), net(x).clamp_min(0))


def test_a_file_is_an_encoder_by_its_path(tmp_path: Path) -> None:
    path = saved(tmp_path / "mine.safetensors", TINY)
    encoder = load_encoder(str(path))
    assert isinstance(encoder, FXencoder)
    assert encoder.dim == 8
    x = torch.randn(1, 2, 44_100, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(encoder.embed(x), untrained(TINY).eval()(x))


def test_longer_audio_of_one_texture_embeds_alike() -> None:
    net = untrained(TINY).eval()
    x = 0.1 * torch.randn(1, 2, 6 * 44_100, generator=torch.Generator().manual_seed(2))
    short, long = net(x[..., : 3 * 44_100]), net(x)
    assert torch.nn.functional.cosine_similarity(short, long).item() > 0.99


def test_swapping_channels_is_heard() -> None:
    net = untrained(TINY).eval()
    x = torch.randn(1, 2, 44_100, generator=torch.Generator().manual_seed(3)) * torch.tensor([[0.1], [0.02]])
    assert (net(x) - net(x.flip(1))).abs().max() > 1e-3


def test_what_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        load_encoder(tmp_path / "none.safetensors")
    other = saved(tmp_path / "other.safetensors", TINY, architecture="nothing_installed")
    with pytest.raises(UnknownNameError, match="nothing_installed"):
        load_encoder(other)
    net = untrained(TINY)
    misfit = tmp_path / "misfit.safetensors"
    save_weights(misfit, net.state_dict(), {"architecture": "fxencoder", "config": {**TINY, "width": 12}})
    with pytest.raises(WeightsError, match="misfit"):
        load_encoder(misfit)
    for config in ({"front": "spiral"}, {"front": "spectral", "colour": 1}):
        with pytest.raises(WeightsError):
            FXencoder.network(config)


def test_too_little_audio_is_refused(tmp_path: Path) -> None:
    encoder = load_encoder(saved(tmp_path / "weights.safetensors", TINY))
    with pytest.raises(AudioError, match=r"\.1 s|0\.1 s"):
        encoder.embed(torch.zeros(1, 2, 100))


@pytest.fixture(scope="module")
def shipped() -> FXencoder:
    return FXencoder()


def test_the_shipped_weights_keep_the_contract(shipped: FXencoder) -> None:
    check_encoder(shipped)


def test_the_shipped_weights_say_where_they_come_from(shipped: FXencoder) -> None:
    for key in ("data", "licences", "scores", "recipe"):
        assert shipped.header[key], key
    assert SHIPPED.stat().st_size < 30e6
    transfer, study = (shipped.header["scores"][name] for name in ("transfer", "disentanglement"))
    assert transfer["cma:fxencoder"]["left_right"] < transfer["match"]["left_right"] < transfer["input"]["left_right"]
    for other in ("features", "untrained"):
        for column, measured in study["fxencoder"]["table"].items():
            assert measured["dcimig"] > study[other]["table"][column]["dcimig"], (column, other)
        for subject, found in study["fxencoder"]["retrieval"].items():
            assert found["top1"] > study[other]["retrieval"][subject]["top1"], (subject, other)


@pytest.mark.parametrize("stem", ["drums", "other"])
def test_the_shipped_weights_hear_effects_rather_than_music(shipped: FXencoder, stem: str) -> None:
    """Two songs under one style are nearer than one song under two styles."""
    chain = load_chain("eq | compressor | imager")
    styles = (
        {"eq": {"low_gain_db": 9.0, "high_gain_db": -9.0}, "imager": {"width": 0.3}},
        {"eq": {"low_gain_db": -9.0, "high_gain_db": 9.0}, "compressor": {"threshold_db": -40.0, "ratio": 8.0}},
    )
    songs = [torch.from_numpy(compose(name, seconds=4.0)[stem].copy()) for name in ("night", "street")]
    songs = [normalize(song, stem) for song in songs]
    embedded = [
        [shipped.embed(chain.render_one(song, chain.settings(chain.encode(style)), 44_100)[None]) for style in styles]
        for song in songs
    ]
    for song in range(2):
        for style in range(2):
            same_style = distance(shipped, embedded[song][style], embedded[1 - song][style])
            same_song = distance(shipped, embedded[song][style], embedded[song][1 - style])
            assert same_style < same_song
