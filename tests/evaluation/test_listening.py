"""Listening tests: stimuli that are what they say, answers read as given, listeners screened by the rule."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from stito.cli.listen import listen
from stito.console.strips import loudness
from stito.dsp.loudness import true_peak_db
from stito.errors import AudioError, MissingFileError, OutputExistsError, SettingsError, UnknownNameError
from stito.evaluation.listening.analysis import analyse
from stito.evaluation.listening.build import Questions, build_test
from stito.evaluation.listening.responses import Key, Rating, read_key, read_responses
from stito.evaluation.listening.stimuli import stimuli
from stito.evaluation.listening.trials import Trial, read_trials

RATE = 44_100
CONDITIONS = ("anchor35", "anchor70", "far", "hidden", "near")
KEY = Key(
    "t",
    {f"trial-{n}": f"song {n}" for n in range(10)},
    {f"trial-{n}": {f"{n}{name}": name for name in CONDITIONS} for n in range(10)},
)


def music(seconds: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = 0.1 * torch.randn(2, round(seconds * RATE), generator=generator)
    x[:, : RATE // 2] *= 0.01  # a quiet beginning
    return x


def write(path: Path, x: Tensor, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x.T.numpy(), rate)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A practice trial and two real ones, of which one has a reference of other music."""
    base = tmp_path / "trials"
    for number, name in enumerate(("song-1", "song-2", "training-1")):
        x = music(3.0, number)
        write(base / name / "reference.wav", music(2.0, 9) if name == "song-2" else x)
        if name == "song-2":
            write(base / name / "truth.wav", x)
        write(base / name / "near.wav", 0.5 * x)
        write(base / name / "far.wav", x.flip(0).cumsum(1) * 0.01)
    (base / "measures.json").write_text(json.dumps({"song-1": {"near": {"left_right": 0.1}}}))
    return base


def test_trials_are_folders(folder: Path) -> None:
    trials = read_trials(folder)
    assert [(trial.name, trial.training) for trial in trials] == [
        ("song-1", False),
        ("song-2", False),
        ("training-1", True),
    ]
    assert all(list(trial.systems) == ["far", "near"] for trial in trials)
    assert trials[0].hidden is trials[0].reference
    assert trials[1].hidden.shape[-1] == 3 * RATE
    assert trials[0].measures == {"near": {"left_right": 0.1}}


def test_what_a_mac_hides_in_folders_is_no_system(folder: Path) -> None:
    before = [trial.name for trial in read_trials(folder)]
    (folder / "song-1" / "._near.wav").write_bytes(b"\0\5\26\7")
    (folder / ".Trash").mkdir()
    trials = read_trials(folder)
    assert [trial.name for trial in trials] == before
    assert list(trials[0].systems) == ["far", "near"]


