"""Files as the world has them: tags behind the sound, headers that nobody finished, values beyond all sense."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stito.audio import chunks, read_audio
from stito.errors import AudioError
from stito.mix import Mix

RATE = 44_100
ID3V1 = b"TAG" + bytes(125)
APE = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little") + bytes(16)
TAILS = {
    "padding": bytes(4096),
    "three zeros": bytes(3),
    "Lyrics3": b"LYRICSBEGININD0000200LYR00012hello there 000047LYRICS200" + ID3V1,
    "ID3v2": b"ID3\4\0\0\0\0\1\0" + bytes(128),
    "APEv2 and ID3v1": APE + ID3V1,
    "two ID3v1": ID3V1 * 2,
    "a picture": b"\xff\xd8\xff\xe0" + np.random.default_rng(1).bytes(20_000),
    "text": b"ripped by nobody\n" * 99,
}


def noise(seconds: float = 2.0) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * RATE), 2)).astype(np.float32)


def without_xing(mp3: bytes) -> bytes:
    """The same MP3, which no longer states its length."""
    return mp3[mp3.index(b"\xff\xfb", max(mp3.find(b"Xing"), mp3.find(b"Info"))) :]


def encoded(name: str, codec: str) -> bytes:
    """Noise as a codec of FFmpeg's has it."""
    import av

    if codec not in av.codecs_available:
        pytest.skip(f"FFmpeg was built without {codec}")
    with av.open(name, "w") as out:
        stream = out.add_stream(codec, rate=RATE, layout="stereo")
        stream.codec_context.open()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(noise().T), format="fltp", layout="stereo")
        frame.sample_rate = RATE
        size = stream.codec_context.frame_size or None
        shaper = av.AudioResampler(stream.codec_context.format.name, "stereo", RATE, frame_size=size)
        for block in [*shaper.resample(frame), *shaper.resample(None), None]:
            for packet in stream.encode(block):
                out.mux(packet)
    return Path(name).read_bytes()


# What lies behind the sound


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.wav", "a.aiff", "a.ogg"])
def test_what_lies_behind_the_sound_changes_nothing(tmp_path: Path, name: str, tail: str) -> None:
    path = tmp_path / name
    soundfile.write(path, noise(), RATE)
    clean = read_audio(path)
    path.write_bytes(path.read_bytes() + TAILS[tail])
    audio = read_audio(path)
    assert torch.equal(audio.samples, clean.samples)
    assert audio.notes == clean.notes


@pytest.mark.parametrize("tail", TAILS)
def test_tags_behind_an_mp3_that_states_no_length_are_left_out_with_a_note(tmp_path: Path, tail: str) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, noise(), RATE)
    data = without_xing(path.read_bytes())
    path.write_bytes(data)
    clean = read_audio(path)
    path.write_bytes(data + TAILS[tail])
    audio = read_audio(path)
    assert torch.equal(audio.samples, clean.samples)
    assert all("was left out" in note for note in audio.notes)


@pytest.mark.parametrize("tail", [tail for tail in TAILS if tail != "a picture"])
@pytest.mark.parametrize(("name", "codec"), [("a.wv", "wavpack"), ("a.aac", "aac"), ("a.m4a", "aac")])
def test_tags_behind_other_containers_change_nothing(tmp_path: Path, name: str, codec: str, tail: str) -> None:
    path = tmp_path / name
    data = encoded(str(path), codec)
    clean = read_audio(path)
    path.write_bytes(data + TAILS[tail])
    assert torch.equal(read_audio(path).samples, clean.samples)


