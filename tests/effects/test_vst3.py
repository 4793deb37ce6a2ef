"""VST3 plug-ins: hosted by made-up workers here, and by the real one where STITO_TEST_VST3 names a plug-in."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from stito.cli import cli
from stito.console.preset import Preset, StripPreset
from stito.effects.chain_files import load_chain, parse_chain
from stito.errors import ChainError, MissingFileError, PluginError, SettingsError, StitoWarning
from stito.search.base import Budget
from stito.search.driver import minimise
from stito.search.factory import create
from stito.testing import check_effect
from stito_effects.vst3 import effect, host
from stito_effects.vst3.effect import Vst3
from stito_effects.vst3.folders import installed, located
from stito_effects.vst3.knobs import knobs_of

RATE = 44_100
STAND_IN = Path(__file__).with_name("vst3_stand_in.py")


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host, "PROGRAM", (str(STAND_IN),))
    monkeypatch.setenv("VST3_PATH", str(tmp_path / "plug-ins"))
    effect._class_of.cache_clear()


def plug(tmp_path: Path, name: str) -> str:
    path = tmp_path / "plug-ins" / f"{name}.vst3"
    path.mkdir(parents=True, exist_ok=True)  # a bundle, as most are
    return str(path)


def noise(seconds: float = 0.5) -> torch.Tensor:
    return 0.1 * torch.randn(2, round(seconds * RATE), generator=torch.Generator().manual_seed(0))


def test_a_plug_in_keeps_the_contract_of_effects(tmp_path: Path) -> None:
    check_effect(Vst3(plug(tmp_path, "Gain")))
    check_effect(Vst3(plug(tmp_path, "Loud")))


def test_knobs_have_the_values_that_the_plug_in_shows(tmp_path: Path) -> None:
    made = Vst3(plug(tmp_path, "Gain"))
    level, tilt, mix, side = made.params
    assert (level.name, level.low, level.high, level.neutral, level.scale) == ("level_db", -12.0, 12.0, 0.0, "linear")
    assert (tilt.name, tilt.low, tilt.high, tilt.scale) == ("tilt_hz", 20.0, 20_000.0, "log")
    assert (mix.name, mix.low, mix.high) == ("mix", 0.0, 1.0)
    assert side.doc == "Side: 0 Both, 1 Left, 2 Right"
    assert made.label == "gain"
    assert made.aspect == "eq"


def test_what_is_heard_as_it_opens_is_blended_in(tmp_path: Path) -> None:
    made = Vst3(plug(tmp_path, "Loud"))
    assert [param.name for param in made.params] == ["mix", "level_db", "tilt_hz", "own_mix", "side"]
    x = noise()
    values = {param.name: torch.tensor([param.neutral]) for param in made.params} | {"mix": torch.tensor([0.5])}
    torch.testing.assert_close(made.process(x[None], values, RATE)[0], 1.25 * x)


def test_places_are_those_of_the_plug_in_though_theta_goes_by_ratios() -> None:
    linear = {"name": "low_hz", "title": "Low", "place": 0.5, "steps": 1000, "readings": [20, 5015, 10010, 15005, 2e4]}
    choice = {"name": "slope", "title": "Slope", "place": 0.0, "steps": 3, "readings": ["6 dB", "12 dB", "18 dB"]}
    low, slope = knobs_of([linear, choice], ())
    assert low.param.scale == "log"
    assert low.param.neutral == 10_010.0
    assert low.place(10_010.0) == pytest.approx(0.5)
    assert (slope.param.low, slope.param.high) == (6.0, 18.0)
    assert slope.place(13.0) == 0.5


def test_audio_goes_through_at_its_own_gain_and_length_with_the_latency_taken_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "BLOCK", 5000)
    for name, samples in (("Gain", 22_050), ("OneChannel", 22_050), ("Gain", 10_001), ("OneChannel", 1)):
        x = noise()[:, :samples]
        chain = load_chain(f"vst3:{plug(tmp_path, name)}")
        (label,) = chain.neutral()
        settings = chain.neutral()
        settings[label]["level_db"] = -6.0
        made = chain.render_one(x, settings, RATE)
        torch.testing.assert_close(made, x * 10 ** (-6 / 20), rtol=1e-4, atol=1e-6)


def test_a_plug_in_that_remembers_is_opened_anew_for_each_sound(tmp_path: Path) -> None:
    chain = load_chain(f"vst3:{plug(tmp_path, 'Remembering')}")
    prepared, theta = chain.prepare(noise(), RATE), torch.full((1, chain.dim), 0.6)
    assert torch.equal(prepared.render(theta), prepared.render(theta))


@pytest.mark.filterwarnings("ignore::stito.errors.StitoWarning")
def test_a_search_goes_on_where_candidates_crash(tmp_path: Path) -> None:
    chain = load_chain(f"vst3:{plug(tmp_path, 'Crashing')}")
    x = noise(0.1)
    prepared = chain.prepare(x, RATE)
    theta = torch.full((3, chain.dim), 0.5)
    theta[1, 0] = 1.0
    with pytest.warns(StitoWarning, match=r"Crashing\.vst3 crashed\. Such settings count as the worst\."):
        made = prepared.render(theta)
    assert made[[0, 2]].isfinite().all()
    assert made[1].isnan().all()
    found = minimise(
        lambda theta: (prepared.render(theta) - 1.5 * x).square().mean((1, 2)),
        create("cma", chain.dim, seed=0),
        budget=Budget(40),
    )
    assert found.evaluations == 40
    assert found.loss < float(x.square().mean()) / 4


def test_a_crash_by_chance_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRASH_ONCE", str(tmp_path / "crashed"))
    chain = load_chain(f"vst3:{plug(tmp_path, 'Crashing')}")
    theta = torch.full((1, chain.dim), 0.95)
    assert chain.prepare(noise(0.1), RATE).render(theta).isfinite().all()
    assert (tmp_path / "crashed").exists()


def test_a_plug_in_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = load_chain(f"vst3:{plug(tmp_path, 'Crashing')}")
    monkeypatch.setattr(host, "STUCK_S", 0.5)
    monkeypatch.setattr(host, "OPENING_S", 1.0)
    (slot,) = chain.slots
    assert isinstance(slot.effect, Vst3)
    places = {knob.key: knob.place(knob.param.neutral) for knob in slot.effect.knobs} | {"level_db": 0.07}
    with pytest.raises(host.PluginDiedError, match="did not answer"):
        slot.effect.host_of.render(noise(0.01).numpy(), places, RATE)


def test_a_host_that_was_closed_begins_anew(tmp_path: Path) -> None:
    made = Vst3(plug(tmp_path, "Gain"))
    (worker,) = made.host_of._idle
    made.host_of.close()
    assert worker._process.returncode is not None
    neutral = {param.name: torch.tensor([param.neutral]) for param in made.params}
    assert made.process(noise()[None], neutral, RATE).shape == (1, 2, 22_050)


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="it is an instrument"):
        Vst3(plug(tmp_path, "Instrument"))
    with pytest.raises(PluginError, match="cannot be used: 'Unknown'"):
        Vst3(plug(tmp_path, "Unknown"))
    plug(tmp_path, "Gain")
    with pytest.raises(MissingFileError, match="no VST3 plug-in Gian") as caught:
        Vst3("Gian")
    assert caught.value.hint
    assert "Did you mean Gain?" in caught.value.hint
    with pytest.raises(SettingsError, match="vst3 needs a plug-in"):
        Vst3()
    with pytest.raises(ChainError, match="takes nothing behind a colon"):
        load_chain("gain:loud")


def test_plug_ins_are_found_by_name_and_bundles_are_not_looked_into(tmp_path: Path) -> None:
    bundle = Path(plug(tmp_path, "Gain"))
    (bundle / "Contents" / "x86_64-linux").mkdir(parents=True)
    (bundle / "Contents" / "inner.vst3").touch()
    assert [path.stem for path in installed() if path.is_relative_to(tmp_path)] == ["Gain"]
    assert located("gain") == located("/elsewhere/on/another/computer/Gain.vst3") == bundle
    found = CliRunner().invoke(cli, ["effects", "vst3"])
    assert found.exit_code == 0
    assert "Found here, for vst3:NAME: Gain" in found.output
    of_one = CliRunner().invoke(cli, ["effects", "vst3:Gain"])
    assert of_one.exit_code == 0
    assert "Gain 1.0 by Nobody" in of_one.output
    assert "level_db" in of_one.output


def test_chains_and_presets_name_the_plug_in(tmp_path: Path) -> None:
    preset_file = tmp_path / "warm.vstpreset"
    preset_file.write_text("0.75")
    text = f"""
        [[effects]]
        effect = "vst3"
        options = {{ plugin = "Gain", preset = "{preset_file}" }}
        freeze = {{ side = 0 }}
    """
    bundle = plug(tmp_path, "Gain")
    chain = parse_chain(text, source="here", name="of mine")
    (slot,) = chain.slots
    assert slot.label == "gain"
    assert slot.options["plugin"] == bundle
    assert chain.neutral()["gain"] == {"mix": 0.0, "level_db": 6.0, "tilt_hz": 20.0, "own_mix": 1.0, "side": 0.0}
    settings = chain.neutral()
    settings["gain"] |= {"mix": 1.0, "level_db": -3.0}
    strip = StripPreset.of(chain, settings)
    read = Preset.model_validate_json(Preset(stems={"drums": strip}).model_dump_json())
    again, same = read.stems["drums"].build()
    assert same == settings
    torch.testing.assert_close(again.render_one(noise(), same, RATE), chain.render_one(noise(), settings, RATE))
    copied = pickle.loads(pickle.dumps(slot.effect))
    assert copied.params == slot.effect.params
    (move,) = slot.effect.describe(settings["gain"] | {"side": 1.0})
    assert move.text == "Gain: mix 1, level -3 dB, side 1."


def test_two_of_one_plug_in_have_two_labels(tmp_path: Path) -> None:
    plug(tmp_path, "Gain")
    assert [slot.label for slot in load_chain("vst3:Gain | gain | vst3:gain").slots] == ["gain", "gain_2", "gain_3"]


@pytest.mark.skipif(not os.environ.get("STITO_TEST_VST3"), reason="STITO_TEST_VST3 names no plug-in")
def test_a_real_plug_in_renders_the_same_whole_and_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "PROGRAM", ("-m", "stito_effects.vst3.worker"))
    for file in os.environ["STITO_TEST_VST3"].split(os.pathsep):
        chain = load_chain(f"vst3:{file}")
        theta = torch.rand(3, chain.dim, generator=torch.Generator().manual_seed(1))
        prepared, x = chain.prepare(noise(3.0), RATE), noise(3.0)
        made = prepared.render(theta)
        assert made.isfinite().all()
        assert made.shape == (3, *x.shape)
        assert torch.equal(made, prepared.render(theta)), file
        assert torch.equal(chain.render_one(x, chain.neutral(), RATE), x)
        monkeypatch.setattr(host, "BLOCK", 4 * 8192)
        torch.testing.assert_close(prepared.render(theta), made, rtol=0, atol=1e-4)
        monkeypatch.setattr(host, "BLOCK", 1 << 20)