def test_folders_that_are_no_trials_say_what_they_lack(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no trials"):
        read_trials(tmp_path / "nowhere")
    write(folder / "song-1" / "short.wav", music(1.0))
    with pytest.raises(AudioError, match=r"lasts 1\.0 s"):
        read_trials(folder)
    (folder / "song-1" / "short.wav").rename(folder / "song-1" / "hidden.wav")
    with pytest.raises(SettingsError, match="called hidden"):
        read_trials(folder)
    (folder / "song-1" / "hidden.wav").unlink()
    for name in ("near", "far"):
        (folder / "song-1" / f"{name}.wav").unlink()
    with pytest.raises(SettingsError, match="no system"):
        read_trials(folder)
    (folder / "song-1" / "reference.wav").unlink()
    with pytest.raises(MissingFileError, match="no reference"):
        read_trials(folder)


def test_more_than_can_be_kept_apart_is_refused(folder: Path) -> None:
    for number in range(8):
        write(folder / "song-1" / f"system{number}.wav", music(3.0))
    with pytest.raises(SettingsError, match="10 systems"):
        read_trials(folder)
    assert all(set(trial.systems) == {"near"} for trial in read_trials(folder, ["near"]))
    with pytest.raises(UnknownNameError, match="nearer"):
        read_trials(folder, ["nearer"])


def test_a_short_song_is_as_short_for_every_system() -> None:
    x = music(3.0)
    longer = torch.cat([x, x[:, : RATE // 20]], dim=-1)
    reference, made = stimuli(Trial("a", x, x, {"longer": longer}, RATE), 10.0)
    assert {sound.shape for sound in (reference, *made.values())} == {(2, 3 * RATE)}


def test_stimuli_are_one_place_equally_loud_and_never_clip() -> None:
    x = music(3.0)
    x[:, 2 * RATE] = 0.99  # a click, which no loudness target may push over the edge
    trial = Trial("a", x, x, {"half": 0.25 * x}, RATE)
    reference, made = stimuli(trial, 2.0)
    assert reference.shape == (2, 2 * RATE)
    assert set(made) == {"hidden", "half", "anchor35", "anchor70"}
    assert torch.equal(made["hidden"], reference)
    assert torch.allclose(made["half"], reference, atol=1e-4)  # level was all that differed
    levels = [loudness(sound, RATE) for sound in made.values()]
    assert max(levels) - min(levels) < 0.2
    assert max(float(true_peak_db(sound[None], RATE)[0]) for sound in made.values()) < -0.9
    assert float(reference[:, 0].abs().max()) == 0
    assert float(reference[:, : RATE // 4].abs().mean()) > 0.01  # not the quiet beginning


@pytest.mark.parametrize(("name", "cutoff"), [("anchor35", 3500), ("anchor70", 7000)])
def test_anchors_keep_what_is_below_and_kill_what_is_above(name: str, cutoff: int) -> None:
    x = music(3.0)
    _, made = stimuli(Trial("a", x, x, {}, RATE), 2.0)
    before, after = (np.abs(np.fft.rfft(made[key][0].numpy())) for key in ("hidden", name))
    hertz = np.fft.rfftfreq(2 * RATE, 1 / RATE)

    def kept_db(low: float, high: float) -> float:
        band = (hertz > low) & (hertz < high)
        return float(20 * np.log10(after[band].mean() / before[band].mean()))

    base = kept_db(100, 0.5 * cutoff)
    assert kept_db(0.9 * cutoff, 0.99 * cutoff) == pytest.approx(base, abs=0.2)
    assert kept_db(4 / 3.5 * cutoff, 4.5 / 3.5 * cutoff) < base - 25
    assert kept_db(4.5 / 3.5 * cutoff, 20_000) < base - 50


def decoded(script: str) -> dict[str, Any]:
    """The sounds of one of the page's scripts."""
    arguments = json.loads(f"[{script.removeprefix('stitoAudio(').rstrip().removesuffix(');')}]")
    return {name: soundfile.read(io.BytesIO(base64.b64decode(text)))[0] for name, text in arguments[1].items()}


def test_what_listeners_get_does_not_say_what_is_what(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "test"
    build_test(read_trials(folder), out, seconds=2.0, questions=Questions(title="Which drums?"))
    key = json.loads((out / "key.json").read_text())
    page = (out / "page" / "index.html").read_text()
    for word in ("near", "far", "hidden", "anchor", "song-1", "measures"):
        assert word not in page.split('id="test">')[1].split("</script>")[0]
    assert [trial["training"] for trial in key["trials"]] == [True, False, False]
    for trial in key["trials"]:
        sounds = decoded((out / "page" / "audio" / f"{trial['id']}.js").read_text())
        assert set(trial["stimuli"]) < set(sounds)
        (open_reference,) = set(sounds) - set(trial["stimuli"])
        names = {name: stimulus for stimulus, name in trial["stimuli"].items()}
        same = np.allclose(sounds[open_reference], sounds[names["hidden"]])
        assert same == (trial["name"] != "song-2")  # whose reference is of other music
    orders = {tuple(trial["stimuli"].values()) for trial in key["trials"]}
    again = tmp_path / "again"
    build_test(read_trials(folder), again, seconds=2.0)
    orders |= {tuple(trial["stimuli"].values()) for trial in json.loads((again / "key.json").read_text())["trials"]}
    assert len(orders) > 1


def test_webmushra_gets_the_same_test(folder: Path, tmp_path: Path) -> None:
    import yaml

    out = tmp_path / "test"
    identity = build_test(read_trials(folder), out, seconds=2.0)
    config = yaml.safe_load((out / "webmushra" / "configs" / f"{identity}.yaml").read_text())
    assert config["testId"] == identity
    practice, (order, *real) = config["pages"][2], config["pages"][3]
    assert (practice["id"], order, [page["id"] for page in real]) == ("trial-1", "random", ["trial-2", "trial-3"])
    for page in (practice, *real):
        assert not page["createAnchor35"]
        shapes = set()
        for path in (page["reference"], *page["stimuli"].values()):
            audio, rate = soundfile.read(out / "webmushra" / path)
            shapes.add((audio.shape, rate))
        assert len(shapes) == 1  # which webMUSHRA insists on
    assert "hidden" not in real[0]["stimuli"]  # the reference, which webMUSHRA adds itself
    assert "hidden" in real[1]["stimuli"]


def rate_all(listener: str, scores: Mapping[str, float], trials: int = 10) -> list[Rating]:
    return [
        Rating(listener, f"trial-{trial}", condition, score)
        for trial in range(trials)
        for condition, score in scores.items()
    ]


GOOD = {"hidden": 100, "near": 80, "far": 40, "anchor70": 50, "anchor35": 20}


def test_listeners_who_miss_the_reference_too_often_are_left_out() -> None:
    ratings = rate_all("good", GOOD)
    ratings += [  # once in ten is no more than 15 %
        *rate_all("human", GOOD)[5:],
        *(Rating("human", "trial-0", name, score) for name, score in (GOOD | {"hidden": 60}).items()),
    ]
    deaf = rate_all("deaf", GOOD)[10:]
    for trial in ("trial-0", "trial-1"):  # twice is
        deaf += [Rating("deaf", trial, name, score) for name, score in (GOOD | {"hidden": 89}).items()]
    ratings += deaf
    ratings += rate_all("kind", GOOD | {"anchor70": 95})
    for number in range(3):
        ratings += rate_all(f"more-{number}", GOOD)
    found = {listener.name: listener.excluded for listener in analyse(ratings, KEY).listeners}
    assert [name for name, why in found.items() if why] == ["deaf", "kind"]
    assert "hidden reference below 90 in 20%" in found["deaf"]
    assert "mid anchor above 90" in found["kind"]
    kept = {rating.listener for rating in analyse(ratings, KEY).kept}
    assert kept == {"good", "human", "more-0", "more-1", "more-2"}
    assert len({rating.listener for rating in analyse(ratings, KEY, keep_all=True).kept}) == 7


def test_an_item_whose_anchor_everybody_likes_is_to_blame_itself() -> None:
    ratings = rate_all("one", GOOD | {"anchor70": 95}) + rate_all("two", GOOD | {"anchor70": 95})
    assert not any(listener.excluded for listener in analyse(ratings, KEY).listeners)


def test_nobody_left_is_said() -> None:
    with pytest.raises(SettingsError, match="no ratings"):
        analyse([], KEY)
    with pytest.raises(SettingsError, match="passed the screening"):
        analyse(rate_all("deaf", GOOD | {"hidden": 10}), KEY)


def test_scores_are_medians_and_differences_are_paired() -> None:
    generator = np.random.default_rng(0)
    ratings = []
    for listener in range(8):
        lean = generator.normal(0, 5)  # listeners use the scale differently, and agree
        for trial in range(10):
            hard = generator.normal(0, 10)
            for condition, score in GOOD.items():
                noise = 0 if condition == "hidden" else lean + hard + generator.normal(0, 1)
                ratings.append(Rating(f"l{listener}", f"trial-{trial}", condition, score + noise))
    of = analyse(ratings, KEY)
    assert [score.condition for score in of.scores] == ["hidden", "near", "anchor70", "far", "anchor35"]
    near = of.scores[1]
    assert near.ratings == 80
    assert near.low <= near.median <= near.high
    assert near.first_quartile < near.median < near.third_quartile
    (against_far,) = (d.found for d in of.differences if (d.first, d.second) == ("near", "far"))
    assert against_far.difference == pytest.approx(40, abs=1)
    assert against_far.high - against_far.low < 2  # though scores vary by ten points
    assert against_far.cases == 8  # it is listeners that are counted, however many trials they rate
    assert against_far.t_p < 1e-6
    assert against_far.p == pytest.approx(10 * 2 / 2**8)  # ten comparisons, and eight listeners who all agree


def test_listeners_who_lean_to_one_side_are_not_taken_for_many() -> None:
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(40):
        ratings = []
        for listener in range(5):
            lean = generator.normal(0, 8)  # likes one of two equals better, in every trial
            for trial in range(10):
                ratings.append(Rating(f"l{listener}", f"trial-{trial}", "near", 50 + lean + generator.normal(0, 5)))
                ratings.append(Rating(f"l{listener}", f"trial-{trial}", "far", 50 + generator.normal(0, 5)))
        (found,) = analyse(ratings, KEY).differences
        wrong += found.found.t_p < 0.05
    assert wrong <= 6


def test_a_median_lies_within_its_interval() -> None:
    ratings = []
    for listener in range(100):
        for trial in range(3):
            score = 100.0 if listener >= 70 or trial == 2 else 0.0
            ratings.append(Rating(f"l{listener}", f"trial-{trial}", "near", score))
    (score,) = analyse(ratings, KEY).scores
    assert score.low <= score.median <= score.high


def test_metrics_that_rank_as_listeners_do_agree() -> None:
    quality = {"near": 0.1, "far": 0.5}
    key = Key(
        KEY.test,
        KEY.names,
        KEY.stimuli,
        {
            f"trial-{n}": {
                name: {
                    "distance": value + 0.01 * n,
                    "against": -value,
                    "sdr_db": -value,
                    "nothing": 1.0,
                    "truth_to_reference": value,
                }
                for name, value in quality.items()
            }
            for n in range(10)
        },
    )
    ratings = [
        Rating("l", f"trial-{n}", name, GOOD[name] - n) for n in range(10) for name in (*quality, "hidden", "anchor70")
    ]
    found = {of.measure: of for of in analyse(ratings, key).agreement}
    assert found["distance"].rho > 0.9
    assert found["distance"].same_order == 1
    assert found["against"].same_order == 0
    assert found["sdr_db"].same_order == 1  # of which more is better
    assert found["nothing"].pairs == 0
    assert "truth_to_reference" not in found  # says nothing of a system


def answer(key: Key, listener: str, scores: Mapping[str, float], test: str = "t") -> str:
    trials = [
        {"trial": trial, "ratings": {stimulus: scores[name] for stimulus, name in stimuli.items()}}
        for trial, stimuli in key.stimuli.items()
    ]
    practice = {"trial": "trial-99", "ratings": {"x": 1}}
    return json.dumps({"format": "stito.listening", "test": test, "listener": listener, "trials": [practice, *trials]})


def test_answers_are_read_through_the_key_and_the_last_of_a_listener_counts(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(answer(KEY, "ann", GOOD | {"near": 1}))
    (tmp_path / "b.json").write_text(answer(KEY, "ann", GOOD))
    (tmp_path / "c.json").write_text(answer(KEY, "bob", GOOD))
    ratings = read_responses([tmp_path], KEY)
    assert len(ratings) == 2 * 10 * 5
    assert {(rating.condition, rating.score) for rating in ratings} == {(name, float(s)) for name, s in GOOD.items()}


def test_where_the_reference_is_of_other_music_its_rating_says_nothing(tmp_path: Path) -> None:
    key = Key("t", {"trial-0": "song"}, {"trial-0": {"x": "hidden", "y": "near"}}, other_music=frozenset({"trial-0"}))
    rows = ["session_test_id,session_uuid,trial_id,rating_stimulus,rating_score"]
    rows += [f"t,ann,trial-0,{name},{score}" for name, score in (("hidden", 100), ("near", 70), ("reference", 5))]
    (tmp_path / "mushra.csv").write_text("\ufeff" + "\n".join(rows), encoding="utf-8")
    found = {rating.condition: rating.score for rating in read_responses([tmp_path], key)}
    assert found == {"hidden": 100, "near": 70}


@pytest.mark.parametrize("sessions", [True, False])
def test_a_table_of_webmushra_is_read(tmp_path: Path, sessions: bool) -> None:
    path = tmp_path / "mushra.csv"
    with path.open("w", newline="") as file:
        heads = ["session_test_id", "name", *(["session_uuid"] if sessions else [])]
        writer = csv.DictWriter(
            file, [*heads, "trial_id", "rating_stimulus", "rating_score", "rating_time", "rating_comment"]
        )
        writer.writeheader()
        for listener in ("ann", "bob"):
            for trial in (*KEY.stimuli, "practice"):
                for condition, score in GOOD.items():
                    writer.writerow(
                        {
                            "session_test_id": "t",
                            "name": listener,
                            **({"session_uuid": listener} if sessions else {}),
                            "trial_id": trial,
                            "rating_stimulus": "reference" if condition == "hidden" else condition,
                            "rating_score": score,
                        }
                    )
    ratings = read_responses([path], KEY)
    assert len({rating.listener for rating in ratings}) == 2
    assert len(ratings) == 2 * 10 * 5
    assert {rating.score for rating in ratings if rating.condition == "hidden"} == {100.0}


def test_files_that_are_no_answers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no answers"):
        read_responses([tmp_path], KEY)
    other = tmp_path / "other.json"
    for content, message in (
        ("{", "no answer"),
        ('{"format": "stito.preset"}', "no answer"),
        (answer(KEY, "ann", GOOD, test="another"), "answers the test 'another'"),
        (answer(KEY, "ann", GOOD | {"near": 101}), "no answer"),
        (answer(KEY, "ann", {**GOOD, "near": None}), "no answer"),  # type: ignore[dict-item]
    ):
        other.write_text(content)
        with pytest.raises(SettingsError, match=message):
            read_responses([other], KEY)
    table = tmp_path / "mushra.csv"
    heads = "session_test_id,trial_id,rating_stimulus,rating_score\n"
    for content in ("a,b\n1,2\n", f"{heads}t,trial-0,near,\n", f"{heads}t,trial-0,near,high\n"):
        table.write_text(content)
        with pytest.raises(SettingsError, match="no table of webMUSHRA"):
            read_responses([table], KEY)
    table.write_text(f"{heads}u,trial-0,near,3\n")
    with pytest.raises(SettingsError, match="the test 'u'"):
        read_responses([table], KEY)
    with pytest.raises(MissingFileError):
        read_key(tmp_path)
    (tmp_path / "key.json").write_text("{}")
    with pytest.raises(SettingsError, match="no key"):
        read_key(tmp_path)


def run(*words: object) -> Result:
    return CliRunner().invoke(listen, [str(word) for word in words])


def test_from_sounds_to_an_outcome(folder: Path, tmp_path: Path) -> None:
    built = run("build", folder, "-o", tmp_path / "test", "--seconds", 2)
    assert built.exit_code == 0, built.output
    assert str(tmp_path / "test" / "page" / "index.html") in built.stdout
    assert isinstance(run("build", folder, "-o", tmp_path / "test").exception, OutputExistsError)
    assert isinstance(run("build", folder, "-o", tmp_path / "b", "--seconds", 60).exception, SettingsError)
    key = read_key(tmp_path / "test")
    assert set(key.names.values()) == {"song-1", "song-2"}
    for name in ("ann", "bob"):
        (tmp_path / f"{name}.json").write_text(answer(key, name, GOOD, test=key.test))
    words = (tmp_path / "test", tmp_path / "ann.json", tmp_path / "bob.json", "-o", tmp_path / "out")
    done = run("analyse", *words)
    assert done.exit_code == 0, done.output
    assert "2 listeners, 2 trials" in done.stdout
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"result.json", "tables.md", "ratings.csv", "report.html"}
    rows = list(csv.DictReader((tmp_path / "out" / "ratings.csv").open()))
    assert len(rows) == 2 * 2 * 5
    assert {row["trial"] for row in rows} == {"song-1", "song-2"}
    again = run("analyse", *words, "--force", "--json")
    assert json.loads(again.stdout) == json.loads((tmp_path / "out" / "result.json").read_text())
