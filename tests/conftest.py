"""One thread per test process, since tests run side by side; small songs that many tests transfer."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import settings

from stito.audio import AudioFormat
from stito.demo import compose
from stito.effects.chain_files import load_chain
from stito.engine.options import TransferOptions
from stito.engine.result import OnStep, Solved
from stito.engine.solve import prepare, solve
from stito.mix import Mix

torch.set_num_threads(1)
for one, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(one) is signal.SIG_IGN:  # of tests in the background, under nohup; programs would inherit it
        signal.signal(one, usual)
settings.register_profile("stito", deadline=None)  # a busy machine is no bug
settings.load_profile("stito")

RATE = 44_100
CHAIN = "eq | compressor | panner | imager | gain"
STYLES: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "drums": {"eq": {"high_gain_db": 8.0}, "compressor": {"threshold_db": -30.0, "ratio": 6.0}},
    "bass": {"eq": {"low_gain_db": 6.0, "high_gain_db": -8.0}, "gain": {"gain_db": -4.0}},
    "other": {"imager": {"width": 1.8}, "panner": {"pan": 0.4}, "eq": {"mid_gain_db": -8.0}},
    "vocals": {"eq": {"low_gain_db": -10.0, "high_mid_gain_db": 6.0}},
}
"""A style for each stem, in the knobs of `CHAIN`."""


def song(name: str, *, styled: bool = False, seconds: float = 4.0, stems: tuple[str, ...] = ()) -> Mix:
    """A demo song as a mix of stems, dry or under `STYLES`."""
    chain = load_chain(CHAIN)
    found = {}
    for stem, audio in compose(name, seconds=seconds).items():
        if stems and stem not in stems:
            continue
        x = torch.from_numpy(audio.copy())
        if styled:
            x = chain.render_one(x, chain.settings(chain.encode(STYLES[stem])), RATE)
        found[stem] = x
    audio_format = AudioFormat(RATE, 2, "PCM_24")
    return Mix(found, RATE, audio_format, name, (), "stems", dict.fromkeys(found, audio_format))


def as_mix(stems: Mix) -> Mix:
    """The sum of stems as a released mix."""
    return Mix({"mix": stems.sum()}, stems.sample_rate, stems.format, stems.name, (), "mix", {"mix": stems.format})


def solved(mix: Mix, reference: Mix, *, on_step: OnStep | None = None, **options: Any) -> Solved:
    """The settings of a transfer with these options, as they were found; nothing is rendered at length."""
    return solve(prepare(mix, reference, TransferOptions(**{"simplify": "off", **options})), on_step=on_step)


def write_song(folder: Path, mix: Mix) -> Path:
    """The stems of a mix as files."""
    folder.mkdir(parents=True)
    for stem, audio in mix.stems.items():
        soundfile.write(folder / f"{stem}.wav", np.asarray(audio).T, mix.sample_rate, subtype="PCM_24")
    return folder


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `night` (dry) and `street` (styled) as folders of stems, and `street.wav`."""
    root = tmp_path_factory.mktemp("songs")
    write_song(root / "night", song("night"))
    styled = song("street", styled=True)
    write_song(root / "street", styled)
    soundfile.write(root / "street.wav", 0.5 * np.asarray(styled.sum()).T, RATE, subtype="PCM_16")
    return root
