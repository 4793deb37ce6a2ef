"""Presets: what is written is what is read, in physical units, and a bad file says where it is bad."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stito.audio import write_audio
from stito.console.preset import Preset, StripPreset, load_preset, preset_schema
from stito.effects.chain_files import load_chain
from stito.errors import MissingFileError, PresetError

PUBLISHED = Path(__file__).parents[2] / "stito" / "console" / "preset.schema.json"


def make(seed: int = 0, chain: str = "mixing") -> Preset:
    the_chain = load_chain(chain)
    theta = torch.rand(the_chain.dim, generator=torch.Generator().manual_seed(seed))
    return Preset(stems={"drums": StripPreset.of(the_chain, the_chain.settings(theta), fader_db=-1.5)})


@pytest.mark.parametrize("chain", ["mixing", "mastering", "pedalboard", "vocal"])
@settings(max_examples=5)
@given(seed=st.integers(0, 2**31))
def test_written_and_read_back(tmp_path_factory: pytest.TempPathFactory, chain: str, seed: int) -> None:
    preset = make(seed, chain)
    path = tmp_path_factory.mktemp("presets") / "preset.json"
    path.write_text(preset.to_json())
    assert load_preset(path) == preset


def test_presets_keep_the_published_schema() -> None:
    jsonschema.validate(json.loads(make().to_json()), json.loads(PUBLISHED.read_text()))


def test_the_published_schema_is_current() -> None:
    assert PUBLISHED.read_text() == preset_schema(), "run `make schema`"


def test_csv_has_a_line_per_knob_and_one_per_fader() -> None:
    preset = make()
    rows = list(csv.DictReader(io.StringIO(preset.to_csv())))
    chain, values = preset.stems["drums"].build()
    assert len(rows) == sum(len(slot.effect.params) for slot in chain.slots) + 1
    gains = [row for row in rows if row["param"] == "gain_db"]
    assert float(gains[0]["value"]) == pytest.approx(values["gain"]["gain_db"], rel=1e-4)
    assert gains[0]["unit"] == "dB"
    assert float(rows[-1]["value"]) == -1.5


def edited(change: Any) -> str:
    document = json.loads(make().to_json())
    change(document)
    return json.dumps(document, indent=2)


def knobs(document: Any) -> Any:
    return document["stems"]["drums"]["chain"][1]["settings"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: not valid JSON"),
        ("\x00\x01", "line 1: not valid JSON"),
        ("[]", "line 1"),
        (edited(lambda d: d.update(version=9)), r"line \d+: version"),
        (edited(lambda d: d.update(format="other")), r"line 2: format"),
        (edited(lambda d: d.update(stems={})), r"stems"),
        (edited(lambda d: knobs(d).update(ratio="hot")), r"line \d+: stems\.drums\.chain\.1\.settings\.ratio"),
        (edited(lambda d: knobs(d).update(ratio=99)), r"line \d+: stems\.drums: ratio = 99 is outside"),
        (edited(lambda d: knobs(d).update(rato=1)), r"line \d+: stems\.drums: Unknown param of compressor 'rato'"),
        (edited(lambda d: knobs(d).pop("ratio")), r"compressor: ratio is missing"),
        (edited(lambda d: d["stems"]["drums"]["chain"][0].update(effect="eqq")), r"line \d+: .*Unknown effect 'eqq'"),
    ],
)
def test_a_bad_preset_says_where(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(PresetError, match=message) as caught:
        load_preset(path)
    assert "bad.json" in str(caught.value)


def test_the_line_named_is_the_line_of_the_knob(tmp_path: Path) -> None:
    text = edited(lambda d: knobs(d).update(ratio=99))
    path = tmp_path / "bad.json"
    path.write_text(text)
    line = next(i for i, content in enumerate(text.splitlines(), 1) if '"ratio": 99' in content)
    with pytest.raises(PresetError, match=f"line {line}:"):
        load_preset(path)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(b"\xff\xfe\xfa\x00")
    with pytest.raises(PresetError, match="not text"):
        load_preset(path)
    with pytest.raises(MissingFileError):
        load_preset(tmp_path / "none.json")


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    chain = load_chain("gain")
    preset = Preset(stems={"drums": StripPreset.of(chain, chain.neutral())})
    (tmp_path / "preset.json").write_text(preset.to_json(), encoding="utf-8-sig")
    assert load_preset(tmp_path / "preset.json") == preset


@pytest.mark.parametrize("fader", [400.0, -1e6])
def test_a_fader_that_lost_its_decimal_point_is_refused(tmp_path: Path, fader: float) -> None:
    (tmp_path / "preset.json").write_text(json.dumps({"stems": {"drums": {"chain": [], "fader_db": fader}}}))
    with pytest.raises(PresetError, match="fader_db"):
        load_preset(tmp_path / "preset.json")


def test_an_impulse_response_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    write_audio(tmp_path / "hall.wav", 0.1 * noise, 44_100)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "room.toml").write_text('[[effects]]\neffect = "convolution_reverb"\noptions = { ir = "hall.wav" }\n')
    chain = load_chain(tmp_path / "room.toml")
    (tmp_path / "preset.json").write_text(Preset(stems={"a": StripPreset.of(chain, chain.neutral())}).to_json())
    monkeypatch.chdir("/")
    assert load_preset(tmp_path / "preset.json").stems["a"].chain[0].options["ir"] == str(tmp_path / "hall.wav")


def test_a_preset_from_before_bypass_is_as_if_nothing_were_bypassed(tmp_path: Path) -> None:
    path = tmp_path / "preset.json"
    path.write_text(edited(lambda d: [entry.pop("bypass") for entry in d["stems"]["drums"]["chain"]]))
    assert load_preset(path) == make()


def test_presets_of_before_there_was_a_master_load(tmp_path: Path) -> None:
    document = json.loads(make().to_json())
    del document["master"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document))
    assert load_preset(path) == make()
    with_master = make().model_copy(update={"master": make(1, "mastering").stems["drums"]})
    path.write_text(with_master.to_json())
    assert load_preset(path) == with_master
