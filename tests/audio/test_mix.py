"""A mix: stems of any shape become one song, or are refused with the numbers."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stito.audio import AudioFormat, resample, write_audio
from stito.errors import AudioError, MissingFileError, UnknownNameError
from stito.mix import Mix, read_mix

RATE = 44_100


def noise(channels: int = 2, length: int = RATE, seed: int = 0) -> torch.Tensor:
    steps = torch.randint(-(2**14), 2**14, (channels, length), generator=torch.Generator().manual_seed(seed))
    return steps / 2**15


def put(path: Path, samples: torch.Tensor, rate: int = RATE, subtype: str = "PCM_16") -> torch.Tensor:
    write_audio(path, samples, rate, subtype=subtype)
    return samples


def put_broadcast(path: Path, samples: torch.Tensor, time_reference: int, rate: int = RATE) -> None:
    """A Broadcast-WAV whose first sample stands at `time_reference` on the session's clock."""
    put(path, samples, rate)
    data = path.read_bytes()
    bext = bytes(338) + struct.pack("<Q", time_reference) + bytes(256)
    chunk = struct.pack("<4sI", b"bext", len(bext)) + bext
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8 + len(chunk)) + data[8:12] + chunk + data[12:])


# One file


def test_a_file_is_a_mix_of_one(tmp_path: Path) -> None:
    samples = put(tmp_path / "song.wav", noise(), 48_000, "PCM_24")
    mix = read_mix(tmp_path / "song.wav")
    assert (mix.kind, mix.name, list(mix.stems)) == ("mix", "song", ["mix"])
    assert mix.format == mix.format_of("mix") == AudioFormat(48_000, 2, "PCM_24")
    assert torch.equal(mix.sum(), samples)
    assert mix.duration_s == RATE / 48_000


def test_a_file_is_a_stem_if_one_says_so(tmp_path: Path) -> None:
    put(tmp_path / "line.wav", noise())
    mix = read_mix(tmp_path / "line.wav", stem="Bass")
    assert (mix.kind, mix.name, list(mix.stems), list(mix.formats)) == ("stem", "line", ["bass"], ["bass"])


def test_a_silent_file_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "song.wav", torch.zeros(2, RATE))
    with pytest.raises(AudioError, match="song is silent"):
        read_mix(tmp_path / "song.wav")
    with pytest.raises(MissingFileError):
        read_mix(tmp_path / "nothing")


# Folders


def test_a_folder_of_stems(tmp_path: Path) -> None:
    put(tmp_path / "VOCALS.WAV", noise(seed=1))
    soundfile.write(tmp_path / "drums.flac", noise(seed=2).T.numpy(), RATE, subtype="PCM_24")
    put(tmp_path / "Lead Guitar.wav", noise(seed=3))
    mix = read_mix(tmp_path)
    assert (mix.kind, mix.name, mix.notes) == ("stems", tmp_path.name, ())
    assert set(mix.stems) == {"vocals", "drums", "lead guitar"}
    assert mix.format == AudioFormat(RATE, 2, "PCM_24")
    assert mix.format_of("vocals") == AudioFormat(RATE, 2, "PCM_16")
    assert torch.allclose(mix.sum(), noise(seed=1) + noise(seed=2) + noise(seed=3), atol=1e-6)
    assert torch.equal(mix.stems["vocals"], noise(seed=1)), "summing must not change a stem"


@pytest.mark.parametrize("released", ["mixture.wav", "Mix.wav", "MASTER.wav"])
def test_the_released_mix_beside_stems_is_left_out(tmp_path: Path, released: str) -> None:
    put(tmp_path / "vocals.wav", noise())
    put(tmp_path / released, noise(seed=1))
    mix = read_mix(tmp_path)
    assert list(mix.stems) == ["vocals"]
    assert any(released in note for note in mix.notes)


