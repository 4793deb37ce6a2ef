"""Classes of sounds: told apart where an encoder embeds what makes them, and not where it embeds something else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from fma_folder import write_fma
from stito.cli.evaluate import evaluate
from stito.data.cache import build_cache
from stito.data.songs import find_songs
from stito.demo import compose
from stito.errors import OutputExistsError, SettingsError
from stito.evaluation.clusters.measures import neighbours_agree, silhouettes
from stito.evaluation.clusters.sounds import demo_sounds, labelled_sounds
from stito.evaluation.clusters.study import study_clusters
from stito.models.stem_batch import MixEmbedding

RATE = 44_100


class Level:
    """Embeds the level alone."""

    name, sample_rate, dim, distance = "level", RATE, 1, "euclidean"

    def embed(self, x: Tensor) -> Tensor:
        return x.square().mean((1, 2)).add(1e-9).log10()[:, None]


class Nothing(Level):
    """Embeds what has nothing to do with the class: one sample."""

    name = "nothing"

    def embed(self, x: Tensor) -> Tensor:
        return x[:, :1, 777] / x.abs().amax((1, 2))[:, None]


def run(*words: object) -> Result:
    return CliRunner().invoke(evaluate, [str(word) for word in ("clusters", *words)], catch_exceptions=False)


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in two folders, `loud` and `soft`; a folder with a single file, and a file that is no audio."""
    folder = tmp_path_factory.mktemp("levels")
    generator = np.random.default_rng(0)
    for label, db in (("loud", -10), ("soft", -30)):
        (folder / label).mkdir()
        for number in range(8):
            x = generator.standard_normal((RATE // 2, 2)) * 10 ** ((db + generator.uniform(-3, 3)) / 20)
            soundfile.write(folder / label / f"{number}.wav", x, RATE, subtype="FLOAT")
    (folder / "alone").mkdir()
    soundfile.write(folder / "alone" / "1.wav", x, RATE, subtype="FLOAT")
    (folder / "loud" / "broken.wav").write_bytes(b"no audio")
    return folder


def test_classes_that_the_embedding_holds_are_told_apart_and_others_are_not(levels: Path) -> None:
    sounds, sentence = labelled_sounds(levels, split=None, per_class=50, seed=0)
    assert "2 classes" in sentence  # a class of one has no neighbours
    outcome = study_clusters({"level": Level(), "nothing": Nothing()}, sounds, sentence, neighbours=3)
    assert outcome.agreement["level"].mean() == 1
    assert outcome.silhouette["level"].mean() > 0.7
    assert 0.2 < outcome.agreement["nothing"].mean() < 0.8
    assert abs(outcome.silhouette["nothing"].mean()) < 0.2
    (broken,) = outcome.skipped
    assert broken.startswith("loud/broken.wav")


def test_of_a_large_class_only_so_many_sounds_are_taken_the_same_for_the_same_seed(levels: Path) -> None:
    def names(seed: int) -> list[str]:
        return [sound.name for sound in labelled_sounds(levels, split=None, per_class=4, seed=seed)[0]]

    assert len(names(0)) == 8
    assert names(0) == names(0)
    assert names(0) != names(1)


def test_silhouettes_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    points = np.random.default_rng(0).standard_normal((30, 2))
    labels = [str(number % 3) for number in range(30)]
    apart = np.linalg.norm(points[:, None] - points, axis=-1)
    np.testing.assert_allclose(
        silhouettes(apart, labels), metrics.silhouette_samples(apart, labels, metric="precomputed")
    )


def test_a_sound_is_no_neighbour_of_itself_and_of_tied_classes_the_nearer_counts() -> None:
    places = np.array([0.0, 1.0, 1.5, 10.0])
    apart = np.abs(np.subtract.outer(places, places))
    assert neighbours_agree(apart, ["a", "b", "a", "b"], 1).tolist() == [False, False, False, False]
    assert neighbours_agree(apart, ["a", "a", "b", "b"], 2).tolist()[0] is True


def test_fma_is_read_as_it_is_unpacked_its_genres_are_the_classes(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    fma = write_fma(tmp_path / "fma")
    result = run("--encoder", "features", "--data", fma, "--neighbours", 1, "--json", "-o", tmp_path / "out")
    found = json.loads(result.stdout)
    assert {sound["class"] for sound in found["sounds"]} == {"Rock", "Electronic"}
    assert found["encoders"]["features"]["accuracy"]["mean"] == 1  # noise and tones
    with pytest.raises(SettingsError, match="classes of two"):
        labelled_sounds(fma, split="valid", per_class=50, seed=0)


def test_smoke_leaves_tables_a_page_and_a_map_of_each_encoder(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    out = tmp_path / "out"
    result = run("--smoke", "--encoder", "fxencoder*2+features", "-o", out)
    names = {"report.html", "result.json", "tables.md", "tsne-fxencoder-2-features.png"}
    assert {path.name for path in out.iterdir()} == names
    assert "figures mean nothing" in result.stdout
    assert "stito evaluate clusters --encoder" in (out / "report.html").read_text()
    with pytest.raises(OutputExistsError):
        run("--smoke", "-o", out)


def test_an_encoder_of_mixes_is_given_the_stems() -> None:
    class ByStems(Level):
        stems = ("drums", "bass", "other", "vocals")

        def embed_mix(self, stems: Mapping[str, Tensor]) -> MixEmbedding:
            rows = torch.stack([torch.cat([self.embed(x), self.embed(x).square()], -1) for x in stems.values()], dim=1)
            return MixEmbedding(rows, torch.ones(rows.shape[:2], dtype=torch.bool))

        def embed(self, x: Tensor) -> Tensor:
            assert x.shape[0] == 1
            return super().embed(x)

    outcome = study_clusters({"stems": ByStems()}, *demo_sounds(0), neighbours=1)
    apart = outcome.distances["stems"]
    np.testing.assert_allclose(apart, apart.T, atol=1e-6)
    np.testing.assert_allclose(apart.diagonal(), 0, atol=1e-6)
    assert apart.max() > 1e-4


def test_of_a_cache_the_songs_are_the_classes(tmp_path: Path) -> None:
    for song in ("night", "street"):
        stems = {stem: torch.from_numpy(x.copy()) for stem, x in compose(song, seconds=4.0).items()}
        (tmp_path / "songs" / "test" / song).mkdir(parents=True)
        for stem, x in stems.items():
            soundfile.write(tmp_path / "songs" / "test" / song / f"{stem}.wav", x.T.numpy(), RATE)
    build_cache(find_songs(tmp_path / "songs"), tmp_path / "cache")
    sounds, sentence = labelled_sounds(tmp_path / "cache", split=None, per_class=2, seed=0)
    assert [sound.name for sound in sounds] == ["night 1", "night 2", "street 1", "street 2"]
    assert "classes are songs" in sentence
    assert set(sounds[0].read().stems) <= {"vocals", "drums", "bass", "other"}


def test_a_folder_without_classes_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="0 classes"):
        labelled_sounds(tmp_path, split=None, per_class=50, seed=0)
