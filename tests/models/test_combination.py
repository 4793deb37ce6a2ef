"""Several encoders as one: its distance is the weighted mean of theirs, each in its own unit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from conftest import CHAIN, as_mix, song
from stito.errors import SettingsError, StitoError, UnknownNameError
from stito.evaluation.transfers.methods import ask
from stito.models.combination import CombinedEncoder
from stito.models.encoder import distance, embed_all, embed_excerpts, same_style_distance
from stito.models.loading import conditioning_of, files_of, label_of, load_conditioning, load_encoder, relocated
from stito.search.base import Budget
from stito.search.objective import EmbeddingDistance
from stito.testing import check_encoder, probe
from stito.workflows.result import result_json
from stito.workflows.transfer import transfer

BOTH = "fxencoder*0.7+features*0.3"


class Peaks:
    """An encoder of one's own, at another rate: the mean and the greatest value of each channel."""

    name, sample_rate, dim = "peaks", 22_050, 4
    distance, same_style_distance = "euclidean", 0.1

    def embed(self, x: Tensor) -> Tensor:
        return torch.cat([x.abs().mean(-1), x.abs().amax(-1)], dim=-1)


def test_the_distance_is_the_weighted_mean_of_those_of_the_parts_each_in_its_own_unit() -> None:
    x, y = probe(44_100, 2.0), 0.5 * probe(44_100, 2.0).flip(-1)
    both = load_encoder(BOTH)
    expected = sum(
        weight * distance(part, part.embed(x), part.embed(y)) / same_style_distance(part)
        for weight, part in ((0.7, load_encoder("fxencoder")), (0.3, load_encoder("features")))
    )
    torch.testing.assert_close(distance(both, both.embed(x), both.embed(y)), expected)
    assert same_style_distance(both) == 1


def test_only_the_ratios_of_weights_matter_and_without_weights_all_are_equal() -> None:
    x, y = probe(44_100, 1.0), probe(44_100, 1.0).flip(1)

    def apart(text: str) -> Tensor:
        encoder = load_encoder(text)
        return distance(encoder, encoder.embed(x), encoder.embed(y))

    torch.testing.assert_close(apart("fxencoder*7 + features*3"), apart(BOTH))
    torch.testing.assert_close(apart("fxencoder+features"), apart("features*2+fxencoder*2"))
    torch.testing.assert_close(apart("fxencoder*5"), apart("fxencoder"))


def test_it_is_an_encoder_by_contract() -> None:
    check_encoder(load_encoder(BOTH))


def test_over_several_excerpts_it_is_still_the_mean_of_what_each_encoder_measures() -> None:
    excerpts, target = [probe(44_100, 1.0), probe(44_100, 2.0).flip(-1)], [probe(44_100, 1.5)[0]]

    def measured(text: str) -> Tensor:
        encoder = load_encoder(text)
        return EmbeddingDistance(encoder, embed_excerpts(encoder, target))(excerpts) / same_style_distance(encoder)

    torch.testing.assert_close(measured(BOTH), 0.7 * measured("fxencoder") + 0.3 * measured("features"))


def test_encoders_at_other_rates_are_given_resampled_audio_and_let_gradients_through() -> None:
    mixed = CombinedEncoder([load_encoder("features"), Peaks()], [1, 1], "mine")  # type: ignore[list-item]
    assert (mixed.sample_rate, mixed.dim) == (44_100, load_encoder("features").dim + 4)
    x = probe(44_100, 1.0).requires_grad_()
    distance(mixed, mixed.embed(x), torch.zeros(1, mixed.dim)).sum().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


@pytest.mark.parametrize(
    ("text", "error", "word"),
    [
        ("fxencoder+featurs", UnknownNameError, "featurs"),
        ("fxencoder*0+features", SettingsError, "above 0"),
        ("fxencoder*-1+features", SettingsError, "above 0"),
        ("fxencoder*nan+features", SettingsError, "nan"),
        ("fxencoder*much+features", SettingsError, "much"),
        ("fxencoder+features+fxencoder*2", SettingsError, "twice"),
        ("fxencoder+", SettingsError, "unnamed"),
        ("*2+features", SettingsError, "unnamed"),
    ],
)
def test_what_is_no_combination_is_said(text: str, error: type[StitoError], word: str) -> None:
    with pytest.raises(error, match=word.replace("*", r"\*")):
        load_encoder(text)


def test_an_encoder_without_a_unit_cannot_be_combined() -> None:
    unmeasured = Peaks()
    unmeasured.same_style_distance = 0.0
    with pytest.raises(SettingsError, match="has not been measured"):
        CombinedEncoder([load_encoder("features"), unmeasured], [1, 1], "mine")  # type: ignore[list-item]


def test_files_of_weights_are_named_by_their_stems_and_found_from_elsewhere(tmp_path: Path) -> None:
    text = "runs/mine.safetensors*2+features"
    assert label_of(text) == "mine*2+features"
    assert relocated(text, tmp_path) == f"{tmp_path / 'runs/mine.safetensors'}*2+features"
    assert files_of(text) == [Path("runs/mine.safetensors")]
    odd = tmp_path / "a+b.safetensors"
    odd.touch()
    assert files_of(str(odd)) == [odd]


def test_what_is_conditioned_on_a_combination_is_conditioned_on_its_parts() -> None:
    both, x = load_encoder("fxencoder+features"), probe(44_100, 1.0)
    parts = [load_encoder("fxencoder"), load_encoder("features")]
    torch.testing.assert_close(embed_all([both], x), embed_all(parts, x))
    (again,) = load_conditioning(conditioning_of([both]), Path("mine.safetensors"))
    assert again.dim == both.dim


def test_only_effects_that_all_parts_have_learnt_are_learnt() -> None:
    assert not load_encoder("fxencoder+features").learnt_effects  # type: ignore[attr-defined]


def test_an_evaluation_of_transfers_takes_them_by_name_too() -> None:
    asked = ask(f"cma:{BOTH}:match")
    assert asked.encoder is not None
    assert (asked.encoder.name, asked.how, asked.init) == (BOTH, "cma", "match")


@pytest.mark.parametrize("method", ["cma", "gradient"])
def test_a_search_by_several_encoders_comes_nearer_and_its_result_names_them_as_given(method: str) -> None:
    mix, reference = (as_mix(song(name, stems=("drums",))) for name in ("night", "street"))
    result = transfer(
        mix,
        reference,
        method=method,
        encoder=BOTH,
        chain=CHAIN,
        budget=Budget(evaluations=24),
        excerpt_seconds=1.5,
        excerpt_count=1,
    )
    (found,) = result.solutions.values()
    assert found.loss_after < found.loss_before
    assert result_json(result, result.report())["encoder"] == BOTH
