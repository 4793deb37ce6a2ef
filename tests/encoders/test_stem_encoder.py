"""The stem encoder: one stem or a whole mix, what is missing takes no part, and each way of conditioning."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stito.errors import AudioError, UnknownNameError, WeightsError
from stito.models.encoder import FaultFinder, MixEncoder, TrainedEncoder
from stito.models.loading import load_encoder
from stito.models.stem_batch import MixEmbedding, StemBatch, mix_distance
from stito.models.weights import save_weights
from stito.testing import check_encoder
from stito_encoders.mixing_families import FAMILIES, family_dims, mixing_families
from stito_encoders.stem import StemEncoder
from stito_encoders.stem_transformer import StemTransformer, _Usual

RATE = 44_100
TINY = {"bands": 32, "dim": 16, "depth": 1, "heads": 2, "hidden": 16}
TARGETS = ["collapse:width-", "gain:gain_db+", "gain:gain_db-"]
FAULTS = ["collapse", "gain"]


def saved(path: Path, **changes: object) -> Path:
    config = {**TINY, **changes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = StemEncoder.network(config)
        head = torch.nn.Linear(net.dim, len(TARGETS))
    state = {f"net.{name}": value for name, value in net.state_dict().items()}
    state |= {f"head.{name}": value for name, value in head.state_dict().items()}
    save_weights(path, state, {"architecture": "stem", "config": config, "faults": TARGETS})
    return path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> StemEncoder:
    loaded = load_encoder(saved(tmp_path_factory.mktemp("stem") / "tiny.safetensors"))
    assert isinstance(loaded, StemEncoder)
    return loaded


def noise(seed: int, rows: int = 2, seconds: float = 1.0) -> Tensor:
    return 0.1 * torch.randn(rows, 2, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def mix() -> dict[str, Tensor]:
    return {"vocals": noise(0), "drums": noise(1), "other": 0.3 * noise(2)}


@pytest.mark.parametrize(
    "changes",
    [{}, {"mechanism": "prepend"}, {"mechanism": "cross-attention"}, {"families": ["stereo"]}, {"families": []}],
    ids=str,
)
def test_every_way_of_conditioning_keeps_the_contract(tmp_path: Path, changes: dict[str, object]) -> None:
    check_encoder(load_encoder(saved(tmp_path / "weights.safetensors", **changes)))


def test_it_declares_what_it_can_do(encoder: StemEncoder) -> None:
    assert isinstance(encoder, TrainedEncoder)
    assert isinstance(encoder, MixEncoder)
    assert isinstance(encoder, FaultFinder)
    assert encoder.stems == ("vocals", "drums", "bass", "other")


def test_a_mix_is_its_stems_side_by_side(encoder: StemEncoder, mix: dict[str, Tensor]) -> None:
    embedded = encoder.embed_mix(mix)
    assert embedded.vector.shape == (2, 4 * encoder.dim)
    assert embedded.present.tolist() == [[True, True, False, True]] * 2
    assert float(embedded.stems[:, 2].abs().max()) == 0
    alone = encoder.embed_mix({name: x[1:] for name, x in mix.items()})
    torch.testing.assert_close(alone.vector[0], embedded.vector[1], atol=1e-4, rtol=1e-4)


def test_a_silent_stem_is_a_missing_stem(encoder: StemEncoder, mix: dict[str, Tensor]) -> None:
    silent = encoder.embed_mix({**mix, "bass": torch.zeros_like(mix["drums"])})
    missing = encoder.embed_mix(mix)
    assert torch.equal(silent.present, missing.present)
    torch.testing.assert_close(silent.vector, missing.vector)
    with pytest.raises(AudioError, match="silent"):
        encoder.embed_mix({"bass": torch.zeros(1, 2, RATE)})


def test_a_stem_is_seen_against_the_others(encoder: StemEncoder, mix: dict[str, Tensor]) -> None:
    before = encoder.embed_mix(mix)
    louder = encoder.embed_mix({**mix, "drums": 4 * mix["drums"]})
    apart = (before.stems - louder.stems).abs().amax((0, 2))
    assert (apart[torch.tensor([0, 1, 3])] > 1e-3).all()


def test_a_stem_of_one_row_is_the_same_in_all_mixes(encoder: StemEncoder, mix: dict[str, Tensor]) -> None:
    shared = {**mix, "drums": mix["drums"][:1]}
    batch = StemBatch.of_mix(shared, encoder.stems)
    assert (len(batch.audio), len(batch.row), batch.mixes) == (5, 6, 2)
    once = encoder.embed_mix(shared)
    repeated = encoder.embed_mix({**mix, "drums": mix["drums"][:1].repeat(2, 1, 1)})
    assert torch.equal(once.present, repeated.present)
    torch.testing.assert_close(once.stems, repeated.stems, atol=1e-4, rtol=1e-4)
    silent = StemBatch.of_mix({**mix, "drums": torch.zeros_like(mix["drums"][:1])}, encoder.stems)
    assert (len(silent.row), silent.mixes) == (4, 2)


def test_a_part_of_a_mix_is_what_the_mix_has_of_it(encoder: StemEncoder, mix: dict[str, Tensor]) -> None:
    others = {name: mix[name][:1] for name in ("vocals", "other")}
    x = mix["drums"].clone().requires_grad_()
    part = encoder.embed_part("drums", x, others)
    torch.testing.assert_close(part, encoder.embed_mix({"drums": x, **others}).stems[:, 1])
    part.square().sum().backward()
    assert float(x.grad.abs().max()) > 0  # type: ignore[union-attr]
    half = torch.stack([mix["drums"][0], torch.zeros_like(mix["drums"][0])])
    assert encoder.embed_part("drums", half, others)[1].tolist() == [0.0] * encoder.dim


def test_gradients_reach_every_stem(encoder: StemEncoder, mix: dict[str, Tensor]) -> None:
    stems = {name: x.clone().requires_grad_() for name, x in mix.items()}
    encoder.embed_mix(stems).vector.square().sum().backward()
    for x in stems.values():
        assert x.grad is not None
        assert bool(torch.isfinite(x.grad).all())
        assert float(x.grad.abs().max()) > 0


def test_faults_are_severities_by_stem(encoder: StemEncoder, mix: dict[str, Tensor]) -> None:
    found = encoder.find_faults({**mix, "bass": torch.zeros_like(mix["drums"])})
    assert set(found) == {*mix, "bass"}
    assert list(found["drums"]) == FAULTS
    assert all(bool(((value >= 0) & (value <= 1)).all()) for value in found["drums"].values())
    assert all(bool(value.isnan().all()) for value in found["bass"].values())


def test_distances_count_what_both_mixes_have() -> None:
    one, other = torch.eye(3)[:2]
    stems = torch.stack([torch.stack([one, other]), torch.stack([one, one]), torch.stack([0 * one, other])])
    present = torch.tensor([[True, True], [True, True], [False, True]])
    mixes = MixEmbedding(stems, present)
    expected = torch.tensor([[0.0, 0.5, 0.0], [0.5, 0.0, 1.0], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(mix_distance(mixes, mixes), expected)


def test_unknown_stems_and_other_shapes_are_refused(encoder: StemEncoder, mix: dict[str, Tensor]) -> None:
    with pytest.raises(UnknownNameError, match="choir"):
        encoder.embed_mix({"choir": mix["vocals"]})
    with pytest.raises(AudioError, match="one shape"):
        encoder.embed_mix({**mix, "bass": noise(3, rows=3)})
    with pytest.raises(AudioError, match="stereo"):
        encoder.embed(torch.zeros(1, 1, RATE))


@pytest.mark.parametrize(
    "options", [{"bands": 40}, {"families": ["colour"]}, {"mechanism": "magic"}, {"channels": ["up"]}, {"size": 3}]
)
def test_options_that_mean_nothing_are_named(options: dict[str, object]) -> None:
    with pytest.raises(WeightsError):
        StemEncoder.network(options)


def test_the_published_size() -> None:
    with torch.device("meta"):
        net = StemTransformer(bands=128, n_fft=1024, channels=("left", "right"), dim=768, depth=12, heads=12)
    blocks = sum(parameter.numel() for parameter in net.blocks.parameters())
    assert len(net.blocks) == 12
    assert blocks == pytest.approx(12 * (12 * 768**2 + 2 * 256 * 768), rel=0.01)


def test_an_analysis_is_enough_to_go_on_from(encoder: StemEncoder, mix: dict[str, Tensor]) -> None:
    batch = StemBatch.of_mix(mix, encoder.stems)
    kept = encoder.net.analyse(batch)
    assert kept.audio.numel() == 0
    with torch.no_grad():
        apart = (encoder.net(kept) - encoder.net(batch)).abs().max()
    assert float(apart) < 0.01  # levels are kept in half precision


def test_families_are_as_long_as_they_say_and_a_stem_alone_is_its_own_mix() -> None:
    from stito.dsp.stft import stereo_bands

    x = noise(0)
    batch = StemBatch.of_stem(x)
    found = mixing_families(batch, stereo_bands(x, RATE, count=32), RATE, FAMILIES, 4)
    assert {family: values.shape[1] for family, values in found.items()} == family_dims(FAMILIES)
    assert float(found["dynamics"][:, -1].abs().max()) < 1e-3  # dB against the mix
    assert float(found["masking"][:, 0].max()) < 1e-3


def test_features_are_seen_against_what_is_usual_for_their_kind_of_stem() -> None:
    """A bass 6 dB above what basses have stands out as a drum 6 dB above drums does, however far apart both are."""
    generator = torch.Generator().manual_seed(0)
    kind = torch.arange(2).repeat(200)
    levels = torch.where(kind == 0, -30.0, 10.0) + torch.where(kind == 0, 1.0, 4.0) * torch.randn(
        400, generator=generator
    )
    usual = _Usual(1, 3).train()
    for start in range(0, 400, 40):
        usual(levels[start : start + 40, None], kind[start : start + 40])
    usual.eval()
    found = usual(torch.tensor([[-30.0], [-28.0], [10.0], [18.0]]), torch.tensor([0, 0, 1, 1]))[:, 0]
    torch.testing.assert_close(found, torch.tensor([0.0, 2.0, 0.0, 2.0]), atol=0.4, rtol=0)
