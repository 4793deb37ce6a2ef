"""Files as the world has them: tags behind the sound, headers that nobody finished, values beyond all sense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stito.audio import read_audio
from stito.errors import AudioError

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
