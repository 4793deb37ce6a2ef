"""The audio edge: what goes out is what came in, and what cannot be used is refused with a reason."""

from __future__ import annotations

import errno
import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stito.audio.write as writing
from stito.audio import (
    Audio,
    AudioFormat,
    check_writable,
    digest_of,
    read_audio,
    read_stem_file,
    require_sound,
    resample,
    to_stereo,
    write_atomic,
    write_audio,
)
from stito.errors import AudioError, MissingFileError, OutputError, OutputExistsError, SettingsError

RATE = 44_100


def sine(hertz: float, seconds: float = 0.5, rate: int = RATE, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def noise(channels: int, length: int, seed: int = 0, level: float = 0.5) -> torch.Tensor:
    samples: torch.Tensor = torch.rand(channels, length, generator=torch.Generator().manual_seed(seed))
    return level * (2 * samples - 1)


def on_grid(samples: torch.Tensor, bits: int) -> torch.Tensor:
    steps = 2.0 ** (bits - 1)
    return torch.round(samples * steps) / steps


def encode_mp4(path: Path, stems: Sequence[np.ndarray], rate: int = RATE, begin_at: Sequence[int] = ()) -> None:
    """AAC streams in one MP4, each from (2, t), begun at the given samples."""
    av = pytest.importorskip("av")
    if "aac" not in av.codecs_available:
        pytest.skip("FFmpeg was built without an AAC encoder")
    with av.open(str(path), "w", format="mp4") as out:
        streams = [out.add_stream("aac", rate=rate, layout="stereo", options={"b": "192k"}) for _ in stems]
        for number, (stream, stem) in enumerate(zip(streams, stems, strict=True)):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(stem, np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = rate, begin_at[number] if begin_at else 0
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                out.mux(packet)


def name_stems(path: Path, names: Sequence[str]) -> None:
    """Add a `stem` atom to an MP4 whose `moov` box comes last."""
    content = json.dumps({"version": 1, "stems": [{"name": name, "color": "#FFFFFF"} for name in names]}).encode()
    stem = struct.pack(">I4s", 8 + len(content), b"stem") + content
    udta = struct.pack(">I4s", 8 + len(stem), b"udta") + stem
    data = path.read_bytes()
    at = data.rindex(b"moov") - 4
    (size,) = struct.unpack_from(">I", data, at)
    assert at + size == len(data)
    path.write_bytes(data[:at] + struct.pack(">I", size + len(udta)) + data[at + 4 :] + udta)


def click(at: int, length: int = RATE) -> np.ndarray:
    """Two channels of a short burst that stands out of silence at one sample."""
    samples = np.zeros((2, length), np.float32)
    samples[:, at : at + 32] = 0.9
    return samples


# Round trips


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_24_bits_come_back_bit_exact(tmp_path: Path, rate: int, channels: int) -> None:
    samples = on_grid(noise(channels, rate // 5, level=1.0), 24)
    write_audio(tmp_path / "a.wav", samples, rate, subtype="PCM_24")
    audio = read_audio(tmp_path / "a.wav")
    assert torch.equal(audio.samples, samples)
    assert audio.format == AudioFormat(rate, channels, "PCM_24")
    assert audio.sample_rate == rate


def test_float_comes_back_bit_exact_beyond_full_scale(tmp_path: Path) -> None:
    samples = noise(2, 9_999, level=30.0)
    write_audio(tmp_path / "a.wav", samples, 48_000, subtype="FLOAT")
    audio = read_audio(tmp_path / "a.wav")
    assert torch.equal(audio.samples, samples)
    assert audio.format.subtype == "FLOAT"


def test_32_bits_keep_all_that_float32_holds(tmp_path: Path) -> None:
    samples = noise(2, 9_999, level=1.0)
    write_audio(tmp_path / "a.wav", samples, 48_000, subtype="PCM_32")
    audio = read_audio(tmp_path / "a.wav")
    assert float((audio.samples - samples).abs().max()) <= 2**-31
    assert audio.format.subtype == "PCM_32"


def test_16_bit_audio_passes_through_undithered(tmp_path: Path) -> None:
    samples = on_grid(noise(2, 9_999), 16)
    write_audio(tmp_path / "a.wav", samples, RATE, subtype="PCM_16")
    assert torch.equal(read_audio(tmp_path / "a.wav").samples, samples)


def test_dither_frees_a_quiet_tone_from_distortion(tmp_path: Path) -> None:
    """A tone of 0.4 steps would round to silence; with triangular dither it is there, in noise of 1/4 step² power."""
    tone = torch.tensor(sine(1000, seconds=4, level=0.4 / 2**15)[None], dtype=torch.float32)
    write_audio(tmp_path / "a.wav", tone, RATE, subtype="PCM_16")
    steps = read_audio(tmp_path / "a.wav").samples[0].double() * 2**15
    carrier = torch.tensor(sine(1000, seconds=4, level=1.0))
    assert float(2 * (steps * carrier).mean()) == pytest.approx(0.4, abs=0.02)
    assert float((steps - 0.4 * carrier).square().mean()) == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_the_same_call_writes_the_same_bytes(tmp_path: Path, subtype: str) -> None:
    for name in ("a.wav", "b.wav"):
        write_audio(tmp_path / name, noise(2, 100_000), RATE, subtype=subtype)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@settings(max_examples=40)
@given(
    channels=st.integers(1, 9),
    rate=st.sampled_from([8_000, 22_050, 44_100, 48_000]),
    extra=st.integers(0, 7),
    subtype=st.sampled_from(["PCM_16", "PCM_24", "PCM_32", "FLOAT"]),
    seed=st.integers(0, 2**31),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, channels: int, rate: int, extra: int, subtype: str, seed: int
) -> None:
    samples = noise(channels, rate // 10 + extra, seed, level=1 - 2**-14)
    path = tmp_path_factory.mktemp("trip") / "a.wav"
    write_audio(path, samples, rate, subtype=subtype)
    audio = read_audio(path)
    largest_error = {"PCM_16": 1.5 * 2**-15, "PCM_24": 0.5 * 2**-23, "PCM_32": 2**-31, "FLOAT": 0.0}[subtype]
    assert audio.format == AudioFormat(rate, channels, subtype)
    assert audio.samples.shape == samples.shape
    assert float((audio.samples - samples).abs().max()) <= largest_error


def test_libsndfile_agrees_with_the_header(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", noise(6, 10_001), 48_000)
    info = soundfile.info(tmp_path / "a.wav")
    assert (info.format, info.subtype, info.channels, info.frames) == ("WAVEX", "PCM_24", 6, 10_001)
    write_audio(tmp_path / "b.wav", noise(1, 10_001), 48_000)
    assert (tmp_path / "b.wav").stat().st_size % 2 == 0
    assert soundfile.info(tmp_path / "b.wav").format == "WAV"


def test_beyond_4_gb_the_header_is_rf64() -> None:
    frames = 2**31
    header = writing.wav_header("PCM_24", 2, 96_000, frames)
    assert header[:4] == b"RF64"
    riff_size, data_size, count = struct.unpack_from("<QQQ", header, 20)
    assert (data_size, count) == (frames * 6, frames)
    assert riff_size == len(header) - 8 + data_size


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_an_rf64_file_is_read_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, subtype: str) -> None:
    samples = on_grid(noise(2, 9_999), 24)
    monkeypatch.setattr(writing, "_is_beyond_riff", lambda size: True)
    write_audio(tmp_path / "a.wav", samples, 96_000, subtype=subtype)
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    assert torch.equal(read_audio(tmp_path / "a.wav").samples, samples)
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data[:-1_000])
    with pytest.raises(AudioError, match="truncated: 1000 bytes"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("container", "subtype", "written_as"),
    [
        ("WAV", "PCM_U8", "PCM_16"),
        ("WAV", "PCM_16", "PCM_16"),
        ("WAV", "DOUBLE", "FLOAT"),
        ("WAVEX", "PCM_24", "PCM_24"),
        ("RF64", "PCM_24", "PCM_24"),
        ("AIFF", "PCM_24", "PCM_24"),
        ("AIFF", "FLOAT", "FLOAT"),
        ("FLAC", "PCM_16", "PCM_16"),
        ("FLAC", "PCM_24", "PCM_24"),
        ("CAF", "PCM_16", "PCM_16"),
        ("CAF", "PCM_32", "PCM_32"),
        ("CAF", "FLOAT", "FLOAT"),
    ],
)
def test_lossless_formats_keep_samples_and_depth(tmp_path: Path, container: str, subtype: str, written_as: str) -> None:
    samples = on_grid(noise(2, 9_999), 8 if subtype == "PCM_U8" else 16)
    path = tmp_path / f"a.{'wav' if container in ('WAVEX', 'RF64') else container.lower()}"
    soundfile.write(path, samples.T.numpy(), 48_000, subtype=subtype, format=container)
    audio = read_audio(path)
    assert torch.equal(audio.samples, samples)
    assert audio.format == AudioFormat(48_000, 2, written_as)
    assert audio.notes == ()


@pytest.mark.parametrize(("suffix", "subtype"), [("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III"), ("opus", "OPUS")])
def test_lossy_formats_keep_time_and_go_out_in_24_bits(tmp_path: Path, suffix: str, subtype: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, click(at=20_000).T, 48_000, subtype=subtype, format="MP3" if suffix == "mp3" else "OGG")
    audio = read_audio(path)
    assert audio.format == AudioFormat(48_000, 2, "PCM_24")
    assert audio.samples.shape == (2, RATE)
    loud = torch.nonzero(audio.samples[0].abs() > 0.3)
    assert abs(int(loud[0]) - 20_000) <= 2


def test_an_ogg_in_5_1_has_its_channels_in_the_order_of_a_wav(tmp_path: Path) -> None:
    levels = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])  # Ogg: left, centre, right, back left, back right, LFE
    tone = torch.tensor(sine(60, level=1.0), dtype=torch.float32)
    soundfile.write(tmp_path / "a.ogg", (levels[:, None] * tone).T.numpy(), RATE)
    rms = read_audio(tmp_path / "a.ogg").samples.square().mean(dim=1).sqrt()
    assert rms.argsort().tolist() == [0, 2, 1, 4, 5, 3]


def test_a_variable_rate_mp3_without_a_length_is_read_to_its_end(tmp_path: Path) -> None:
    """Quiet first, loud later: a guess from the first frames' bit rate is far from the real length."""
    samples = np.concatenate([np.zeros((RATE, 2)), noise(2, RATE).T.numpy()])
    soundfile.write(tmp_path / "a.mp3", samples, RATE, bitrate_mode="VARIABLE", compression_level=0.1)
    data = (tmp_path / "a.mp3").read_bytes()
    at = max(data.find(b"Xing"), data.find(b"Info"))
    second_frame = data.index(b"\xff\xfb", at)
    (tmp_path / "b.mp3").write_bytes(data[second_frame:])
    assert abs(read_audio(tmp_path / "b.mp3").samples.shape[1] - 2 * RATE) < 3_000


def test_m4a_is_free_of_encoder_delay_and_padding(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    encode_mp4(path, [click(at=20_000)])
    audio = read_audio(path)
    assert audio.format == AudioFormat(RATE, 2, "PCM_24")
    assert audio.samples.shape == (2, RATE)
    loud = torch.nonzero(audio.samples[0].abs() > 0.45)
    assert abs(int(loud[0]) - 20_000) <= 2


def test_content_not_the_name_decides_for_mp4(tmp_path: Path) -> None:
    encode_mp4(tmp_path / "a.m4a", [click(at=20_000)])
    (tmp_path / "a.m4a").rename(tmp_path / "a.wav")
    assert read_audio(tmp_path / "a.wav").samples.shape == (2, RATE)


def test_a_stem_file_gives_four_stems_in_the_order_of_musdb18(tmp_path: Path) -> None:
    path = tmp_path / "song.stem.mp4"
    encode_mp4(path, [np.stack([sine(hertz, 1.0)] * 2) for hertz in (100, 200, 400, 800, 1600)])
    stems = read_stem_file(path)
    assert list(stems) == ["drums", "bass", "other", "vocals"]
    for audio, hertz in zip(stems.values(), (200, 400, 800, 1600), strict=True):
        assert int(torch.fft.rfft(audio.samples[0]).abs().argmax()) == hertz
        assert audio.samples.shape == (2, RATE)
    assert int(torch.fft.rfft(read_audio(path).samples[0]).abs().argmax()) == 100


def test_the_names_inside_a_stem_file_count(tmp_path: Path) -> None:
    path = tmp_path / "song.stem.mp4"
    encode_mp4(path, [np.stack([sine(hertz, 1.0)] * 2) for hertz in (100, 200, 400, 800, 1600)])
    name_stems(path, ["Vocals", "Synth", "Drums", "Bass"])
    assert list(read_stem_file(path)) == ["vocals", "other", "drums", "bass"]


def test_stems_of_a_stem_file_are_aligned(tmp_path: Path) -> None:
    path = tmp_path / "song.stem.mp4"
    encode_mp4(path, [click(at=20_000)] * 5, begin_at=[0, 0, 0, 0, RATE // 2])
    stems = read_stem_file(path)
    found = {name: int(torch.nonzero(audio.samples[0].abs() > 0.45)[0]) for name, audio in stems.items()}
    assert abs(found["drums"] - 20_000) <= 2
    assert abs(found["vocals"] - 20_000 - RATE // 2) <= RATE / 1000 + 2  # this muxer's edit lists count milliseconds


def test_a_stem_file_with_too_few_streams_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.stem.mp4"
    encode_mp4(path, [click(at=20_000)] * 2)
    with pytest.raises(AudioError, match="holds 2 audio streams, and 5 are needed"):
        read_stem_file(path)


# What audio offers


def test_stereo_follows_the_itu_down_mix() -> None:
    surround = torch.eye(6)  # one channel sounds per sample: FL FR FC LFE BL BR
    half = 0.5**0.5
    left, right = to_stereo(surround).tolist()
    assert left == pytest.approx([1, 0, half, 0, half, 0])
    assert right == pytest.approx([0, 1, half, 0, 0, half])


def test_stereo_of_few_or_many_channels() -> None:
    mono, stereo, many = noise(1, 100), noise(2, 100), noise(10, 100)
    assert torch.equal(to_stereo(mono), torch.cat([mono, mono]))
    assert to_stereo(stereo) is stereo
    assert torch.allclose(to_stereo(many)[1], many[1::2].mean(dim=0))


def test_digest_tells_samples_rates_and_channels_apart() -> None:
    samples = noise(2, 1000)
    digest = digest_of(samples, RATE)
    assert len(digest) == 16
    assert digest == digest_of(samples.clone(), RATE)
    other = samples.clone()
    other[1, 500] += 1e-7
    assert (
        len({digest, digest_of(other, RATE), digest_of(samples, 48_000), digest_of(samples.reshape(1, -1), RATE)}) == 4
    )
    sliced = torch.cat([samples, samples], dim=1)[:, :1000]
    assert digest_of(sliced, RATE) == digest
    assert Audio(samples, RATE, AudioFormat(RATE, 2, "FLOAT"), "a").digest == digest


def test_audio_is_float32_of_two_dimensions() -> None:
    with pytest.raises(AudioError, match="float64"):
        Audio(noise(2, 1000).double(), RATE, AudioFormat(RATE, 2, "FLOAT"), "a")


# Resampling


@pytest.mark.parametrize(("from_rate", "to_rate"), [(44_100, 48_000), (48_000, 44_100), (96_000, 44_100)])
def test_what_lies_below_nyquist_survives_and_what_lies_above_vanishes(from_rate: int, to_rate: int) -> None:
    inner = slice(4_000, -4_000)
    for hertz in (50.0, 1_000.0, 15_000.0):
        out = resample(torch.tensor(sine(hertz, 1.0, from_rate, 1.0)), from_rate, to_rate)
        error = out - torch.tensor(sine(hertz, 1.0, to_rate, 1.0))
        assert 20 * math.log10(float(error[inner].abs().max())) < -100
    if from_rate == 96_000:
        out = resample(torch.tensor(sine(30_000, 1.0, from_rate, 1.0)), from_rate, to_rate)
        assert 20 * math.log10(float(out[inner].abs().max())) < -100


@given(
    length=st.integers(1, 3_000),
    from_rate=st.sampled_from([8_000, 22_050, 44_100, 48_000, 96_000]),
    to_rate=st.sampled_from([8_000, 44_100, 48_000]),
)
@settings(max_examples=40)
def test_the_resampled_length_is_exact(length: int, from_rate: int, to_rate: int) -> None:
    out = resample(noise(2, length)[None], from_rate, to_rate)
    assert out.shape == (1, 2, round(length * to_rate / from_rate))
    assert out.dtype == torch.float32


def test_equal_rates_change_nothing() -> None:
    samples = noise(2, 1000)
    assert resample(samples, RATE, RATE) is samples


# What is refused


def test_a_missing_file_suggests_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "Vocals.wav").touch()
    with pytest.raises(MissingFileError, match=r"vocal\.wav does not exist") as caught:
        read_audio(tmp_path / "vocal.wav")
    assert caught.value.hint == "Did you mean Vocals.wav?"
    with pytest.raises(MissingFileError) as caught:
        read_audio(tmp_path / "nowhere" / "vocal.wav")
    assert "no folder" in str(caught.value.hint)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="is a folder where an audio file is expected"):
        read_audio(tmp_path)


@pytest.mark.parametrize("suffix", ["wav", "mp3", "m4a", "flac", "ogg", "raw", "txt"])
def test_what_is_not_audio_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text("this is not audio " * 1000)
    with pytest.raises(AudioError, match=r"a\.\w+ is not audio that can be read") as caught:
        read_audio(path)
    assert caught.value.hint
    path.write_bytes(b"")
    with pytest.raises(AudioError, match=r"is empty \(0 bytes\)"):
        read_audio(path)


@pytest.mark.parametrize(
    ("length", "message"), [(0, "holds no samples"), (1, r"too short: 1 sample \("), (4_000, "too short: 4000 samples")]
)
def test_nothing_and_next_to_nothing_are_refused(tmp_path: Path, length: int, message: str) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((length, 2)), RATE)
    with pytest.raises(AudioError, match=message):
        read_audio(tmp_path / "a.wav")


def test_silence_is_read_but_does_not_count_as_sound(tmp_path: Path) -> None:
    for level, silent in ((0.0, True), (2e-5, True), (1e-4, False)):
        path = tmp_path / f"{level}.wav"
        soundfile.write(path, np.full((RATE, 2), level), RATE, subtype="FLOAT")
        audio = read_audio(path)
        if silent:
            with pytest.raises(AudioError, match="is silent"):
                require_sound(audio)
        else:
            require_sound(audio)


def test_nan_and_infinity_are_counted_and_located(tmp_path: Path) -> None:
    samples = np.zeros((RATE, 2), np.float32)
    samples[11_025, 1] = np.nan
    samples[30_000] = np.inf
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"3 samples that are NaN or infinite, the first at 0\.250 s"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("rate", [1, 1_000, 2_000_000])
def test_an_absurd_rate_is_refused(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((RATE, 1)), rate)
    with pytest.raises(AudioError, match=f"absurd sample rate of {rate} Hz"):
        read_audio(tmp_path / "a.wav")


def test_8_khz_mono_is_read_with_a_note(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", sine(440, rate=8_000), 8_000)
    audio = read_audio(tmp_path / "call.wav")
    assert audio.samples.shape == (1, 4_000)
    assert audio.duration_s == 0.5
    assert len(audio.notes) == 1
    assert "everything above 4 kHz is missing" in audio.notes[0]


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "PCM_24"), ("RF64", "PCM_16"), ("AIFF", "PCM_24"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")],
)
def test_a_truncated_file_is_refused(tmp_path: Path, container: str, subtype: str) -> None:
    path = tmp_path / f"a.{'wav' if container == 'RF64' else container.lower()}"
    soundfile.write(path, noise(2, 2 * RATE).T.numpy(), RATE, subtype=subtype, format=container)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(AudioError, match="truncated"):
        read_audio(path)


def test_a_truncated_m4a_is_refused(tmp_path: Path) -> None:
    encode_mp4(tmp_path / "a.m4a", [click(at=20_000)])
    data = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "a.m4a").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match="truncated"):
        read_audio(tmp_path / "a.m4a")


def test_a_flac_that_does_not_say_how_long_it_is_is_read(tmp_path: Path) -> None:
    x = noise(2, 3 * RATE)
    soundfile.write(tmp_path / "a.flac", x.T.numpy(), RATE, subtype="PCM_24")
    whole = bytearray((tmp_path / "a.flac").read_bytes())
    whole[21] &= 0xF0  # RFC 9639, section 8.2: no number of samples, as of what was written into a pipe
    whole[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(whole)
    assert torch.allclose(read_audio(tmp_path / "a.flac").samples, x, atol=1e-6)


def _ending_at(ogg: bytes, position: int) -> bytes:
    """An Ogg whose last page says that it ends there (RFC 3533, section 6)."""
    start = ogg.rindex(b"OggS")
    page = bytearray(ogg[start:])
    page[6:14] = position.to_bytes(8, "little")
    page[22:26] = bytes(4)
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1) ^ (0x04C11DB7 if checksum >> 31 else 0)
            checksum &= 0xFFFFFFFF
    page[22:26] = checksum.to_bytes(4, "little")
    return ogg[:start] + bytes(page)


def test_an_ogg_that_counts_a_little_too_much_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, noise(2, RATE).T.numpy(), RATE, format="OGG", subtype="VORBIS")
    whole = path.read_bytes()
    path.write_bytes(_ending_at(whole, RATE + 2_000))
    assert soundfile.info(path).frames == RATE + 2_000
    audio = read_audio(path)
    assert RATE <= audio.samples.shape[1] < RATE + 2_000  # an encoder's last block is not full
    assert not audio.notes
    path.write_bytes(_ending_at(whole, 2 * RATE))
    with pytest.raises(AudioError, match="truncated"):
        read_audio(path)