def test_a_folder_with_a_mix_alone_is_that_mix(tmp_path: Path) -> None:
    put(tmp_path / "mix.wav", noise())
    (tmp_path / "stems").mkdir()
    mix = read_mix(tmp_path)
    assert (mix.kind, list(mix.stems)) == ("mix", ["mix"])
    assert any("stems" in note for note in mix.notes)
    put(tmp_path / "master.wav", noise())
    with pytest.raises(AudioError, match=r"master\.wav and mix\.wav and no stems"):
        read_mix(tmp_path)


def test_other_files_are_ignored_with_a_note(tmp_path: Path) -> None:
    put(tmp_path / "vocals.wav", noise())
    for name in (".DS_Store", "._vocals.wav", "notes.txt", "song.stem.mp4"):
        (tmp_path / name).write_text("not a stem")
    mix = read_mix(tmp_path)
    assert list(mix.stems) == ["vocals"]
    assert all(name in mix.notes[0] for name in (".DS_Store", "._vocals.wav", "notes.txt", "song.stem.mp4"))


def test_a_folder_without_audio_says_what_it_found(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="holds no audio; found: nothing"):
        read_mix(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(AudioError, match=r"holds no audio; found: notes\.txt"):
        read_mix(tmp_path)


def test_two_files_for_one_stem_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "Vocals.wav", noise())
    soundfile.write(tmp_path / "vocals.flac", noise().T.numpy(), RATE)
    with pytest.raises(AudioError, match=r"Vocals\.wav and vocals\.flac are both the stem 'vocals'"):
        read_mix(tmp_path)


def test_one_stem_of_a_folder(tmp_path: Path) -> None:
    put(tmp_path / "vocals.wav", noise())
    (tmp_path / "drums.wav").write_text("never looked at")
    mix = read_mix(tmp_path, stem="vocals")
    assert (mix.kind, list(mix.stems)) == ("stem", ["vocals"])
    with pytest.raises(UnknownNameError, match="Unknown stem 'bass'"):
        read_mix(tmp_path, stem="bass")


def test_silent_stems_are_kept_unless_all_are(tmp_path: Path) -> None:
    put(tmp_path / "vocals.wav", torch.zeros(2, RATE))
    with pytest.raises(AudioError, match="all stems are silent"):
        read_mix(tmp_path)
    put(tmp_path / "bass.wav", noise())
    mix = read_mix(tmp_path)
    assert set(mix.stems) == {"vocals", "bass"}
    assert mix.notes == ("vocals is silent.",)


# Stems that differ


def test_rates_become_the_highest(tmp_path: Path) -> None:
    low, high = noise(length=RATE), noise(length=48_000, seed=1)
    put(tmp_path / "bass.wav", low, 44_100)
    put(tmp_path / "drums.wav", high, 48_000)
    mix = read_mix(tmp_path)
    assert mix.sample_rate == mix.format.sample_rate == 48_000
    assert torch.equal(mix.stems["drums"], high)
    assert torch.equal(mix.stems["bass"], resample(low, 44_100, 48_000))
    assert mix.format_of("bass").sample_rate == 44_100
    assert mix.notes == ("Converted to 48000 Hz: bass 44100 Hz.",)


def test_mono_joins_stereo(tmp_path: Path) -> None:
    mono = put(tmp_path / "bass.wav", noise(channels=1))
    put(tmp_path / "drums.wav", noise(seed=1))
    mix = read_mix(tmp_path)
    assert torch.equal(mix.stems["bass"], torch.cat([mono, mono]))
    assert mix.notes == ("Made stereo from mono: bass.",)
    assert mix.format.channels == 2


def test_all_mono_stays_mono(tmp_path: Path) -> None:
    put(tmp_path / "bass.wav", noise(channels=1))
    put(tmp_path / "drums.wav", noise(channels=1, seed=1))
    mix = read_mix(tmp_path)
    assert mix.sum().shape == (1, RATE)
    assert mix.stereo("bass").shape == mix.stereo_sum().shape == (2, RATE)
    assert mix.notes == ()


