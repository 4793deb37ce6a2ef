"""What is exported can be opened by something else, and holds the numbers that were put in."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from stito import registry
from stito.console.preset import Preset, StripPreset, load_preset
from stito.console.strips import render_preset
from stito.effects.chain import Chain
from stito.effects.chain_files import load_chain
from stito.effects.effect import LinearEffect
from stito.errors import OutputError, OutputExistsError, SettingsError, UnknownNameError
from stito.exporters import Session, load_exporter
from stito.mix import Mix
from stito.testing import check_exporter

RATE = 44_100
STRIPS = {
    "drums": ("eq | compressor | panner | reverb | gain", -3.0),
    "vocals": ("expander | eq | gain | compressor | saturation", 2.0),
}
SETTINGS = {
    "eq": {"mid_gain_db": -9.0, "mid_hz": 1700.0, "mid_q": 0.5, "high_gain_db": 3.0},
    "compressor": {"threshold_db": -24.0, "ratio": 2.0, "attack_ms": 30.0},
    "panner": {"pan": 0.4},
    "reverb": {"mix": 0.14, "decay_mid_s": 0.6},
    "gain": {"gain_db": 4.0},
    "expander": {"threshold_db": -45.0, "ratio": 2.0, "range_db": 20.0},
    "saturation": {"mix": 0.3, "drive_db": 12.0},
    "limiter": {"threshold_db": -3.0},
}


def strip(text: str, fader_db: float = 0.0) -> StripPreset:
    chain = load_chain(text)
    settings = {label: values | SETTINGS.get(label, {}) for label, values in chain.neutral().items()}
    return StripPreset.of(chain, settings, fader_db)


@pytest.fixture(scope="module")
def preset() -> Preset:
    stems = {name: strip(text, fader_db) for name, (text, fader_db) in STRIPS.items()}
    return Preset(stems=stems, master=strip("gain | limiter", -1.0), output_gain_db=-2.0)


@pytest.fixture(scope="module")
def mix() -> Mix:
    rng = np.random.default_rng(1)
    return Mix.from_arrays({name: 0.2 * rng.standard_normal((2, RATE // 2)) for name in STRIPS}, RATE, subtype="PCM_24")


@pytest.fixture(scope="module")
def session(preset: Preset, mix: Mix) -> Session:
    return Session("song", preset, read_input=lambda: mix)


@pytest.mark.parametrize("name", sorted(set(registry.names("exporter")) - {"pedalboard", "reaper"}))
def test_exporters_keep_their_contract(name: str) -> None:
    check_exporter(load_exporter(name))


def test_the_exporter_of_reaper_keeps_its_contract() -> None:
    pytest.importorskip("rppxml")
    check_exporter(load_exporter("reaper"))


def test_the_exporter_of_scripts_keeps_its_contract() -> None:
    check_exporter(load_exporter("pedalboard"), "pedalboard")


def test_an_unknown_format_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UnknownNameError, match="exporter 'dawprojekt'") as error:
        load_exporter("dawprojekt")
    assert "dawproject" in str(error.value.hint)


@pytest.fixture(scope="module")
def archive(session: Session, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("dawproject") / "song.dawproject"
    load_exporter("dawproject").export(session, out)
    return zipfile.ZipFile(out)


@pytest.fixture(scope="module")
def project(archive: zipfile.ZipFile) -> ElementTree.Element:
    return ElementTree.fromstring(archive.read("project.xml"))


class TestDawProject:
    def channel(self, project: ElementTree.Element, track: str) -> ElementTree.Element:
        found = project.find(f"Structure/Track[@name='{track}']/Channel")
        assert found is not None
        return found

    def value(self, element: ElementTree.Element, path: str) -> float:
        found = element.find(path)
        assert found is not None, path
        return float(found.attrib["value"])

    def test_the_zip_is_whole_and_every_clip_is_in_it(
        self, archive: zipfile.ZipFile, project: ElementTree.Element
    ) -> None:
        assert archive.testzip() is None
        files = {file.attrib["path"] for file in project.iter("File")}
        assert files == {name for name in archive.namelist() if name.startswith("audio/")}
        assert len(files) == 4

    def test_what_went_in_comes_out(self, archive: zipfile.ZipFile, mix: Mix) -> None:
        audio, rate = soundfile.read(io.BytesIO(archive.read("audio/drums.wav")), dtype="float32")
        assert rate == RATE
        assert np.abs(audio.T - mix.stems["drums"].numpy()).max() < 2**-23

    def test_devices_stand_as_the_preset_says(self, project: ElementTree.Element) -> None:
        drums = self.channel(project, "drums")
        assert [device.tag for device in drums.findall("Devices/*")] == ["Equalizer", "Compressor"]
        bands = drums.findall("Devices/Equalizer/Band")
        assert [band.attrib["type"] for band in bands] == ["bell", "highShelf"], "flat bands are left out"
        assert self.value(bands[0], "Freq") == pytest.approx(1700)
        assert self.value(bands[0], "Gain") == pytest.approx(-9)
        assert self.value(bands[0], "Q") == pytest.approx(0.5)
        compressor = drums.find("Devices/Compressor")
        assert compressor is not None
        assert self.value(compressor, "Threshold") == pytest.approx(-24)
        assert self.value(compressor, "Ratio") == pytest.approx(50), "2:1 is 50 %"
        assert self.value(compressor, "Attack") == pytest.approx(0.03)
        gate = self.channel(project, "vocals").find("Devices/NoiseGate")
        assert gate is not None
        assert self.value(gate, "Range") == pytest.approx(-20)

    def test_gains_are_where_they_were(self, project: ElementTree.Element) -> None:
        """Behind all devices they are in the fader; before a compressor or limiter they go into it."""
        assert self.value(self.channel(project, "drums"), "Volume") == pytest.approx(10 ** ((4 - 3) / 20), rel=1e-5)
        vocals = self.channel(project, "vocals")
        assert self.value(vocals, "Devices/Compressor/InputGain") == pytest.approx(4)
        assert self.value(vocals, "Volume") == pytest.approx(10 ** (2 / 20), rel=1e-5)
        master = self.channel(project, "master")
        assert self.value(master, "Devices/Limiter/InputGain") == pytest.approx(4)
        assert self.value(master, "Devices/Limiter/Threshold") == pytest.approx(-3)
        assert self.value(master, "Volume") == pytest.approx(10 ** ((-1 - 2) / 20), rel=1e-5)

    def test_its_devices_and_fader_make_what_was_rendered(self, mix: Mix, tmp_path: Path) -> None:
        """Read by something else: devices built from the numbers in the file render the same sound."""
        part = strip("eq | gain | compressor", -3.0)
        session = Session("null", Preset(stems={"drums": part}, output_gain_db=-2.0), read_input=lambda: mix)
        load_exporter("dawproject").export(session, tmp_path / "null.dawproject")
        archive = zipfile.ZipFile(tmp_path / "null.dawproject")
        channel = self.channel(ElementTree.fromstring(archive.read("project.xml")), "drums")
        equalizer, compressor = channel.findall("Devices/*")
        numbers = {"mid": equalizer.findall("Band")[0], "high": equalizer.findall("Band")[1]}
        eq = {f"{band}_gain_db": self.value(element, "Gain") for band, element in numbers.items()}
        eq |= {f"{band}_hz": self.value(element, "Freq") for band, element in numbers.items()}
        eq["mid_q"] = self.value(numbers["mid"], "Q")
        chain = load_chain("eq | gain | compressor")
        settings = chain.neutral()
        settings["eq"] |= eq
        settings["gain"]["gain_db"] = self.value(compressor, "InputGain")
        settings["compressor"] |= {
            "threshold_db": self.value(compressor, "Threshold"),
            "ratio": 1 / (1 - self.value(compressor, "Ratio") / 100),
            "attack_ms": 1000 * self.value(compressor, "Attack"),
            "release_ms": 1000 * self.value(compressor, "Release"),
        }
        made = chain.render_one(mix.stems["drums"], settings, RATE).numpy() * self.value(channel, "Volume")
        wet, _ = soundfile.read(io.BytesIO(archive.read("audio/drums-rendered.wav")), dtype="float32")
        rendered = wet.T * 10 ** (2 / 20)  # the master has the output gain
        assert np.square(made - rendered).sum() / np.square(rendered).sum() < 1e-8

    @pytest.mark.parametrize(("louder", "lufs"), [(4.0, None), (1.0, -30.0)])
    @pytest.mark.parametrize("master", [False, True])
    def test_of_any_input_the_rendered_tracks_add_up_to_what_the_preset_makes_of_it(
        self, mix: Mix, tmp_path: Path, louder: float, lufs: float | None, master: bool
    ) -> None:
        """The rendered stems behind the master's devices and fader are the sum, whatever gain it needed."""
        other = Mix.from_arrays({name: louder * x.numpy() for name, x in mix.stems.items()}, RATE, subtype="FLOAT")
        strips = {name: strip("reverb", -3.0) for name in STRIPS}
        preset = Preset(stems=strips, master=strip("gain", -1.0) if master else None, loudness_lufs=lufs)
        out = tmp_path / "any.dawproject"
        load_exporter("dawproject").export(Session("any", preset, read_input=lambda: other), out)
        archive = zipfile.ZipFile(out)
        project = ElementTree.fromstring(archive.read("project.xml"))
        total = np.zeros((2, RATE // 2))
        for name in STRIPS:
            audio, _ = soundfile.read(io.BytesIO(archive.read(f"audio/{name}-rendered.wav")))
            total += audio.T * self.value(self.channel(project, f"{name} (rendered)"), "Volume")
        total *= self.value(self.channel(project, "master"), "Volume")
        made = render_preset(other, preset).mix.numpy()
        assert np.square(total - made).sum() / np.square(made).sum() < 1e-8

    def test_a_limiter_at_full_scale_behind_a_gain_is_a_device(self, tmp_path: Path) -> None:
        chain = load_chain("gain | limiter")
        settings = chain.neutral() | {"gain": {"gain_db": 12.0}}
        out = tmp_path / "loud.dawproject"
        load_exporter("dawproject").export(
            Session("loud", Preset(stems={"drums": StripPreset.of(chain, settings)})), out
        )
        project = ElementTree.fromstring(zipfile.ZipFile(out).read("project.xml"))
        assert self.value(self.channel(project, "drums"), "Devices/Limiter/InputGain") == pytest.approx(12)

    def test_pans_go_from_left_at_0_to_right_at_1(self, project: ElementTree.Element) -> None:
        assert self.value(self.channel(project, "drums"), "Pan") == pytest.approx(0.7)
        assert self.value(self.channel(project, "vocals"), "Pan") == pytest.approx(0.5)

    def test_rendered_stems_stand_muted_beside_their_input(self, project: ElementTree.Element) -> None:
        muted = {track.attrib["name"]: track.find("Channel/Mute") for track in project.findall("Structure/Track")}
        states = {name: mute.attrib["value"] for name, mute in muted.items() if mute is not None}
        assert states == {
            "drums": "false",
            "drums (rendered)": "true",
            "vocals": "false",
            "vocals (rendered)": "true",
            "master": "false",
        }

    def test_every_reference_leads_to_an_id_that_is_there_once(self, project: ElementTree.Element) -> None:
        ids = [element.attrib["id"] for element in project.iter() if "id" in element.attrib]
        assert len(ids) == len(set(ids))
        used = {
            element.attrib[key]
            for element in project.iter()
            for key in ("track", "destination")
            if key in element.attrib
        }
        assert used <= set(ids)

    def test_what_has_no_device_is_told(self, session: Session, tmp_path: Path) -> None:
        notes = load_exporter("dawproject").export(session, tmp_path / "a.dawproject").notes
        assert any("drums: reverb has no device" in note for note in notes)
        assert any("vocals: saturation has no device" in note for note in notes)

    def test_a_preset_alone_has_devices_and_faders_and_no_clips(self, preset: Preset, tmp_path: Path) -> None:
        out = tmp_path / "bare.dawproject"
        exported = load_exporter("dawproject").export(Session("bare", preset), out)
        with zipfile.ZipFile(out) as archive:
            project = ElementTree.fromstring(archive.read("project.xml"))
            assert archive.namelist() == ["project.xml", "metadata.xml"]
        assert project.find("Structure/Track/Channel/Devices/Equalizer") is not None
        assert any("--input" in note for note in exported.notes)

    def test_an_effect_that_is_switched_off_is_a_disabled_device(self, preset: Preset, tmp_path: Path) -> None:
        drums = preset.stems["drums"]
        off = [entry.model_copy(update={"bypass": entry.effect in ("compressor", "gain")}) for entry in drums.chain]
        changed = preset.model_copy(update={"stems": {"drums": drums.model_copy(update={"chain": off})}})
        load_exporter("dawproject").export(Session("off", changed), tmp_path / "off.dawproject")
        with zipfile.ZipFile(tmp_path / "off.dawproject") as archive:
            project = ElementTree.fromstring(archive.read("project.xml"))
        enabled = [element.attrib["value"] for element in project.findall("Structure/Track/Channel/Devices/*/Enabled")]
        assert enabled == ["true", "false", "true"], "the equalizer, the compressor, the limiter of the master"
        assert self.value(self.channel(project, "drums"), "Volume") == pytest.approx(10 ** (-3 / 20), rel=1e-5)

    @pytest.mark.skipif("DAWPROJECT_SCHEMAS" not in os.environ, reason="DAWPROJECT_SCHEMAS is the folder of the .xsd")
    def test_documents_are_valid_by_the_schema(self, archive: zipfile.ZipFile) -> None:
        etree = pytest.importorskip("lxml.etree")
        for file, schema in (("project.xml", "Project.xsd"), ("metadata.xml", "MetaData.xsd")):
            rules = etree.XMLSchema(etree.parse(str(Path(os.environ["DAWPROJECT_SCHEMAS"]) / schema)))
            rules.assertValid(etree.fromstring(archive.read(file)))


class TestReaper:
    def test_the_project_parses_and_says_what_the_preset_says(self, session: Session, tmp_path: Path) -> None:
        rppxml = pytest.importorskip("rppxml")
        exported = load_exporter("reaper").export(session, tmp_path / "song.rpp")
        project = rppxml.load(str(tmp_path / "song.rpp"))
        tracks = [child for child in project.children if getattr(child, "name", "") == "TRACK"]
        found = {}
        for track in tracks:
            lines = {line[0]: line[1:] for line in track.children if isinstance(line, list)}
            (item,) = [child for child in track.children if getattr(child, "name", "") == "ITEM"]
            (source,) = [child for child in item.children if getattr(child, "name", "") == "SOURCE"]
            found[lines["NAME"][0]] = (lines["VOLPAN"][:2], lines["MUTESOLO"][0], source.children[0][1])
        assert found["drums"] == ([pytest.approx(10 ** (1 / 20)), pytest.approx(0.4)], 0, "song-audio/drums.wav")
        assert found["vocals"][0][0] == pytest.approx(10 ** (6 / 20)), "all gains: there are no devices"
        assert found["vocals (rendered)"][1] == 1
        assert all((tmp_path / place).is_file() for *_, place in found.values())
        assert set(exported.files) == {tmp_path / "song.rpp", *(tmp_path / place for *_, place in found.values())}
        assert "Cut 9 dB" in (tmp_path / "song.rpp").read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")


class TestImpulseResponses:
    @pytest.mark.parametrize(
        "text", ["eq | panner | imager | reverb | gain", "eq | compressor | delay | reverb", "gain"]
    )
    def test_convolving_is_the_linear_part(self, text: str, tmp_path: Path) -> None:
        part = strip(text)
        load_exporter("ir").export(Session("a", Preset(stems={"drums": part}), rate=RATE), tmp_path / "drums.wav")
        responses, rate = soundfile.read(tmp_path / "drums.wav", always_2d=True)
        assert (rate, responses.shape[1]) == (RATE, 4)
        x = 0.3 * np.random.default_rng(0).standard_normal((2, RATE))
        left_left, left_right, right_left, right_right = responses.T
        convolved = np.stack(
            [
                scipy.signal.fftconvolve(x[0], left_left) + scipy.signal.fftconvolve(x[1], right_left),
                scipy.signal.fftconvolve(x[0], left_right) + scipy.signal.fftconvolve(x[1], right_right),
            ]
        )[:, :RATE]
        chain, settings = part.build()
        linear = Chain("linear", tuple(slot for slot in chain.slots if isinstance(slot.effect, LinearEffect)))
        rendered = linear.render_one(torch.from_numpy(x), settings, RATE).numpy()
        off = np.square(convolved - rendered).sum() / np.square(rendered).sum()
        assert 10 * np.log10(off) < -80

    def test_what_rings_before_the_sound_is_told_as_latency(self, tmp_path: Path) -> None:
        """A room that is filtered without phase begins before its first reflection."""
        chain = load_chain("reverb")
        settings = chain.neutral()
        settings["reverb"] |= {"mix": 1.0, "pre_delay_ms": 0.0}
        preset = Preset(stems={"drums": StripPreset.of(chain, settings)})
        exported = load_exporter("ir").export(Session("a", preset), tmp_path / "ir")
        assert any("samples" in note and "late" in note for note in exported.notes)

    def test_what_is_not_linear_is_told(self, session: Session, tmp_path: Path) -> None:
        exported = load_exporter("ir").export(session, tmp_path / "ir")
        assert {path.name for path in exported.files} == {"drums.wav", "vocals.wav", "master.wav"}
        assert any(
            note == "vocals: expander, compressor, saturation are not linear, and left out." for note in exported.notes
        )

    def test_several_strips_need_a_folder(self, session: Session, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="one file"):
            load_exporter("ir").export(session, tmp_path / "ir.wav")

    def test_a_rate_that_is_none_is_refused(self, preset: Preset, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="sample rate"):
            load_exporter("ir").export(Session("a", preset, rate=44), tmp_path / "ir")


class TestDocuments:
    def test_tables_and_presets_are_those_of_a_result(self, session: Session, preset: Preset, tmp_path: Path) -> None:
        load_exporter("csv").export(session, tmp_path / "a.csv")
        load_exporter("json").export(session, tmp_path / "a.json")
        rows = list(csv.DictReader((tmp_path / "a.csv").open()))
        wanted = {"stem": "drums", "effect": "eq", "label": "eq", "param": "mid_hz", "value": "1700", "unit": "Hz"}
        assert any(wanted.items() <= row.items() for row in rows)
        assert load_preset(tmp_path / "a.json") == preset

    def test_words_are_those_of_explain(self, session: Session, tmp_path: Path) -> None:
        load_exporter("text").export(session, tmp_path / "a.txt")
        assert "Cut 9 dB around 1.7 kHz, wide." in " ".join((tmp_path / "a.txt").read_text().split())

    def test_a_name_that_says_something_else_is_refused(self, session: Session, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="would hold csv") as error:
            load_exporter("csv").export(session, tmp_path / "a.txt")
        assert error.value.hint == "Name it a.csv."

    @pytest.mark.parametrize("name", ["ir", "pedalboard"])
    def test_a_strip_of_any_name_stays_in_the_folder(self, tmp_path: Path, name: str) -> None:
        chain = load_chain("pedalboard_eq" if name == "pedalboard" else "eq")
        part = StripPreset.of(chain, chain.neutral())
        session = Session("odd", Preset(stems={"../../escaped": part, "drums": part}, master=strip("eq")))
        out = tmp_path / "a" / "b" / "out"
        made = load_exporter(name).export(session, out)
        assert {file.parent for file in made.files} == {out}
        assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(made.files)
        assert name == "ir" or any(note.startswith("master: not all effects") for note in made.notes)

    def test_nothing_is_overwritten_unasked(self, session: Session, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("mine")
        with pytest.raises(OutputExistsError):
            load_exporter("csv").export(session, tmp_path / "a.csv")
        assert (tmp_path / "a.csv").read_text() == "mine"


class TestScripts:
    def test_a_script_renders_what_the_strip_renders(self, tmp_path: Path) -> None:
        chain = load_chain("pedalboard_eq | pedalboard_reverb")
        settings = chain.neutral()
        settings["pedalboard_reverb"]["mix"] = 0.3
        gains = [param.name for param in chain.slots[0].effect.params if param.depth]
        settings["pedalboard_eq"] |= dict(zip(gains, (9.0, -6.0), strict=False))
        part = StripPreset.of(chain, settings, -3.0)
        load_exporter("pedalboard").export(Session("a", Preset(stems={"drums": part})), tmp_path / "scripts")
        x = 0.1 * np.random.default_rng(0).standard_normal((2, 4410)).astype(np.float32)
        soundfile.write(tmp_path / "in.wav", x.T, RATE, subtype="FLOAT")
        script = [sys.executable, str(tmp_path / "scripts" / "drums.pedalboard.py")]
        subprocess.run([*script, str(tmp_path / "in.wav"), str(tmp_path / "out.wav")], check=True)
        made, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
        expected = chain.render_one(torch.from_numpy(x), settings, RATE).numpy() * 10 ** (-3 / 20)
        assert np.abs(made.T - expected).max() < 1e-5

    def test_other_effects_are_an_error_that_says_what_to_do(self, session: Session, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="pedalboard alone") as error:
            load_exporter("pedalboard").export(session, tmp_path / "scripts")
        assert "--chain pedalboard" in str(error.value.hint)
