"""The mixfxcloner: the published network to the last parameter, a small one, and weights in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stito.data.fxnorm.normalize import normalize
from stito.demo import compose
from stito.effects.chain_files import load_chain
from stito.errors import AudioError, MissingFileError, UnknownNameError, WeightsError
from stito.metrics.spectral import multi_scale_spectral
from stito.models.converter import Conversion, convert
from stito.models.loading import load_converter
from stito.models.weights import load_weights, save_weights
from stito.testing import check_converter, probe
from stito_encoders.band_tcn import BandTCN
from stito_encoders.mixfxcloner import MixFXcloner
from stito_encoders.tcn import WaveformTCN

RATE = 44_100
FEATURES = 217
BANDS = {"front": "bands", "bands": 12, "width": 8, "blocks": 3, "kernel": 3, "hidden": 8, "rooms": [0.1, 0.3]}
WAVEFORM = {"front": "waveform", "width": 8, "blocks": 4, "kernel": 5}


def stirred(config: dict[str, Any], style: int) -> torch.nn.Module:
    """A network that does something, and has seen something."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = MixFXcloner.network(config, style)
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                parameter.mul_(0.01 if "film.weight" in name else 1.0).add_(0.01 * torch.randn_like(parameter))
        net.train()(probe(RATE, 1.0).expand(2, -1, -1), torch.randn(2, style), torch.randn(2, style))
    return net


def saved(path: Path, config: dict[str, Any], **changes: Any) -> Path:
    header = {"architecture": "mixfxcloner", "config": config, "encoders": [["features", ""]], **changes}
    save_weights(path, stirred(config, FEATURES).state_dict(), header, overwrite=True)
    return path


@pytest.fixture(params=[BANDS, WAVEFORM], ids=["bands", "waveform"])
def converter(request: pytest.FixtureRequest, tmp_path: Path) -> MixFXcloner:
    loaded = load_converter(saved(tmp_path / "weights.safetensors", request.param))
    assert isinstance(loaded, MixFXcloner)
    return loaded


def test_files_of_earlier_versions_load(tmp_path: Path) -> None:
    path = saved(tmp_path / "new.safetensors", BANDS)
    state, header = load_weights(path)
    old = {name.replace("conditioning.", "told."): tensor for name, tensor in state.items()}
    assert old.keys() != state.keys()
    save_weights(tmp_path / "old.safetensors", {f"net.{name}": tensor for name, tensor in old.items()}, header)
    x, style = probe(RATE, 0.5), torch.zeros(1, FEATURES)
    new, earlier = (MixFXcloner(file).render(x, style, style) for file in (path, tmp_path / "old.safetensors"))
    assert torch.equal(new, earlier)


def test_the_published_network_has_the_published_size_and_reach() -> None:
    with torch.device("meta"):
        net = WaveformTCN(2048)
    assert sum(parameter.numel() for parameter in net.parameters()) == 10_547_970
    assert 2 * net.reach + 1 == 229_363
    assert (2 * net.reach + 1) / RATE == pytest.approx(5.20, abs=0.005)