def test_surround_and_stereo_do_not_mix(tmp_path: Path) -> None:
    put(tmp_path / "bass.wav", noise(channels=6))
    put(tmp_path / "drums.wav", noise())
    with pytest.raises(AudioError, match="bass 6, drums 2"):
        read_mix(tmp_path)


def test_a_shorter_stem_is_padded_at_its_end(tmp_path: Path) -> None:
    put(tmp_path / "bass.wav", noise(length=RATE // 2))
    put(tmp_path / "drums.wav", noise(length=RATE, seed=1))
    mix = read_mix(tmp_path)
    assert torch.equal(mix.stems["bass"][:, : RATE // 2], noise(length=RATE // 2))
    assert not mix.stems["bass"][:, RATE // 2 :].any()
    assert mix.notes == ("Padded with silence at the end: bass by 0.500 s.",)


@pytest.mark.parametrize(("short_s", "long_s", "is_one_song"), [(1, 10.9, True), (1, 11.2, False), (92, 102, True)])
def test_lengths_may_differ_by_a_tenth_or_ten_seconds(
    tmp_path: Path, short_s: float, long_s: float, is_one_song: bool
) -> None:
    rate = 8_000
    put(tmp_path / "bass.wav", noise(1, round(short_s * rate)), rate)
    put(tmp_path / "drums.wav", noise(1, round(long_s * rate)), rate)
    if is_one_song:
        assert read_mix(tmp_path).duration_s == pytest.approx(long_s)
    else:
        with pytest.raises(AudioError, match=r"bass 1\.00 s, drums 11\.20 s") as caught:
            read_mix(tmp_path)
        assert caught.value.hint == "Export all stems from the same start to the same end."


def test_stems_stand_where_their_time_references_say(tmp_path: Path) -> None:
    hour = 3600 * RATE
    put_broadcast(tmp_path / "bass.wav", noise(), hour)
    put_broadcast(tmp_path / "drums.wav", noise(seed=1), hour + RATE // 2)
    put(tmp_path / "vocals.wav", noise(seed=2))
    mix = read_mix(tmp_path)
    assert mix.duration_s == 1.5
    assert torch.equal(mix.stems["drums"][:, RATE // 2 :], noise(seed=1))
    assert not mix.stems["drums"][:, : RATE // 2].any()
    assert torch.equal(mix.stems["bass"][:, :RATE], noise())
    assert "Placed by Broadcast-WAV time reference: drums +0.500 s." in mix.notes
    assert "Placed at the start, without time reference: vocals." in mix.notes
    assert "Padded with silence at the end: bass by 0.500 s, vocals by 0.500 s." in mix.notes


def test_equal_time_references_move_nothing(tmp_path: Path) -> None:
    put_broadcast(tmp_path / "bass.wav", noise(), 3600 * 44_100, 44_100)
    put_broadcast(tmp_path / "drums.wav", noise(length=48_000), 3600 * 48_000, 48_000)
    mix = read_mix(tmp_path)
    assert mix.duration_s == 1.0
    assert not any("time reference" in note for note in mix.notes)


def test_time_references_too_far_apart_are_refused(tmp_path: Path) -> None:
    put_broadcast(tmp_path / "bass.wav", noise(), 0)
    put_broadcast(tmp_path / "drums.wav", noise(), 601 * RATE)
    with pytest.raises(AudioError, match=r"more than 10 minutes apart: drums \+601\.000 s"):
        read_mix(tmp_path)


# What a mix offers


def song(**stems: torch.Tensor) -> Mix:
    return Mix(stems, 48_000, AudioFormat(48_000, 2, "PCM_24"), "song", kind="stems")


def test_at_another_rate_only_the_samples_change() -> None:
    mix = song(bass=noise(), drums=noise(seed=1))
    lower = mix.at(24_000)
    assert lower.sample_rate == 24_000
    assert lower.format == mix.format
    assert torch.equal(lower.stems["bass"], resample(noise(), 48_000, 24_000))
    assert lower.duration_s == pytest.approx(mix.duration_s)
    assert mix.at(48_000) is mix


def test_digests_follow_the_samples() -> None:
    mix = song(bass=noise(), drums=noise(seed=1), copy=noise())
    digests = mix.digests()
    assert digests["bass"] == digests["copy"] != digests["drums"]
    assert mix.at(24_000).digests()["bass"] != digests["bass"]


def test_stems_of_different_shapes_are_no_mix() -> None:
    with pytest.raises(AudioError, match="shapes"):
        song(bass=noise(), drums=noise(length=100))
    with pytest.raises(AudioError, match="one entry, not 2"):
        Mix({"a": noise(), "b": noise()}, RATE, AudioFormat(RATE, 2, "FLOAT"), "song", kind="mix")
    with pytest.raises(AudioError, match="shapes"):
        song()


def test_an_unknown_stem_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Unknown stem 'drum'") as caught:
        song(bass=noise(), drums=noise()).stereo("drum")
    assert caught.value.hint == "Did you mean drums?"


def test_a_stem_file_is_a_mix_of_four(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    if "aac" not in av.codecs_available:
        pytest.skip("FFmpeg was built without an AAC encoder")
    tones = [np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE) / 8 for hertz in (100, 200, 400, 800, 1600)]
    with av.open(str(tmp_path / "song.stem.mp4"), "w", format="mp4") as out:
        streams = [out.add_stream("aac", rate=RATE, layout="stereo") for _ in tones]
        for stream, tone in zip(streams, tones, strict=True):
            frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]).astype(np.float32), "fltp", "stereo")
            frame.sample_rate, frame.pts = RATE, 0
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                out.mux(packet)
    mix = read_mix(tmp_path / "song.stem.mp4")
    assert (mix.kind, mix.name, list(mix.stems)) == ("stems", "song", ["drums", "bass", "other", "vocals"])
    assert mix.sum().shape == (2, RATE)
    one = read_mix(tmp_path / "song.stem.mp4", stem="vocals")
    assert (one.kind, one.name, list(one.stems)) == ("stem", "song", ["vocals"])
    assert torch.equal(one.stems["vocals"], mix.stems["vocals"])


# Names of stems that are a slip of the keyboard


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("vocls", "vocals"),
        ("Vcoals", "vocals"),
        ("drms", "drums"),
        ("durms", "drums"),
        ("bas", "bass"),
        ("basss", "bass"),
        ("otehr", "other"),
        ("drumz", "drums"),
    ],
)
def test_a_slip_in_the_name_of_a_stem_suggests_the_stem(tmp_path: Path, name: str, meant: str) -> None:
    put(tmp_path / "take.wav", noise())
    with pytest.raises(UnknownNameError, match="Unknown stem") as caught:
        read_mix(tmp_path / "take.wav", stem=name)
    assert f"Did you mean {meant}?" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["vocals", "vocal", "drum", "bass2", "lead vocals", "synth", "gitarre", "others", "b"])
def test_names_of_ones_own_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    put(tmp_path / "take.wav", noise())
    assert list(read_mix(tmp_path / "take.wav", stem=name).stems) == [name]


def test_of_a_folder_the_stems_that_it_holds_are_suggested(tmp_path: Path) -> None:
    put(tmp_path / "Lead Vox.wav", noise())
    put(tmp_path / "kit.wav", noise(seed=1))
    with pytest.raises(UnknownNameError) as caught:
        read_mix(tmp_path, stem="led vox")
    assert "lead vox" in (caught.value.hint or "")
    with pytest.raises(UnknownNameError) as caught:
        read_mix(tmp_path, stem="zzz")
    assert "kit, lead vox" in (caught.value.hint or "")
