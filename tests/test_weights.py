"""Weights: they come back as they were, say what they are, and bad files end in a message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from stito.errors import MissingFileError, OutputExistsError, WeightsError
from stito.models.weights import digest_of_file, digest_of_weights, load_weights, read_header, save_weights
from stito.version import __version__

HEADER = {"architecture": "toy", "config": {"width": 4}, "licences": ["CC0-1.0"], "scores": {"retrieval": 0.5}}


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU())


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    file, before = tmp_path / "net.safetensors", network()
    save_weights(file, before.state_dict(), HEADER)
    state, header = load_weights(file)
    assert header == {**HEADER, "format": 1, "version": __version__}
    assert {name: tensor.dtype for name, tensor in state.items()}["1.num_batches_tracked"] == torch.int64
    assert all(torch.equal(state[name], tensor) for name, tensor in before.state_dict().items())


def test_half_the_size_and_nearly_the_same(tmp_path: Path) -> None:
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    state = {"kernel": torch.randn(64, 64, generator=torch.Generator().manual_seed(1)), "tiny": torch.tensor([1e-12])}
    save_weights(whole, state, HEADER)
    save_weights(half, state, HEADER, half=True)
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    loaded, _ = load_weights(half)
    assert loaded["kernel"].dtype == torch.float32
    assert torch.allclose(loaded["kernel"], state["kernel"], rtol=1e-3, atol=1e-6)
    assert torch.equal(loaded["tiny"], state["tiny"])


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    save_weights(one, network().state_dict(), HEADER)
    save_weights(two, network().state_dict(), dict(reversed(HEADER.items())))
    assert digest_of_weights(one) == digest_of_weights(two)
    assert len(digest_of_weights(one)) == 64
    assert digest_of_file(one) == digest_of_file(two)


def test_what_is_told_of_weights_makes_no_others(tmp_path: Path) -> None:
    state = network().state_dict()
    digests = []
    for name, changed, header in (
        ("as it is", state, HEADER),
        ("told", state, HEADER | {"scores": {"retrieval": 0.9}, "near": 0.1}),
        ("configured", state, HEADER | {"config": {"another": 1}}),
        ("trained on", {key: tensor + 1 for key, tensor in state.items()}, HEADER),
    ):
        save_weights(tmp_path / f"{name}.safetensors", changed, header)
        digests.append(digest_of_weights(tmp_path / f"{name}.safetensors"))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_file_is_not_overwritten_by_chance(tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    save_weights(file, network().state_dict(), HEADER)
    with pytest.raises(OutputExistsError):
        save_weights(file, network().state_dict(), HEADER)
    save_weights(file, network().state_dict(), HEADER, overwrite=True)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e6])
def test_weights_that_are_no_numbers_are_not_written(value: float, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="'kernel' are not finite"):
        save_weights(tmp_path / "x.safetensors", {"kernel": torch.full((2, 2), value)}, HEADER, half=True)
    assert not list(tmp_path.iterdir())


def test_a_header_needs_what_builds_the_network(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="lacks config"):
        save_weights(tmp_path / "x.safetensors", {}, {"architecture": "toy"})


def write(path: Path, metadata: dict[str, str] | None) -> Path:
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(2)}, metadata=metadata))
    return path


def test_bad_files_end_in_a_message(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no weights there"):
        load_weights(tmp_path / "nothing.safetensors")
    with pytest.raises(MissingFileError, match="no weights there"):
        digest_of_weights(tmp_path / "nothing.safetensors")
    (tmp_path / "text.safetensors").write_text("hello, I am not safetensors")
    with pytest.raises(WeightsError, match="damaged or not safetensors"):
        load_weights(tmp_path / "text.safetensors")
    file = tmp_path / "cut.safetensors"
    save_weights(file, network().state_dict(), HEADER)
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(file)
    with pytest.raises(WeightsError, match="not of stito"):
        load_weights(write(tmp_path / "other.safetensors", None))
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(write(tmp_path / "broken.safetensors", {"stito": "{"}))
    newer = {"stito": json.dumps({"format": 2, "version": "9.0"})}
    with pytest.raises(WeightsError, match="format 2; this version of stito reads up to 1") as caught:
        read_header(write(tmp_path / "newer.safetensors", newer))
    assert "9.0" in (caught.value.hint or "")
    with pytest.raises(WeightsError, match="lacks architecture"):
        read_header(write(tmp_path / "bare.safetensors", {"stito": '{"format": 1, "config": {}}'}))
