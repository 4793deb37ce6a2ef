"""Results and presets in words, and out of the folder of a result into other tools."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from conftest import CHAIN, song
from stito.cli import cli
from stito.console.preset import Preset, StripPreset, load_preset
from stito.console.strips import render_preset
from stito.console.words import MOST_MOVES, explain, reductions_of, words_of
from stito.effects.chain_files import load_chain
from stito.errors import OutputError, StitoError
from stito.mix import add_up
from stito.report.build import build_report
from stito.workflows.explain import explain_source, read_source
from stito.workflows.export import run_export
from stito.workflows.transfer import Transfer, run_transfer


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def outdir(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("explained") / "out"
    run_transfer(Transfer(method="match", chain=CHAIN), songs / "night", songs / "street", out)
    return out


def test_a_result_says_what_was_done_and_what_was_measured(outdir: Path) -> None:
    result = json.loads((outdir / "result.json").read_text())
    words = explain_source(read_source(outdir)).strips
    assert set(words) == {"bass", "drums", "other", "vocals"}
    for name, strip in words.items():
        assert strip.sentences == result["words"][name]["sentences"]
        assert 1 <= len(strip.sentences) <= MOST_MOVES + 1
        sizes = [move.size_db for move in strip.moves if move.label != "fader"]
        assert sizes == sorted(sizes, reverse=True)
    compressed = next(text for text in words["drums"].sentences if text.startswith("Compress"))
    assert "of gain reduction" in compressed
    measured = result["words"]["drums"]["gain_reduction_db"]["compressor"]
    assert measured["most"] >= measured["mean"] > 0


def test_a_preset_alone_knows_threshold_and_ratio_only(outdir: Path) -> None:
    words = explain_source(read_source(outdir / "preset.json")).strips["drums"]
    compressed = next(text for text in words.sentences if text.startswith("Compress"))
    assert ":1 from -" in compressed
    assert "gain reduction" not in compressed


def test_the_original_audio_is_not_needed(outdir: Path, tmp_path: Path) -> None:
    for name in ("preset.json", "result.json"):
        shutil.copy(outdir / name, tmp_path / name)
    assert explain_source(read_source(tmp_path)).to_text() == explain_source(read_source(outdir)).to_text()


def test_the_words_are_the_head_of_each_stem_in_the_report(outdir: Path) -> None:
    page = (outdir / "report.html").read_text(encoding="utf-8")
    for strip in explain_source(read_source(outdir)).strips.values():
        assert f'<p class="words">{strip.text}</p>' in page
    assert '<details class="all">' in page


def test_the_command_prints_text_or_json(outdir: Path) -> None:
    text = run("explain", outdir)
    assert text.exit_code == 0
    assert "drums\n  " in text.output
    document = json.loads(run("explain", outdir / "preset.json", "--json").output)
    assert document["format"] == "stito.words"
    assert document["strips"]["bass"]["sentences"]


def test_a_folder_without_a_preset_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(StitoError, match="no preset in") as error:
        read_source(tmp_path)
    assert "OUTDIR" in str(error.value.hint)


def test_damaged_records_are_left_aside(outdir: Path, tmp_path: Path) -> None:
    shutil.copy(outdir / "preset.json", tmp_path / "preset.json")
    for record in ("[]", "{", '{"words": 3}', '{"words": {"drums": {"gain_reduction_db": {"compressor": 1}}}}'):
        (tmp_path / "result.json").write_text(record)
        assert "Compress" in explain_source(read_source(tmp_path)).to_text()


def test_what_is_switched_off_is_not_mentioned_and_not_measured() -> None:
    chain = load_chain("compressor | gain")
    settings = chain.neutral()
    settings["compressor"] |= {"threshold_db": -40.0, "ratio": 4.0}
    settings["gain"]["gain_db"] = 6.0
    strip = StripPreset.of(chain, settings, -2.0)
    drums = song("night", seconds=2.0, stems=("drums",)).stems["drums"]
    assert reductions_of(strip, drums, 44_100)["compressor"].mean_db > 3
    off = [entry.model_copy(update={"bypass": entry.effect == "compressor"}) for entry in strip.chain]
    without = strip.model_copy(update={"chain": off})
    assert reductions_of(without, drums, 44_100) == {}
    assert words_of(without).sentences == ["Turn it up 6 dB.", "Fader -2 dB."]


def test_a_wire_is_left_as_it_is_and_the_master_comes_last() -> None:
    chain = load_chain("gain")
    louder = StripPreset.of(chain, {"gain": {"gain_db": 3.0}})
    words = explain(Preset(stems={"bass": StripPreset(chain=[])}, master=louder))
    assert list(words) == ["bass", "master"]
    assert words["bass"].sentences == ["Leave it as it is."]
    assert words["master"].sentences == ["Turn it up 3 dB."]


def test_the_gain_reduction_of_a_master_is_that_on_the_sum_which_goes_into_it() -> None:
    mix, reference = song("night", seconds=2.0), song("street", styled=True, seconds=2.0)
    result = Transfer(method="match", chain="gain").run(mix, reference)
    chain = load_chain("compressor")
    settings = chain.neutral()
    settings["compressor"] |= {"threshold_db": -30.0, "ratio": 4.0}
    master = StripPreset.of(chain, settings)
    preset = result.preset.model_copy(update={"master": master})
    rendered = render_preset(mix, preset)
    words = build_report("", result.sources, replace(result, preset=preset, rendered=rendered)).words["master"]
    expected = reductions_of(master, add_up(rendered.stems.values()), mix.sample_rate)["compressor"]
    assert words.reductions["compressor"].mean_db == pytest.approx(expected.mean_db, abs=0.01)
    assert expected.mean_db > 3


def test_a_session_of_a_result_has_its_input_and_its_rendered_stems(outdir: Path, tmp_path: Path) -> None:
    answer = run("export", outdir, "--to", "dawproject", "-o", tmp_path / "song.dawproject")
    assert answer.exit_code == 0, answer.output
    with zipfile.ZipFile(tmp_path / "song.dawproject") as archive:
        names = archive.namelist()
        project = ElementTree.fromstring(archive.read("project.xml"))
    assert {"audio/drums.wav", "audio/drums-rendered.wav"} <= set(names)
    bands = project.findall("Structure/Track[@name='drums']/Channel/Devices/Equalizer/Band")
    entry = next(entry for entry in load_preset(outdir / "preset.json").stems["drums"].chain if entry.effect == "eq")
    gains = [band.find("Gain") for band in bands]
    written = {round(float(gain.attrib["value"]), 4) for gain in gains if gain is not None}
    wanted = {
        round(value, 4) for knob, value in entry.settings.items() if knob.endswith("_gain_db") and abs(value) > 0.01
    }
    assert wanted
    assert wanted <= written


@pytest.mark.parametrize("place", ["gone", "street.wav"])
def test_an_input_that_was_moved_or_separated_is_no_error_and_the_rendered_stems_play(
    place: str, outdir: Path, songs: Path, tmp_path: Path
) -> None:
    shutil.copytree(outdir, tmp_path / "out")
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    document["input"] = str(songs / place)
    (tmp_path / "out" / "result.json").write_text(json.dumps(document))
    exported = run_export(tmp_path / "out", tmp_path / "song.dawproject", "dawproject")
    assert any("no input audio" in note for note in exported.notes)
    with zipfile.ZipFile(tmp_path / "song.dawproject") as archive:
        project = ElementTree.fromstring(archive.read("project.xml"))
    mute = project.find("Structure/Track[@name='drums (rendered)']/Channel/Mute")
    assert mute is not None
    assert mute.attrib["value"] == "false"


def test_a_preset_with_its_audio_is_rendered_for_the_session(outdir: Path, songs: Path, tmp_path: Path) -> None:
    out = tmp_path / "song.dawproject"
    run_export(outdir / "preset.json", out, "dawproject", audio=songs / "night")
    with zipfile.ZipFile(out) as archive:
        assert {"audio/vocals.wav", "audio/vocals-rendered.wav"} <= set(archive.namelist())


def test_audio_of_other_stems_is_an_error_that_says_what_to_do(outdir: Path, songs: Path, tmp_path: Path) -> None:
    with pytest.raises(StitoError, match="has mix, and the preset") as error:
        run_export(outdir / "preset.json", tmp_path / "a.dawproject", "dawproject", audio=songs / "street.wav")
    assert "--stem" in str(error.value.hint)


@pytest.mark.parametrize("place", ["input", "rendered"])
def test_the_stems_that_a_result_is_made_of_are_never_overwritten(outdir: Path, place: str) -> None:
    recorded = Path(json.loads((outdir / "result.json").read_text())["input"])
    with pytest.raises(OutputError, match="overwrite"):
        run_export(outdir, recorded if place == "input" else outdir / "stems", "ir", force=True)


def test_an_input_is_never_overwritten(outdir: Path) -> None:
    with pytest.raises(StitoError, match="which is an input"):
        run_export(outdir, outdir / "preset.json", "json", force=True)


def test_formats_are_listed_in_the_help_and_an_unknown_one_is_an_error(outdir: Path, tmp_path: Path) -> None:
    assert "dawproject" in run("export", "--help").output
    answer = run("export", outdir, "--to", "aaf", "-o", tmp_path / "song.aaf")
    assert isinstance(answer.exception, StitoError)