def test_a_cut_ogg_is_read_with_a_note(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.opus", noise(2, 96_000).T.numpy(), 48_000, format="OGG", subtype="OPUS")
    data = (tmp_path / "a.opus").read_bytes()
    (tmp_path / "a.opus").write_bytes(data[: len(data) * 6 // 10])
    assert "may be cut short" in read_audio(tmp_path / "a.opus").notes[0]


def test_a_wav_from_a_pipe_has_no_length_and_is_whole(tmp_path: Path) -> None:
    samples = on_grid(noise(2, RATE), 16)
    write_audio(tmp_path / "a.wav", samples, RATE, subtype="PCM_16")
    data = (tmp_path / "a.wav").read_bytes()
    unknown = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(data[:4] + unknown + data[8:40] + unknown + data[44:])
    assert torch.equal(read_audio(tmp_path / "a.wav").samples, samples)


# Writing safely


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32"])
def test_pcm_never_clips_silently(tmp_path: Path, subtype: str) -> None:
    samples = noise(2, RATE)
    samples[0, 100] = 2.0
    with pytest.raises(AudioError, match=r"6\.02 dB beyond full scale"):
        write_audio(tmp_path / "a.wav", samples, RATE, subtype=subtype)
    assert list(tmp_path.iterdir()) == []


def test_full_scale_itself_is_written(tmp_path: Path) -> None:
    samples = torch.tensor([[1.0, -1.0] * RATE])
    for subtype in ("PCM_16", "PCM_24", "PCM_32"):
        write_audio(tmp_path / "a.wav", samples, RATE, subtype=subtype, overwrite=True)
        assert float((read_audio(tmp_path / "a.wav").samples - samples).abs().max()) <= 2**-15


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    samples = noise(2, RATE)
    with pytest.raises(SettingsError, match="PCM_20"):
        write_audio(tmp_path / "a.wav", samples, RATE, subtype="PCM_20")
    with pytest.raises(OutputError, match=r"a\.mp3") as caught:
        write_audio(tmp_path / "a.mp3", samples, RATE)
    assert caught.value.hint == "Name it a.wav."
    with pytest.raises(AudioError, match="no audio"):
        write_audio(tmp_path / "a.wav", samples[:, :0], RATE)
    samples[1, 7] = math.nan
    with pytest.raises(AudioError, match="1 samples are NaN or infinite"):
        write_audio(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(errno.ENOSPC, "No space left on device"), OutputError),
        (MemoryError(), MemoryError),
    ],
)
def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, expected: type[BaseException]
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"what was there")
    encode, calls = writing._encoded, []

    def fail_at_the_second_block(*block: object) -> bytes:
        calls.append(block)
        if len(calls) == 2:
            raise failure
        return encode(*block)  # type: ignore[arg-type]

    monkeypatch.setattr(writing, "_encoded", fail_at_the_second_block)
    with pytest.raises(expected, match="the disk is full" if expected is OutputError else None):
        write_audio(path, noise(2, 4 * RATE), RATE, overwrite=True)
    assert len(calls) == 2
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_midway_is_left_clean(tmp_path: Path) -> None:
    """The system itself refuses the write: the process may not make files beyond 64 KiB."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(OutputError, match="no file that large") as caught:
            write_audio(tmp_path / "a.wav", noise(2, RATE), RATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "somewhere else" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.json", "{}")
    with pytest.raises(OutputExistsError, match=r"a\.json exists") as caught:
        write_atomic(tmp_path / "a.json", "[]")
    assert "--force" in str(caught.value.hint)
    with pytest.raises(OutputExistsError):
        check_writable(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == "{}"
    check_writable(tmp_path / "a.json", overwrite=True)
    write_atomic(tmp_path / "a.json", "é".encode(), overwrite=True)
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == "é"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_folders_are_made_when_writing_and_not_when_checking(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder" / "a.json")
    check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []
    write_atomic(tmp_path / "new" / "folder" / "a.json", "{}")
    assert (tmp_path / "new" / "folder" / "a.json").read_text() == "{}"


def test_places_that_take_no_file_are_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for refuse in (check_writable, lambda path: write_atomic(path, "{}")):
        with pytest.raises(OutputError):
            refuse(tmp_path / "file" / "a.json")
        with pytest.raises(OutputError):
            refuse(tmp_path / ("long" * 100))
    with pytest.raises(OutputError, match="is a folder"):
        write_atomic(tmp_path, "{}", overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_read_only_place_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match="permission denied"):
        check_writable(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "codec"), [("take.webm", "libopus"), ("take.mka", "pcm_s16le"), ("take.wv", "wavpack")]
)
def test_other_containers_are_read(name: str, codec: str, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    if codec not in av.codecs_available:
        pytest.skip(f"FFmpeg was built without {codec}")
    rate = 48_000
    x = np.stack([sine(440.0, 1.0, rate), sine(880.0, 1.0, rate)]).astype(np.float32)
    with av.open(str(tmp_path / name), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout="stereo")
        stream.codec_context.open()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(x), format="fltp", layout="stereo")
        frame.sample_rate = rate
        resampler = av.AudioResampler(
            format=stream.codec_context.format.name,
            layout="stereo",
            rate=rate,
            frame_size=stream.codec_context.frame_size or None,
        )
        for block in [*resampler.resample(frame), *resampler.resample(None), None]:
            for packet in stream.encode(block):
                out.mux(packet)
    audio = read_audio(tmp_path / name)
    assert audio.sample_rate == rate
    assert audio.duration_s == pytest.approx(1.0, abs=0.03)
    spectrum = np.abs(np.fft.rfft(audio.samples.numpy()[:, :40_000] * np.hanning(40_000)))
    assert (spectrum.argmax(1) * rate / 40_000).tolist() == pytest.approx([440.0, 880.0], abs=2.0)


def test_bw64_is_read_as_the_wave_file_that_it_is(tmp_path: Path) -> None:
    x = np.stack([sine(440.0), sine(880.0)], axis=1)
    data = (x * 32767).astype("<i2").tobytes()
    sizes = b"ds64" + struct.pack("<IQQQI", 28, len(data) + 72, len(data), len(x), 0)
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, RATE, 4 * RATE, 4, 16)
    head = b"BW64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + sizes + form
    (tmp_path / "adm.wav").write_bytes(head + b"data" + struct.pack("<I", 0xFFFFFFFF) + data)
    audio = read_audio(tmp_path / "adm.wav")
    assert audio.format.subtype == "PCM_16"
    assert np.allclose(audio.samples.numpy().T, x, atol=1e-4)