def test_an_mp3_whose_middle_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, noise(4.0), RATE)
    data = without_xing(path.read_bytes())
    path.write_bytes(data[: len(data) // 3] + bytes(9000) + data[len(data) // 3 + 9000 :])
    with pytest.raises(AudioError, match="damaged"):
        read_audio(path)


def test_mp3s_that_were_joined_are_read_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, noise(), RATE)
    data = path.read_bytes()
    path.write_bytes(data + TAILS["text"] + data)
    assert read_audio(path).duration_s == pytest.approx(4.0, abs=0.1)


def test_an_mp3_that_is_cut_within_a_frame_is_no_tag(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, noise(), RATE)
    data = without_xing(path.read_bytes())
    cut = data.index(b"\xff\xfb", len(data) // 2) + 2
    path.write_bytes(data[:cut])
    with pytest.raises(AudioError, match="truncated"):
        read_audio(path)


def test_mp2_is_read(tmp_path: Path) -> None:
    encoded(str(tmp_path / "a.mp2"), "mp2")
    assert read_audio(tmp_path / "a.mp2").duration_s == pytest.approx(2.0, abs=0.05)


# Headers that nobody finished

NO_SIZE, NO_SIZE_64 = 0xFFFFFFFF, (1 << 64) - 1
FORM = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, RATE, 4 * RATE, 4, 16)
WHOLE = np.random.default_rng(2).integers(-20_000, 20_000, (RATE // 2, 2)).astype("<i2")
SOUND = WHOLE.tobytes()


def wav(riff: int, data: int, before: bytes = b"", behind: bytes = b"") -> bytes:
    head = b"RIFF" + struct.pack("<I", riff) + b"WAVE" + before + FORM + b"data" + struct.pack("<I", data)
    return head + SOUND + behind


def rf64(name: bytes, riff: int, data: int, frames: int, data_chunk: int = NO_SIZE) -> bytes:
    sizes = b"ds64" + struct.pack("<IQQQI", 28, riff, data, frames, 0)
    head = name + struct.pack("<I", NO_SIZE) + b"WAVE" + sizes + FORM + b"data" + struct.pack("<I", data_chunk)
    return head + SOUND


def aiff(form: int, frames: int, sound: int) -> bytes:
    common = b"COMM" + struct.pack(">IhIh", 18, 2, frames, 16) + bytes.fromhex("400eac44000000000000")
    head = b"FORM" + struct.pack(">I", form) + b"AIFF" + common + b"SSND" + struct.pack(">III", sound, 0, 0)
    return head + WHOLE.astype(">i2").tobytes()


def other(container: str, at: int, size: bytes, chunk: bytes = b"") -> bytes:
    """A file of libsndfile's with another size of its sound, which stands so far behind the name of its chunk."""
    buffer = io.BytesIO()
    soundfile.write(buffer, WHOLE, RATE, format=container, subtype="PCM_16")
    data = bytearray(buffer.getvalue())
    place = data.index(chunk) + at
    data[place : place + len(size)] = size
    return bytes(data)


UNFINISHED = {
    "WAV, both 0": ("a.wav", wav(0, 0)),
    "WAV, data 0": ("a.wav", wav(36, 0)),
    "WAV, data -1": ("a.wav", wav(NO_SIZE, NO_SIZE)),
    "WAV, data -256": ("a.wav", wav(0, NO_SIZE - 255)),
    "WAV, riff 0": ("a.wav", wav(0, len(SOUND))),
    "WAV, junk first": ("a.wav", wav(0, 0, before=b"JUNK" + struct.pack("<I", 28) + bytes(28))),
    "RF64, ds64 0": ("a.wav", rf64(b"RF64", 0, 0, 0)),
    "RF64, all 0": ("a.rf64", rf64(b"RF64", 0, 0, 0, data_chunk=0)),
    "RF64, ds64 -1": ("a.wav", rf64(b"RF64", NO_SIZE_64, NO_SIZE_64, NO_SIZE_64)),
    "BW64, ds64 0": ("a.wav", rf64(b"BW64", 0, 0, 0)),
    "AIFF, all 0": ("a.aiff", aiff(0, 0, 0)),
    "AIFF, SSND 8": ("a.aif", aiff(46, 0, 8)),
    "AIFF, all -1": ("a.aiff", aiff(NO_SIZE, NO_SIZE, NO_SIZE)),
    "Wave64, 0": ("a.w64", other("W64", 16, bytes(8), b"data")),
    "Wave64, -1": ("a.w64", other("W64", 16, b"\xff" * 8, b"data")),
    "CAF, -1": ("a.caf", other("CAF", 4, b"\xff" * 8, b"data")),
    "AU, 0": ("a.au", other("AU", 8, bytes(4), b".snd")),
    "AU, -1": ("a.au", other("AU", 8, b"\xff" * 4, b".snd")),
}


@pytest.mark.parametrize("kind", UNFINISHED)
def test_a_header_that_was_never_finished_is_read_to_the_end_of_the_file(tmp_path: Path, kind: str) -> None:
    name, data = UNFINISHED[kind]
    (tmp_path / name).write_bytes(data)
    audio = read_audio(tmp_path / name)
    assert audio.format.subtype == "PCM_16"
    assert np.array_equal(audio.samples.numpy().T * 2**15, WHOLE)


def test_a_repaired_header_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(0, 0))
    assert "never finished" in read_audio(tmp_path / "a.wav").notes[0]


def test_beyond_4_gb_sizes_that_begin_at_zero_again_are_seen_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "_WRAP", 1 << 15)
    wrapped = len(SOUND) % (1 << 15)
    (tmp_path / "a.wav").write_bytes(wav(wrapped + 36, wrapped))
    audio = read_audio(tmp_path / "a.wav")
    assert np.array_equal(audio.samples.numpy().T * 2**15, WHOLE)
    assert "goes on" in audio.notes[0]


def test_a_recording_without_sound_before_its_last_chunks_has_none(tmp_path: Path) -> None:
    listed = b"LIST" + struct.pack("<I", 4) + b"INFO"
    head = b"RIFF" + struct.pack("<I", 48) + b"WAVE" + FORM + b"data" + bytes(4)
    (tmp_path / "a.wav").write_bytes(head + listed)
    with pytest.raises(AudioError, match="no samples"):
        read_audio(tmp_path / "a.wav")


# Values beyond all sense


@pytest.mark.parametrize("value", [1e30, 2e6, -1e12])
def test_values_that_no_recording_has_are_refused(tmp_path: Path, value: float) -> None:
    x = noise()
    x[1000, 1] = value
    soundfile.write(tmp_path / "a.wav", x, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match="above full scale") as caught:
        read_audio(tmp_path / "a.wav")
    assert "within about ±1" in (caught.value.hint or "")
    with pytest.raises(AudioError, match="above full scale"):
        Mix.from_arrays(x.T, RATE)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    x = noise().astype(np.float64)
    x[1000, 1] = value
    soundfile.write(tmp_path / "a.wav", x, RATE, subtype="DOUBLE")
    with pytest.raises(AudioError, match="NaN or infinite"):
        read_audio(tmp_path / "a.wav")


def test_40_db_beyond_full_scale_is_read_as_it_is(tmp_path: Path) -> None:
    x = 200 * noise()
    soundfile.write(tmp_path / "a.wav", x, RATE, subtype="FLOAT")
    assert np.array_equal(read_audio(tmp_path / "a.wav").samples.numpy().T, x)


def test_an_mp3_in_a_wav_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    encoded(str(path), "libmp3lame")
    assert path.read_bytes()[20:22] == b"\x55\0"
    assert read_audio(path).samples.shape[-1] == pytest.approx(2 * RATE, abs=3000)


def test_sound_behind_a_size_that_is_out_of_date_is_told(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    soundfile.write(path, noise(4.0), RATE, subtype="PCM_16")
    whole = bytearray(path.read_bytes())
    whole[40:44] = struct.pack("<I", struct.unpack("<I", whole[40:44])[0] // 2)
    path.write_bytes(whole)
    audio = read_audio(path)
    assert audio.samples.shape[-1] == 2 * RATE
    assert "lies 100% as much again" in audio.notes[0]
