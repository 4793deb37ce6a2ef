"""Separators that take segments: Hybrid Demucs of torchaudio and SCNet, on tiny models in each package's own format."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from conftest import RATE
from stito.errors import MissingDependencyError, MissingFileError, WeightsError
from stito.separation import load_separator
from stito.separation.hdemucs import SOURCES, HDemucs
from stito.separation.overlap import at_one_level, overlap_add
from stito.separation.scnet import SCNet

CONFIG = """
audio:
  chunk_size: 44100
  sample_rate: 44100
model:
  sources: [drums, bass, other, vocals]
  dims: [4, 4, 4, 8]
  band_SR: !!python/tuple [0.175, 0.392, 0.433]
  num_dplayer: 2
training:
  instruments: [drums, bass, other, vocals]
  target_instrument: null
inference:
  normalize: true
"""


def noise(samples: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("samples", [1, 99, 100, 101, 175, 176, 1234])
def test_what_a_network_leaves_as_it_is_stays_as_it_was(samples: int) -> None:
    told: list[float] = []
    x = noise(samples) + 0.5

    def twice(piece: Tensor) -> Tensor:
        assert piece.shape[-1] == 100
        return torch.stack([piece, -piece], dim=1)

    stems = at_one_level(lambda level: overlap_add(twice, level, 100, 75, told.append), x)
    assert torch.allclose(stems[0], x, atol=1e-5)
    assert told[-1] == 1.0
    assert told == sorted(told)


def test_a_network_hears_mixes_at_one_level() -> None:
    heard: list[Tensor] = []

    def keep(level: Tensor) -> Tensor:
        heard.append(level)
        return level[None]

    for factor in (1.0, 0.01):
        at_one_level(keep, factor * (noise(1000) + 0.3))
    assert torch.allclose(heard[0], heard[1], atol=1e-3)
    assert float(heard[0].mean(0).std(correction=0)) == pytest.approx(1, abs=1e-4)
    assert at_one_level(keep, torch.zeros(2, 100)).isfinite().all()


def save_hdemucs(path: Path) -> Any:
    """An untrained tiny model of torchaudio as its pipelines save theirs.

    Its definition is loaded by itself: the package as a whole only loads beside the torch that it was built with.
    """
    spec = importlib.util.find_spec("torchaudio")
    assert spec
    assert spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0]) / "models" / "_hdemucs.py"
    alone = importlib.util.spec_from_file_location("torchaudio_hdemucs", file)
    assert alone
    assert alone.loader
    definition = importlib.util.module_from_spec(alone)
    alone.loader.exec_module(definition)
    torch.manual_seed(0)
    model = definition.HDemucs(sources=list(SOURCES), channels=4, nfft=4096, depth=6)
    torch.save(model.state_dict(), path)
    return model.eval()


def test_hdemucs_makes_the_stems_that_torchaudios_model_makes(tmp_path: Path) -> None:
    model = save_hdemucs(tmp_path / "tiny.pt")
    separator = load_separator(f"hdemucs:{tmp_path / 'tiny.pt'}")
    assert isinstance(separator, HDemucs)
    assert len(separator.digest) == 64
    x = noise(10 * RATE)  # one whole segment
    told: list[float] = []
    stems = separator.separate(x, told.append)
    assert set(stems) == set(SOURCES)
    assert told == [1.0]
    with torch.no_grad():
        direct = at_one_level(lambda level: model(level[None])[0], x)
    for name, stem in zip(SOURCES, direct, strict=True):
        assert torch.allclose(stems[name], stem, atol=1e-5)
    short = separator.separate(x[:, :500])  # shorter than the network itself could take
    assert all(stem.shape == (2, 500) and stem.isfinite().all() for stem in short.values())


def test_files_that_are_no_hdemucs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="not there"):
        HDemucs(tmp_path / "none.pt")
    for number, content in enumerate((b"", b"<html>", b"PK\x03\x04 cut")):
        (tmp_path / f"{number}.pt").write_bytes(content)
        with pytest.raises(WeightsError, match="cannot be read"):
            HDemucs(tmp_path / f"{number}.pt")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="no Hybrid Demucs"):
        HDemucs(tmp_path / "other.pt")


def test_published_weights_come_once_whole_and_from_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def fetch(url: str, path: str, *, hash_prefix: str) -> None:
        fetched.append(url)
        assert len(hash_prefix) == 64
        save_hdemucs(Path(path))

    def offline(url: str, path: str, *, hash_prefix: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(MissingFileError, match="no route to host") as caught:
        HDemucs()
    assert "hdemucs:FILE" in (caught.value.hint or "")
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    HDemucs()
    HDemucs()
    assert len(fetched) == 1


def save_scnet(
    folder: Path, *, packed: str = "", config: str = CONFIG, module: bool = False, sources: Sequence[str] = SOURCES
) -> Any:
    """An untrained tiny SCNet as Music-Source-Separation-Training, or SCNet's authors, save theirs."""
    from pymss_core.modules.scnet import SCNet as Network

    torch.manual_seed(0)
    model = Network(sources=list(sources), dims=[4, 4, 4, 8], num_dplayer=2).eval()
    state: dict[str, Any] = {f"{'module.' if module else ''}{key}": value for key, value in model.state_dict().items()}
    folder.mkdir(exist_ok=True)
    other = {key: torch.zeros_like(value) for key, value in state.items()}
    torch.save({"state": other, packed: state} if packed else state, folder / "scnet.ckpt")
    (folder / "scnet.yaml").write_text(config)
    return model


