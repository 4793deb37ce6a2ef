"""What a plug-in's author tests: stito's contracts, and that the names arrive."""

from __future__ import annotations

import pytest
import torch
from stito_example_plugin.bands import BandEncoder
from stito_example_plugin.halfway import Halfway
from stito_example_plugin.highs import HIGHS
from stito_example_plugin.hillclimb import HillClimb
from stito_example_plugin.manifest import MANIFEST
from stito_example_plugin.tremolo import Tremolo

import stito
from stito import registry
from stito.effects.chain_files import load_chain
from stito.engine.methods.base import method_names, summary_of
from stito.search import Budget, create, minimise
from stito.testing import check_effect, check_encoder, check_method, check_metric, check_search, probe


def test_the_effect_keeps_the_contract() -> None:
    check_effect(Tremolo())


def test_the_encoder_keeps_the_contract() -> None:
    check_encoder(BandEncoder())


def test_the_search_keeps_the_contract() -> None:
    check_search(lambda dim, seed: HillClimb(dim, seed=seed))


def test_the_method_keeps_the_contract() -> None:
    check_method(Halfway(), "eq | gain")


def test_the_method_is_one_like_the_others() -> None:
    assert "example_halfway" in method_names(direct=True)
    assert summary_of("example_halfway") == "Half of the closed form: for those who find statistics too bold."
    mix = stito.Mix.from_arrays(0.1 * torch.randn(2, 44_100, generator=torch.Generator().manual_seed(1)), 44_100)
    reference = stito.Mix.from_arrays(0.25 * mix.sum().flip(-1), 44_100)
    result = stito.transfer(mix, reference, method="example_halfway", chain="gain", excerpt_seconds=1.0)
    assert result.settings["mix"]["gain"]["gain_db"] == pytest.approx(-6.0, abs=0.5)


def test_the_metric_keeps_the_contract() -> None:
    check_metric(HIGHS)


def test_the_metric_hears_a_dull_result() -> None:
    x = probe(44_100)
    dull = torch.nn.functional.avg_pool1d(x, 9, stride=1, padding=4)
    assert float(HIGHS(x, x, 44_100)[0]) == 0.0
    assert float(HIGHS(dull, x, 44_100)[0]) > 6.0


@pytest.mark.parametrize("kind", ["effect", "encoder", "chain", "method", "search", "separator", "metric"])
def test_every_name_is_installed_and_loads(kind: registry.Kind) -> None:
    for name in MANIFEST.of(kind):
        assert registry.find(kind, name).distribution == "stito-example-plugin"
        assert registry.load(kind, name)


def test_the_tremolo_swings_between_full_level_and_its_depth() -> None:
    settings = {"rate_hz": torch.tensor([4.0]), "depth": torch.tensor([0.75])}
    level = Tremolo().process(torch.ones(1, 2, 44_100), settings, 44_100)[0, 0]
    assert level[0] == pytest.approx(1.0)
    assert level.min() == pytest.approx(0.25, abs=1e-4)
    assert level[:11_025] == pytest.approx(level[11_025:22_050], abs=1e-4)


def test_the_search_finds_the_chain_settings_that_the_encoder_hears() -> None:
    chain, encoder = load_chain("example_chain"), BandEncoder()
    x = 0.2 * torch.randn(2, 44_100, generator=torch.Generator().manual_seed(1))
    prepared = chain.prepare(x, 44_100)
    wanted = chain.encode({"example_tremolo": {"rate_hz": 3.0, "depth": 0.0}, "gain": {"gain_db": -9.0}})
    with torch.no_grad():
        target = encoder.embed(prepared.render(wanted[None]))

    def loss(theta: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return (encoder.embed(prepared.render(theta)) - target).square().mean(dim=-1)

    found = minimise(loss, create("example_hillclimb", chain.dim, seed=0), budget=Budget(evaluations=320))
    assert found.loss < 0.02 * found.history[0].loss