def test_a_sample_depends_on_what_is_within_reach_and_on_nothing_else() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = WaveformTCN(3, blocks=4, kernel=5, width=8).eval()
    with torch.no_grad():
        for values in net.out.parameters():
            values.mul_(1e-3)  # where the output is clamped it depends on nothing
    x = torch.randn(1, 2, 400, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(net(x, torch.ones(1, 3), torch.ones(1, 3))[..., 200].sum(), x)
    heard = gradient.abs().sum(1)[0].nonzero().flatten()
    assert int(heard.min()) == 200 - net.reach
    assert int(heard.max()) == 200 + net.reach


def test_it_keeps_the_contract(converter: MixFXcloner) -> None:
    check_converter(converter)


def test_it_does_as_the_reference_says(converter: MixFXcloner) -> None:
    x = probe(RATE, 1.0)
    one, other = (converter.embed(sound) for sound in (x, 0.05 * x.flip(1).cumsum(-1)))
    assert not torch.allclose(converter.render(x, one, one), converter.render(x, other, one), atol=1e-3)


@pytest.mark.parametrize("block", [30_000, 44_100, 100_000])
def test_the_size_of_a_block_changes_nothing(converter: MixFXcloner, block: int) -> None:
    x = probe(RATE, 4.0)[0]
    reference, own = converter.embed(0.1 * x[None].flip(-1))[0], converter.embed(x[None])[0]
    whole = convert(converter, x, reference, own)
    assert torch.equal(whole, converter.render(x[None], reference[None], own[None])[0])
    assert (convert(converter, x, reference, own, block=block) - whole).abs().max() < 10**-4.5 * whole.abs().max()


def test_the_small_network_begins_as_a_wire_with_a_trace_of_room() -> None:
    x = probe(RATE, 1.0)
    net = BandTCN(5, bands=12, width=8, blocks=2).eval()
    made = net(x, torch.zeros(1, 5), torch.zeros(1, 5))
    apart, silence = (multi_scale_spectral(sound, x).left_right for sound in (made, torch.zeros_like(x)))
    assert apart < 0.15 * silence


def test_the_small_network_knows_left_from_right() -> None:
    net = BandTCN(5, bands=12, width=8, blocks=2, rooms=[0.1]).eval()
    left = torch.cat([probe(RATE, 1.0)[:, :1], torch.zeros(1, 1, RATE)], dim=1)
    made = net(left, torch.zeros(1, 5), torch.zeros(1, 5))
    assert made[:, 1].abs().max() < 1e-4 * made[:, 0].abs().max()


def test_every_parameter_learns() -> None:
    net = stirred(BANDS, 4)
    out: Tensor = net(probe(RATE, 0.5).expand(2, -1, -1), torch.randn(2, 4), torch.randn(2, 4))
    out.square().sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(MissingFileError):
        load_converter(path)
    with pytest.raises(UnknownNameError):
        load_converter("no-such-converter")
    with pytest.raises(WeightsError, match="other weights of 'features'"):
        load_converter(saved(path, BANDS, encoders=[["features", "0" * 64]]))
    saved(path, BANDS)
    wider = {"architecture": "mixfxcloner", "config": {**BANDS, "width": 16}, "encoders": [["features", ""]]}
    save_weights(path, stirred(BANDS, FEATURES).state_dict(), wider, overwrite=True)
    with pytest.raises(WeightsError, match="size mismatch"):
        load_converter(path)
    with pytest.raises(WeightsError, match="no front"):
        MixFXcloner.network({"front": "tape"}, 3)
    with pytest.raises(WeightsError, match="does not take"):
        MixFXcloner.network({"front": "bands", "strings": 3}, 3)


def test_mono_is_refused(converter: MixFXcloner) -> None:
    style = torch.zeros(1, FEATURES)
    with pytest.raises(AudioError, match="stereo"):
        converter.render(torch.zeros(1, 1, RATE), style, style)


def test_the_shipped_weights_say_where_they_come_from_and_what_they_reach() -> None:
    shipped = load_converter("mixfxcloner")
    assert isinstance(shipped, MixFXcloner)
    for key in ("data", "licences", "scores", "recipe"):
        assert shipped.header[key], key
    for cases in ("normalised", "mixed"):
        found = shipped.header["scores"][cases]
        assert found["neural"]["left_right_reduction"] > 0.2
        assert found["neural"]["mid_side_reduction"] > 0.2


def test_the_shipped_converter_brings_songs_nearer_to_their_truth() -> None:
    """On songs that stito composes, unlike any that it has learnt from."""
    chain, converter = load_chain("eq | imager"), load_converter("mixfxcloner")
    dull = {"eq": {"high_gain_db": -12.0, "low_gain_db": 8.0}, "imager": {"width": 0.2}}
    settings = chain.settings(chain.encode(dull))
    apart = []
    for stem in ("drums", "other"):
        x, other = (
            normalize(torch.from_numpy(compose(name, seconds=6.0)[stem].copy()), stem) for name in ("night", "street")
        )
        truth, reference = (chain.render_one(sound, settings, RATE) for sound in (x, other))
        styles = (converter.embed(sound[None])[0] for sound in (reference, x))
        made = Conversion(converter, "mixfxcloner", *styles).render(x, RATE)
        level = (truth.square().mean() / made.square().mean()).sqrt()
        apart.append([sum(multi_scale_spectral(sound[None], truth[None])) for sound in (level * made, x)])
    after, before = torch.tensor(apart).mean(0)
    assert after < 0.9 * before


def test_levels_and_gains_are_those_of_full_precision_under_autocast() -> None:
    net = stirred(BANDS, 4)
    assert isinstance(net, BandTCN)
    x = probe(RATE, 0.5)
    dry, wet = net._spectra(x), net._spectra(net._in_rooms(x))
    controls = torch.rand(4 + 2 * len(net.rooms), dry.shape[-2], net.bands)
    exact = (net._levels(dry), *net._mixed(dry[0], wet[0], controls))
    with torch.autocast("cpu", torch.bfloat16):
        coarse = (net._levels(dry), *net._mixed(dry[0], wet[0], controls))
    for found, wanted in zip(coarse, exact, strict=True):
        torch.testing.assert_close(found, wanted)