def test_scnet_makes_the_stems_that_its_network_makes(tmp_path: Path) -> None:
    model = save_scnet(tmp_path)
    separator = load_separator(f"scnet:{tmp_path}")
    assert isinstance(separator, SCNet)
    x = noise(RATE)
    told: list[float] = []
    stems = separator.separate(x, told.append)
    assert list(stems) == ["drums", "bass", "other", "vocals"]
    assert told == [1.0]
    with torch.no_grad(), pytest.warns(UserWarning, match="window"):
        direct = at_one_level(lambda level: model(level[None])[0], x)
    for stem, expected in zip(stems.values(), direct, strict=True):
        assert torch.allclose(stem, expected, atol=1e-5)
    assert all(stem.shape == (2, 100_000) for stem in separator.separate(noise(100_000)).values())


@pytest.mark.parametrize("module", [False, True])
def test_of_an_authors_checkpoint_the_best_weights_are_taken(tmp_path: Path, module: bool) -> None:
    config = "model: {dims: [4, 4, 4, 8], num_dplayer: 2}"  # all that theirs have of what is asked
    save_scnet(tmp_path / "plain", config=config)
    save_scnet(tmp_path / "packed", packed="best_state", module=module, config=config)
    plain, packed = (load_separator(f"scnet:{tmp_path / name}") for name in ("plain", "packed"))
    assert plain is not None
    assert packed is not None
    x = noise(RATE)
    theirs = packed.separate(x)
    for name, stem in plain.separate(x).items():
        assert float(stem.abs().max()) > 0
        assert torch.equal(stem, theirs[name])


def test_a_target_alone_is_the_only_stem(tmp_path: Path) -> None:
    target = CONFIG.replace("target_instrument: null", "target_instrument: vocals")
    save_scnet(tmp_path, config=target)
    with pytest.raises(WeightsError, match="names 1 stems, and its network makes 4"):
        SCNet(tmp_path)
    save_scnet(tmp_path, config=target.replace("[drums, bass, other, vocals]", "[vocals]", 1), sources=["vocals"])
    assert set(SCNet(tmp_path).separate(noise(RATE))) == {"vocals"}


def test_an_scnet_without_its_files_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFileError) as caught:
        load_separator("scnet")
    assert "scnet:FOLDER" in (caught.value.hint or "")
    with pytest.raises(MissingFileError, match="no files"):
        SCNet(tmp_path)
    save_scnet(tmp_path, config="model: [not, a, mapping]")
    with pytest.raises(WeightsError, match="describes no model"):
        SCNet(tmp_path)
    save_scnet(tmp_path, config="model: {dims: [")
    with pytest.raises(WeightsError, match="no YAML"):
        SCNet(tmp_path)
    save_scnet(tmp_path, config=CONFIG.replace("[4, 4, 4, 8]", "[4, 4, 4, 4]"))
    with pytest.raises(WeightsError, match="cannot be loaded"):
        SCNet(tmp_path)
    monkeypatch.setitem(sys.modules, "pymss_core.modules.scnet", None)
    with pytest.raises(MissingDependencyError) as missing:
        SCNet(tmp_path)
    assert "stito[scnet]" in (missing.value.hint or "")
