"""A listening test as files: a page that anybody can host, the same test for webMUSHRA, and the key to both."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stito.audio import write_atomic, write_audio
from stito.audio.compressed import lossless
from stito.errors import SettingsError
from stito.evaluation.listening.stimuli import stimuli
from stito.evaluation.listening.trials import ANCHORS, HIDDEN, REFERENCE, Trial
from stito.evaluation.page import TEMPLATES
from stito.files.names import file_name

__all__ = ["NAMES", "Questions", "build_test"]

PAGE, WEBMUSHRA, KEY = NAMES = ("page", "webmushra", "key.json")
QUESTION = "How like the reference is each sound?"
THANKS = "Save your answers: they leave this device only when you send them."
LONGEST_S = 12.0
"""Longer excerpts have to be justified (BS.1534-3)."""


@dataclass(frozen=True)
class Questions:
    """What listeners read, and where their answers go: to `post`, an address that takes them, if there is one."""

    title: str = "Listening test"
    question: str = QUESTION
    thanks: str = THANKS
    post: str = ""


def build_test(
    trials: Sequence[Trial],
    outdir: Path,
    *,
    seconds: float = 10.0,
    questions: Questions | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> str:
    """Write `page/`, `webmushra/` and `key.json`; return the test's identity, which answers carry.

    Names and order of stimuli do not reveal what they are; `key.json` does, and is not for listeners.

    Raises:
        SettingsError: an excerpt of no length, or too long to be remembered.
    """
    if not 1 <= seconds <= LONGEST_S:
        raise SettingsError(
            f"Excerpts of {seconds:g} s cannot be compared.", hint=f"Give 1 to {LONGEST_S:g} s; 10 s are usual."
        )
    questions = questions or Questions()
    identity = f"{file_name(questions.title).lower() or 'test'}-{secrets.token_hex(3)}"
    trials = sorted(trials, key=lambda trial: not trial.training)
    pages, key = [], []
    for number, trial in enumerate(trials, 1):
        if on_trial:
            on_trial(trial)
        reference, sounds = stimuli(trial, seconds)
        names = {secrets.token_hex(4): name for name in sorted(sounds)}
        names = dict(sorted(names.items()))  # by identity, which is random
        open_reference = secrets.token_hex(4)
        page: dict[str, Any] = {
            "id": f"trial-{number}",
            "training": trial.training,
            "file": f"audio/trial-{number}.js",
            "reference": open_reference,
            "stimuli": list(names),
        }
        audio = {open_reference: reference, **{stimulus: sounds[name] for stimulus, name in names.items()}}
        _write_audio(outdir / PAGE / page["file"], page["id"], audio, trial.sample_rate)
        _write_webmushra_audio(outdir, page["id"], reference, sounds, trial.sample_rate)
        pages.append(page)
        key.append(
            {
                "id": page["id"],
                "name": trial.name,
                "training": trial.training,
                "other_music": trial.hidden is not trial.reference,
                "stimuli": names,
                "measures": trial.measures,
            }
        )
    test = {"id": identity, "trials": pages, **vars(questions)}
    html = TEMPLATES.render(
        "listening_test.html.j2", styles=["listening_test.css"], scripts=["listening_test.js"], test=test
    )
    write_atomic(outdir / PAGE / "index.html", html, overwrite=True)
    config = json.dumps(_webmushra(test, trials), indent=2)  # JSON is YAML
    write_atomic(outdir / WEBMUSHRA / "configs" / f"{identity}.yaml", config + "\n", overwrite=True)
    about = {"format": "stito.listening.key", "version": 1, "test": identity, "trials": key}
    write_atomic(outdir / KEY, json.dumps(about, indent=2) + "\n", overwrite=True)
    return identity


def _write_audio(path: Path, trial: str, sounds: Mapping[str, Tensor], sample_rate: int) -> None:
    """Sounds as a script: a page that is opened as a file may load scripts, and nothing else."""
    encoded = {
        name: base64.b64encode(lossless(sound.numpy(), sample_rate)).decode("ascii") for name, sound in sounds.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, f"stitoAudio({json.dumps(trial)}, {json.dumps(encoded)});\n", overwrite=True)


def _resource(trial: str, name: str) -> str:
    """Where webMUSHRA finds a sound, from its own folder."""
    return f"configs/resources/{trial}/{file_name(name)}.wav"


def _write_webmushra_audio(
    outdir: Path, trial: str, reference: Tensor, sounds: Mapping[str, Tensor], sample_rate: int
) -> None:
    """webMUSHRA wants sounds of one length, and brings the hidden reference itself."""
    length = max(sound.shape[-1] for sound in (reference, *sounds.values()))
    for name, sound in {REFERENCE: reference, **sounds}.items():
        path = outdir / WEBMUSHRA / _resource(trial, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        padded = torch.nn.functional.pad(sound, (0, length - sound.shape[-1]))
        write_audio(path, padded, sample_rate, subtype="PCM_16", overwrite=True)


def _webmushra(test: Mapping[str, Any], trials: Sequence[Trial]) -> dict[str, Any]:
    """The same test as webMUSHRA's configuration, trials in the order of the test's."""
    pages = [_webmushra_page(test, page["id"], trial) for page, trial in zip(test["trials"], trials, strict=True)]
    practice = [page for page, of in zip(pages, test["trials"], strict=True) if of["training"]]
    real = [page for page, of in zip(pages, test["trials"], strict=True) if not of["training"]]
    return {
        "testname": test["title"],
        "testId": test["id"],
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": True,
        "remoteService": "service/write.php",
        "pages": [
            {"type": "generic", "id": "welcome", "name": test["title"], "content": test["question"]},
            {
                "type": "volume",
                "id": "volume",
                "name": "Volume",
                "content": "Loud enough to hear details, and comfortable. Leave it like that afterwards.",
                "stimulus": _resource(test["trials"][0]["id"], REFERENCE),
                "defaultVolume": 0.5,
            },
            *practice,
            ["random", *real],
            {
                "type": "finish",
                "name": "Thank you",
                "content": "",
                "showResults": False,
                "writeResults": True,
                "questionnaire": [{"type": "text", "label": "Name", "name": "name", "optional": True}],
            },
        ],
    }


def _webmushra_page(test: Mapping[str, Any], trial_id: str, trial: Trial) -> dict[str, Any]:
    names = [*trial.systems, *ANCHORS]
    if trial.hidden is not trial.reference:
        names.append(HIDDEN)  # else webMUSHRA adds the reference itself
    return {
        "type": "mushra",
        "id": trial_id,
        "name": "Practice" if trial.training else "Sounds",
        "content": test["question"],
        "showWaveform": False,
        "enableLooping": True,
        "strict": True,
        "reference": _resource(trial_id, REFERENCE),
        "createAnchor35": False,
        "createAnchor70": False,
        "switchBack": False,
        "stimuli": {name: _resource(trial_id, name) for name in names},
    }
