"""What is compared: for each trial a reference, and what each system made, as folders of audio files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from stito.audio import is_audio_file, read_audio, resample, to_stereo
from stito.errors import AudioError, MissingFileError, SettingsError, UnknownNameError

__all__ = ["ANCHORS", "HIDDEN", "PREDICTIONS", "REFERENCE", "Trial", "read_trials"]

REFERENCE, TRUTH = "reference", "truth"
HIDDEN = "hidden"
"""The stimulus that is the reference itself, or what a perfect system would make."""
ANCHORS = {"anchor35": 3500.0, "anchor70": 7000.0}
"""Low and mid anchor: the hidden reference through low-passes of these frequencies, in Hz (BS.1534-3, sec. 5.1)."""
TRAINING = "training"
PREDICTIONS = "measures.json"
LENGTH_TOLERANCE_S = 0.1
MOST_STIMULI = 12
"""What a listener can keep apart, the hidden reference and the anchors among them (BS.1534-3, sec. 5.3)."""
MOST_SYSTEMS = MOST_STIMULI - 1 - len(ANCHORS)


@dataclass(frozen=True)
class Trial:
    """One comparison, all sounds (2, t) at one rate.

    `hidden` is what a perfect system would make: the reference itself, unless that is of other music. Trials for
    `training` come first, and their ratings do not count. `measures` are those of each system.
    """

    name: str
    reference: Tensor
    hidden: Tensor
    systems: Mapping[str, Tensor]
    sample_rate: int
    training: bool = False
    measures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def read_trials(folder: Path, systems: Sequence[str] = ()) -> list[Trial]:
    """The trials of a folder: a folder each, in which `reference` is the reference and every other file a system's.

    With a file `truth`, that is the hidden reference, and `reference` may be of other music. Folders whose name begins
    with `training` are for practice. `measures.json`, if it is there, has for each trial and system what was measured.
    With `systems`, only these.

    Raises:
        MissingFileError: there is no such folder, no trial in it, or a trial without reference.
        AudioError: sounds that are to be compared differ in length.
        SettingsError: a trial has no system, or too many.
    """
    inside = folder.iterdir() if folder.is_dir() else []
    folders = sorted(path for path in inside if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise MissingFileError(
            f"{folder} holds no trials.",
            hint="Make a folder for each trial, with reference.wav and a file for each system.",
        )
    measured: dict[str, Any] = {}
    if (folder / PREDICTIONS).is_file():
        try:
            measured = dict(json.loads((folder / PREDICTIONS).read_text(encoding="utf-8-sig")))
        except (ValueError, TypeError) as error:
            raise SettingsError(f"{folder / PREDICTIONS} cannot be read: {error}", hint="Delete it.") from error
    return [_trial(path, measured.get(path.name, {}), systems) for path in folders]


def _trial(folder: Path, measures: Mapping[str, Mapping[str, float]], chosen: Sequence[str]) -> Trial:
    files = {path.stem: path for path in sorted(folder.iterdir()) if is_audio_file(path)}
    for name in chosen:
        if name not in files:
            raise UnknownNameError.of("system", name, set(files) - {REFERENCE, TRUTH})
    if chosen:
        files = {name: path for name, path in files.items() if name in (REFERENCE, TRUTH, *chosen)}
    if REFERENCE not in files:
        raise MissingFileError(f"{folder} has no reference.", hint="Add reference.wav: what listeners compare with.")
    first = read_audio(files[REFERENCE])
    rate = first.sample_rate
    sounds = {REFERENCE: to_stereo(first.samples)}
    for name, path in files.items():
        if name != REFERENCE:
            audio = read_audio(path)
            sounds[name] = resample(to_stereo(audio.samples), audio.sample_rate, rate)
    reference = sounds.pop(REFERENCE)
    hidden = sounds.pop(TRUTH, reference)
    reserved = sorted(set(sounds) & {HIDDEN, *ANCHORS})
    if reserved:
        raise SettingsError(f"{folder}: no system can be called {reserved[0]}.", hint="Call its file something else.")
    if not sounds:
        raise SettingsError(f"{folder} has no system to compare.", hint="Add a file for each, such as match.wav.")
    if len(sounds) > MOST_SYSTEMS:
        raise SettingsError(
            f"{folder} has {len(sounds)} systems, more than a listener keeps apart.",
            hint=f"Choose {MOST_SYSTEMS} or fewer with --systems: hidden reference and two anchors come on top.",
        )
    length = hidden.shape[-1]
    for name, sound in sounds.items():
        if abs(sound.shape[-1] - length) > LENGTH_TOLERANCE_S * rate:
            raise AudioError(
                f"{files[name]} lasts {sound.shape[-1] / rate:.1f} s, the truth {length / rate:.1f} s.",
                hint="All must be of the same music; a reference of other music needs a file `truth` beside it.",
            )
    return Trial(folder.name, reference, hidden, sounds, rate, folder.name.startswith(TRAINING), measures)
