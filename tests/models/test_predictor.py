"""Predictors: what a file must say, which chains it serves, and that transfers use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import stito.engine.networks
import stito.engine.solution
import stito.engine.starts
from conftest import RATE, solved, song
from stito.console.strips import loudness
from stito.effects.chain_files import load_chain
from stito.engine.methods import search
from stito.errors import SettingsError, UnknownNameError, WeightsError
from stito.metrics.levels import SPECTRUM, WIDTH
from stito.mix import Mix
from stito.models.loading import load_encoder
from stito.models.predictor import Predictor, SettingsNet, knob_ranges, load_predictor, same_effects
from stito.models.weights import load_weights, save_weights
from stito.search.base import Budget
from stito_encoders.fxencoder import FXencoder

LEVEL = {"corrections": {"gain": 1.0}, "evaluations": 16}
"""Predictions as the network makes them, but for the level."""
BACKBONE = {"front": "spectral", "bands": 4, "width": 4, "depth": 1, "hidden": 4, "dim": 3}
QUICK = {"excerpt_seconds": 1.5, "excerpt_count": 1}


def test_audio_and_its_mirror_image_are_embedded_at_once() -> None:
    net = SettingsNet(FXencoder.network(BACKBONE), [load_encoder("features")], 3, hidden=4).eval()
    x = torch.tensor([[0.1], [0.05]]) * torch.randn(2, 2, RATE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        both = net.embed(x, mirrored=True)
        assert torch.allclose(both, torch.cat([net.embed(x), net.embed(x.flip(1))]), atol=1e-5)
    assert not torch.allclose(both[:2], both[2:], atol=1e-2)


def write(path: Path, theta: Tensor, **changes: Any) -> Path:
    """A predictor for `mixing` whose network always says `theta`."""
    chain = load_chain("mixing")
    net = SettingsNet(FXencoder.network(BACKBONE), [load_encoder("features")], chain.dim, hidden=4)
    net.begin_at(theta)
    torch.nn.init.zeros_(net.layers[-1].weight)
    header = {
        "architecture": "predictor",
        "config": {"hidden": 4},
        "chain": "mixing",
        "backbone": {"encoder": "fxencoder", "config": BACKBONE},
        "knobs": knob_ranges(chain),
        "encoders": [["features", ""]],
        "guidance": LEVEL,
    }
    save_weights(path, net.state_dict(), header | changes, overwrite=True)
    return path


@pytest.fixture(scope="module")
def theta() -> Tensor:
    """In the middle where left and right tell: who says the same of a mirror image says nothing of sides."""
    chain = load_chain("mixing")
    sided = torch.tensor([knob.param.sided for knob in chain.knobs])
    return torch.linspace(0.2, 0.8, chain.dim).where(~sided, torch.tensor(0.5))


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory, theta: Tensor) -> Predictor:
    return Predictor(write(tmp_path_factory.mktemp("predictor") / "mixing.safetensors", theta))


def stem(name: str, *, styled: bool = False) -> Mix:
    """The drums of a demo song as a stem."""
    mix = song(name, styled=styled, stems=("drums",))
    return Mix(mix.stems, RATE, mix.format, name, (), "stem", mix.formats)


@pytest.fixture(autouse=True)
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this network says leads nowhere; it is taken all the same, or the input would stay."""
    monkeypatch.setattr(stito.engine.solution, "is_further", lambda *_: False)


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is predicted is taken to lead towards the reference."""
    monkeypatch.setattr(stito.engine.starts, "reduces", lambda *_: True)


def test_a_prediction_is_theta_of_the_chain(predictor: Predictor, theta: Tensor) -> None:
    drums = stem("night").stems["drums"][:, : 2 * RATE]
    found = predictor.predict([drums], [drums], load_chain("mixing"), RATE)
    assert torch.allclose(found[:-1], theta[:-1], atol=1e-5)


def test_a_mirror_image_gets_the_mirror_image_of_the_settings() -> None:
    predictor = load_predictor(load_chain("mixing"))
    assert predictor is not None
    drums, other = (song("night", styled=styled).stems["drums"][:, : 2 * RATE] for styled in (False, True))
    other = torch.tensor([[1.0], [0.6]]) * other
    here, there = (
        predictor.predict([x], [reference], predictor.chain, RATE)
        for x, reference in ((drums, other), (drums.flip(0), other.flip(0)))
    )
    sided = torch.tensor([knob.param.sided for knob in predictor.chain.knobs])
    assert bool((here[sided] < 0.49).all())
    assert torch.allclose(there, torch.where(sided, 1 - here, here), atol=1e-3)


def test_a_prediction_has_the_level_of_the_reference(predictor: Predictor) -> None:
    drums = 0.2 * stem("night").stems["drums"][:, : 2 * RATE]
    theta = predictor.predict([drums], [0.7 * drums], predictor.chain, RATE)
    made = predictor.chain.render_one(drums, predictor.chain.settings(theta), RATE)
    assert loudness(made, RATE) == pytest.approx(loudness(0.7 * drums, RATE), abs=0.2)


def test_a_prediction_is_corrected_by_what_can_be_measured(predictor: Predictor, tmp_path: Path, theta: Tensor) -> None:
    guidance = {"corrections": {"eq": 0.6, "imager": 1.0, "gain": 1.0}}
    measured = Predictor(write(tmp_path / "measured.safetensors", theta, guidance=guidance))
    drums, other = (stem("night", styled=styled).stems["drums"][:, : 4 * RATE] for styled in (False, True))

    def error(by: Predictor) -> dict[str, float]:
        made = by.chain.render_one(drums, by.chain.settings(by.predict([drums], [other], by.chain, RATE)), RATE)
        return {metric.name: float(metric(made[None], other[None], RATE)[0]) for metric in (WIDTH, SPECTRUM)}

    corrected, said = error(measured), error(predictor)
    for name in (WIDTH.name, SPECTRUM.name):
        assert corrected[name] < said[name] - 1


def test_what_is_frozen_is_heard_when_it_is_corrected(tmp_path: Path) -> None:
    text = "\n".join(f'[[effects]]\neffect = "{slot.effect.name}"' for slot in load_chain("mixing").slots)
    frozen = "freeze = { threshold_db = -45.0, ratio = 4.0 }"
    (tmp_path / "mine.toml").write_text(text.replace('"compressor"', f'"compressor"\n{frozen}'))
    mine, drums = load_chain(tmp_path / "mine.toml"), stem("night").stems["drums"][:, : 2 * RATE]
    predictor = load_predictor(mine)
    assert predictor is not None
    made = mine.render_one(drums, mine.settings(predictor.predict([drums], [drums], mine, RATE)), RATE)
    assert loudness(made, RATE) == pytest.approx(loudness(drums, RATE), abs=0.5)


def test_a_chain_with_other_ranges_gets_the_same_physical_settings(
    predictor: Predictor, tmp_path: Path, theta: Tensor
) -> None:
    text = "\n".join(f'[[effects]]\neffect = "{slot.effect.name}"' for slot in load_chain("mixing").slots)
    narrow = text.replace('"imager"', '"imager"\nnarrow = { width = [0.5, 1.0] }')
    (tmp_path / "mine.toml").write_text(narrow.replace('"compressor"', '"compressor"\nfreeze = { ratio = 2.0 }'))
    mine, drums = load_chain(tmp_path / "mine.toml"), stem("night").stems["drums"][:, :RATE]
    assert same_effects(predictor.chain, mine)
    assert not same_effects(predictor.chain, load_chain("eq | compressor"))
    settings = mine.settings(predictor.predict([drums], [drums], mine, RATE))
    usual = predictor.chain.settings(theta)
    assert settings["eq"]["low_hz"] == pytest.approx(usual["eq"]["low_hz"], rel=1e-4)
    assert settings["imager"]["width"] == pytest.approx(min(1.0, usual["imager"]["width"]), abs=1e-4)
    assert settings["compressor"]["ratio"] == 2.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "fxencoder"}, "holds no predictor"),
        ({"knobs": [["eq.low_gain_db", -1.0, 1.0, "linear"]]}, "other knobs"),
        ({"encoders": [["features", "0123"]]}, "other weights of 'features'"),
        ({"config": {"hidden": 3}}, "size mismatch"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path, theta: Tensor
) -> None:
    with pytest.raises(WeightsError, match=message):
        Predictor(write(tmp_path / "wrong.safetensors", theta, **changes))


class Constant(nn.Module):
    """Ears that always hear the same."""

    dim = 2

    def forward(self, x: Tensor) -> Tensor:
        return x.new_tensor([[3.0, 4.0]]).expand(len(x), -1)


def test_embeddings_that_are_compared_by_angle_are_heard_at_unit_length() -> None:
    class Loud:
        name, sample_rate, dim = "loud", RATE, 3

        def embed(self, x: Tensor) -> Tensor:
            return x.new_tensor([[0.0, 30.0, 40.0]]).expand(len(x), -1)

    class Measured(Loud):
        distance = "euclidean"

    heard = SettingsNet(Constant(), [Loud(), Measured()], 5).embed(torch.zeros(2, 2, 100))
    assert torch.allclose(heard, torch.tensor([0.6, 0.8, 0, 0.6, 0.8, 0, 30, 40]).expand(2, -1))


def test_what_is_said_depends_on_which_is_the_reference() -> None:
    torch.manual_seed(0)
    net = SettingsNet(FXencoder.network(BACKBONE), [load_encoder("features")], 5, hidden=8).eval()
    quiet, loud = 0.01 * torch.randn(1, 2, RATE), torch.randn(1, 2, RATE)
    there, back = (net(torch.stack(pair, dim=1)) for pair in ((loud, quiet), (quiet, loud)))
    assert there.shape == (1, 5)
    assert not torch.allclose(there, back, atol=1e-3)
    assert torch.allclose(there, net.head(torch.cat([net.embed(loud), net.embed(quiet)], dim=-1)), atol=1e-5)


def test_the_backbone_learns_and_the_other_encoders_do_not() -> None:
    net = SettingsNet(FXencoder.network(BACKBONE), [load_encoder("features")], 5, hidden=8)
    net(torch.randn(2, 2, 2, RATE)).sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None for p in net.parameters())
    assert {name.split(".")[0] for name in net.state_dict()} == {"backbone", "layers"}


def test_the_untrained_network_says_where_it_begins(theta: Tensor) -> None:
    net = SettingsNet(Constant(), [], len(theta))
    net.begin_at(theta)
    assert torch.allclose(net.eval().head(torch.randn(5, 4)), theta.expand(5, -1), atol=0.05)


def test_a_file_predicts_in_place_of_what_is_installed(tmp_path: Path, theta: Tensor) -> None:
    file = write(tmp_path / "mine.safetensors", theta)
    mix, reference = stem("night"), stem("street", styled=True)
    match = solved(mix, reference, method="predict", predictor=file, **QUICK).solutions["drums"]
    chain, settings = match.strips["drums"]
    assert torch.allclose(chain.encode(settings)[:-1], theta[:-1], atol=1e-5)


@pytest.mark.parametrize("method", ["predict", "match"])
def test_a_file_for_other_effects_is_refused_whether_or_not_it_is_asked(
    method: str, tmp_path: Path, theta: Tensor
) -> None:
    file = write(tmp_path / "mine.safetensors", theta)
    with pytest.raises(WeightsError, match="for the effects of 'mixing'"):
        solved(stem("night"), stem("street"), method=method, predictor=file, chain="eq", **QUICK)


class TestTransfers:
    @pytest.fixture(autouse=True)
    def installed(self, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
        def load(chain: Any, weights: Any = None) -> Predictor | None:
            assert weights is None
            return predictor if same_effects(predictor.chain, chain) else None

        monkeypatch.setattr(stito.engine.networks, "load_predictor", load)

    def test_without_a_search_the_prediction_is_the_result(self, theta: Tensor) -> None:
        mix, reference = stem("night"), stem("street", styled=True)
        match = solved(mix, reference, method="predict", **QUICK).solutions["drums"]
        chain, settings = match.strips["drums"]
        assert torch.allclose(chain.encode(settings)[:-1], theta[:-1], atol=1e-5)
        assert (match.start, match.stop, match.evaluations) == ("predict", "Predicted, no search.", 0)

    @pytest.mark.parametrize("init", ["ensemble", "predict", "neural", "match", "neutral"])
    def test_a_search_starts_where_it_is_told(self, init: str) -> None:
        mix, reference = stem("night"), stem("street", styled=True)
        match = solved(mix, reference, init=init, budget=Budget(evaluations=1), **QUICK).solutions["drums"]
        assert match.start == init
        chain, settings = match.strips["drums"]
        if init == "neutral":
            assert torch.allclose(chain.encode(settings), chain.encode({}), atol=1e-5)

    def test_left_to_itself_it_starts_at_the_best_place(self) -> None:
        mix, reference = stem("night"), stem("night", styled=True)
        match = solved(mix, reference, budget=Budget(evaluations=1), **QUICK).solutions["drums"]
        assert match.same_performance
        assert match.start == "match"  # for the prediction is the same whatever is heard
        assert match.objective_before is not None
        assert match.objective_start <= match.objective_before

    def test_the_ensemble_is_the_mean_of_prediction_and_converter(self) -> None:
        mix, reference = stem("night"), stem("street", styled=True)
        said = {}
        for start in ("predict", "neural"):
            match = solved(mix, reference, init=start, budget=Budget(evaluations=1), **QUICK).solutions["drums"]
            said[start] = match.strips["drums"]
        match = solved(mix, reference, method="ensemble", **QUICK).solutions["drums"]
        assert (match.start, match.stop) == ("ensemble", "The mean of two networks' settings, no search.")
        chain, settings = match.strips["drums"]
        both = [chain.encode(settings) for _, settings in said.values()]
        assert (both[0] - both[1]).abs().max() > 0.1
        assert torch.allclose(chain.encode(settings), sum(both) / 2, atol=1e-3)

    @pytest.mark.usefixtures("trusted")
    @pytest.mark.parametrize(("name", "start"), [("street", "ensemble"), ("night", "match")])
    def test_left_to_itself_it_asks_both_networks_about_other_music(
        self, name: str, start: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []
        conversion = stito.engine.starts.conversion_of
        monkeypatch.setattr(stito.engine.starts, "conversion_of", lambda *args: asked.append(name) or conversion(*args))
        budget = Budget(evaluations=1)
        match = solved(stem("night"), stem(name, styled=True), budget=budget, **QUICK).solutions["drums"]
        assert match.start == start
        assert asked == ([name] if start == "ensemble" else [])

    @pytest.mark.parametrize(
        ("name", "chain", "encoder"),
        [("street", "mixing", "fxencoder"), ("night", "mixing", "features"), ("street", "eq | saturation", "features")],
    )
    def test_left_to_itself_it_hears_with_the_trained_encoder_what_that_has_learnt(
        self, name: str, chain: str, encoder: str
    ) -> None:
        found = solved(stem("night"), stem(name, styled=True), method="match", chain=chain, **QUICK)
        assert found.preset.provenance is not None
        assert found.preset.provenance.encoder == encoder

    def test_the_sum_of_several_stems_is_heard_by_measured_features(self) -> None:
        whole = song("street", styled=True).sum()
        reference = Mix({"mix": whole}, RATE, song("night").format, "street", (), "mix", {})
        found = solved(song("night"), reference, method="match", **QUICK)
        assert found.preset.provenance is not None
        assert found.preset.provenance.encoder == "features"

    @pytest.mark.usefixtures("trusted")
    @pytest.mark.parametrize(
        ("name", "near", "budget", "evaluations"),
        [
            ("street", 0.0, None, 16),
            ("street", 10.0, None, 0),
            ("street", 10.0, Budget(evaluations=8), 8),
            ("night", 10.0, None, 32),
        ],
    )
    def test_without_a_budget_it_searches_as_far_as_that_is_of_use(
        self, name: str, near: float, budget: Budget | None, evaluations: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(search, "EVALUATIONS", 32)
        encoder = FXencoder()
        encoder.same_style_distance = near
        mix, reference = stem("night"), stem(name, styled=True)
        match = solved(mix, reference, encoder=encoder, budget=budget, **QUICK).solutions["drums"]
        assert match.evaluations == evaluations
        assert match.start == ("ensemble" if name == "street" else "match")
        assert (match.stop == search.SAME_STYLE) == (evaluations == 0)
        assert bool(match.history) == bool(evaluations)

    def test_an_input_that_is_near_already_is_left_as_it_is_where_the_prediction_leads_away(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stito.engine.starts, "reduces", lambda *_: False)
        encoder = FXencoder()
        encoder.same_style_distance = 10.0
        match = solved(stem("night"), stem("street"), encoder=encoder, **QUICK).solutions["drums"]
        assert (match.start, match.evaluations, match.stop) == ("neutral", 0, search.SAME_STYLE)
        chain, settings = match.strips["drums"]
        assert torch.allclose(chain.encode(settings), chain.encode({}), atol=1e-5)

    def test_settings_are_drawn_to_the_prediction(self, theta: Tensor) -> None:
        mix, reference = stem("night"), stem("street", styled=True)
        options = {"init": "predict", "budget": Budget(evaluations=60), "prior_weight": 1e4, **QUICK}
        match = solved(mix, reference, **options).solutions["drums"]
        chain, settings = match.strips["drums"]
        assert match.start == "predict"
        assert torch.allclose(chain.encode(settings)[:-1], theta[:-1], atol=1e-3)

    def test_left_to_itself_it_doubts_a_prediction_that_leads_away(self) -> None:
        mix, reference = stem("night"), stem("street")  # which are alike already
        doubted = solved(mix, reference, budget=Budget(evaluations=1), **QUICK).solutions["drums"]
        assert doubted.start != "predict"
        told = solved(mix, reference, method="predict", encoder="fxencoder", **QUICK).solutions["drums"]
        assert told.loss_after > told.loss_before

    @pytest.mark.parametrize("method", ["predict", "ensemble"])
    def test_several_stems_at_once_are_not_predicted_and_that_is_said(self, method: str) -> None:
        mix, reference = song("night"), song("street", styled=True)
        whole = Mix({"mix": reference.sum()}, RATE, reference.format, "street", (), "mix", {"mix": reference.format})
        found = solved(mix, whole, method=method, **QUICK)
        assert {match.start for match in found.solutions.values()} == {"match"}
        assert any("nothing is predicted for several stems" in note for note in found.notes)

    def test_a_chain_without_a_predictor_says_so(self) -> None:
        mix, reference = stem("night"), stem("street")
        for options in ({"method": "predict"}, {"method": "ensemble"}, {"init": "predict"}, {"init": "ensemble"}):
            with pytest.raises(SettingsError, match="no predictor for the chain"):
                solved(mix, reference, chain="eq | compressor", **options, **QUICK)
        with pytest.raises(UnknownNameError, match="predikt"):
            solved(mix, reference, init="predikt", **QUICK)


def test_files_of_earlier_versions_load(tmp_path: Path, theta: Tensor) -> None:
    path = write(tmp_path / "new.safetensors", theta)
    state, header = load_weights(path)
    header["ears"] = header.pop("backbone")
    old = {name.replace("backbone.", "ears."): tensor for name, tensor in state.items()}
    save_weights(tmp_path / "old.safetensors", old, header)
    drums = stem("night").stems["drums"][:, :RATE]
    new, earlier = (
        Predictor(file).predict([drums], [drums], load_chain("mixing"), RATE)
        for file in (path, tmp_path / "old.safetensors")
    )
    assert torch.equal(new, earlier)
