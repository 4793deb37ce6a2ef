"""Answers of listeners: files of stito's page, and tables of webMUSHRA."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stito.errors import MissingFileError, SettingsError
from stito.evaluation.listening.trials import HIDDEN, REFERENCE

__all__ = ["Key", "Rating", "read_key", "read_responses"]


@dataclass(frozen=True)
class Rating:
    """How like the reference one listener found one stimulus, from 0 to 100."""

    listener: str
    trial: str
    condition: str
    score: float


@dataclass(frozen=True)
class Key:
    """What the stimuli of a test are: for each trial that counts its name, the condition of each stimulus, and the
    measures of each; and in which trials the open reference is of other music, and no stimulus."""

    test: str
    names: Mapping[str, str]
    stimuli: Mapping[str, Mapping[str, str]]
    measures: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    other_music: frozenset[str] = frozenset()


def read_key(path: Path) -> Key:
    """The key of a test, from its file or the test's folder."""
    path = path / "key.json" if path.is_dir() else path
    if not path.is_file():
        raise MissingFileError(f"{path} is not there.", hint="Name the folder that `stito listen build` made.")
    try:
        key = json.loads(path.read_text(encoding="utf-8-sig"))
        trials = [trial for trial in key["trials"] if not trial["training"]]
        return Key(
            key["test"],
            {trial["id"]: trial["name"] for trial in trials},
            {trial["id"]: trial["stimuli"] for trial in trials},
            {trial["id"]: trial["measures"] for trial in trials},
            frozenset(trial["id"] for trial in trials if trial["other_music"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path} is no key of a listening test.", hint="Name that of the test.") from error


def read_responses(paths: Sequence[Path], key: Key) -> list[Rating]:
    """The ratings of all files, of folders all `.json` and `.csv` in them; each listener once, as they last answered.

    Raises:
        MissingFileError: a file is not there, or a folder has none.
        SettingsError: a file is of another test, or of none.
    """
    files = [file for path in paths for file in _files(path)]
    found: dict[str, list[Rating]] = {}
    for file in files:
        read = _of_webmushra if file.suffix.lower() == ".csv" else _of_page
        for listener, ratings in read(file, key):
            found[listener] = ratings
    return [rating for ratings in found.values() for rating in ratings]


def _files(path: Path) -> list[Path]:
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".json", ".csv"))
    if not files or not files[0].is_file():
        raise MissingFileError(f"There are no answers in {path}.", hint="Name .json files of listeners, or mushra.csv.")
    return files


def _of_page(path: Path, key: Key) -> Iterator[tuple[str, list[Rating]]]:
    try:
        answers: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
        if answers["format"] != "stito.listening":
            raise KeyError("format")
        test, listener = answers["test"], answers["listener"]
        given = {
            answer["trial"]: {name: _score(value) for name, value in answer["ratings"].items()}
            for answer in answers["trials"]
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"{path} is no answer of a listener.", hint="Answers are what the page saves.") from error
    if test != key.test:
        raise SettingsError(f"{path} answers the test '{test}'; the key is of '{key.test}'.", hint="Use its own key.")
    yield (
        listener,
        [
            Rating(listener, trial, condition, given[trial][stimulus])
            for trial, stimuli in key.stimuli.items()
            for stimulus, condition in stimuli.items()
            if stimulus in given.get(trial, {})
        ],
    )


def _of_webmushra(path: Path, key: Key) -> Iterator[tuple[str, list[Rating]]]:
    """Rows in long form; releases before 2021 have no identity of a session, and a listener begins with each trial
    that has been rated before."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["rating_stimulus"]]
        tests = {row["session_test_id"] for row in rows}
        sessions = _sessions(rows, key, str(path))
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path} is no table of webMUSHRA.", hint="Its name is mushra.csv there.") from error
    for test in tests - {key.test}:
        raise SettingsError(f"{path} has answers to the test '{test}', not to '{key.test}'.", hint="Use its own key.")
    for listener, scores in sessions.items():
        yield (
            listener,
            [Rating(listener, *place, score) for place, score in scores.items() if place[0] in key.stimuli],
        )


def _sessions(rows: Sequence[Mapping[str, str]], key: Key, path: str) -> dict[str, dict[tuple[str, str], float]]:
    """By session the score of each trial and condition."""
    sessions: dict[str, dict[tuple[str, str], float]] = {}
    latest = ""
    for row in rows:
        condition, trial = row["rating_stimulus"], row["trial_id"]
        if condition == REFERENCE:
            if trial in key.other_music:
                continue  # webMUSHRA has the open reference rated, whatever it is
            condition = HIDDEN
        place = (trial, condition)
        latest = row.get("session_uuid") or (latest if latest and place not in sessions[latest] else "")
        latest = latest or f"{path}-{len(sessions) + 1}"
        sessions.setdefault(latest, {})[place] = _score(row["rating_score"])
    return sessions


def _score(value: Any) -> float:
    score = float(value)
    if not 0 <= score <= 100:
        raise ValueError(f"{score} is no rating")
    return score
