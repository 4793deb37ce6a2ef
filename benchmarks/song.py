"""Whole transfers of a four-minute song that the code composes, and matchering on the same song, in one run.

    python benchmarks/song.py
    python benchmarks/song.py --seconds 60 --only mix --methods match

Each transfer is a process of its own, as a user starts it: its seconds on the wall and of all cores together, its peak
memory, and the share of each phase as `result.json` has them. The last column is CPU seconds per second of music.
Matchering (https://github.com/sergree/matchering) runs where it is installed; it is no dependency of stito.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import soundfile

from stito.demo import compose
from stito.mix import Mix
from stito.terminal import text_table

MATCHERING = """
import sys
import matchering
matchering.process(target=sys.argv[1], reference=sys.argv[2], results=[matchering.pcm24(sys.argv[3])])
"""

TASKS = {
    "mix": ("{input}.wav", "{reference}.wav"),
    "stems": ("{input}", "{reference}"),
    "stems to mix": ("{input}", "{reference}.wav"),
}

METHODS = {"mix": ("match", "cma"), "stems": ("match", "ensemble", "neural", "cma"), "stems to mix": ("match", "cma")}


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def write_song(place: Path, name: str, seconds: float, rate: int) -> None:
    """A demo song of that length: `place`/*.wav, one file for each stem, and their sum as `place`.wav."""
    stems = compose(name, sample_rate=rate, seconds=seconds)
    mix = Mix.from_arrays(stems, rate)
    place.mkdir()
    for stem, audio in stems.items():
        soundfile.write(place / f"{stem}.wav", audio.T, rate, subtype="PCM_24")
    soundfile.write(f"{place}.wav", mix.sum().numpy().T, rate, subtype="PCM_24")


def write_songs(folder: Path, seconds: float, rate: int) -> None:
    """Input and reference, by a process of its own: the peak memory of a process counts for those that it starts."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        for place, name in (("input", "night"), ("reference", "street")):
            process.submit(write_song, folder / place, name, seconds, rate).result()


def cost_of(command: Sequence[str]) -> Cost:
    """Run a command to its end."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {said.decode()[-2000:]}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale)


def phases_of(outdir: Path) -> str:
    """The shares of CPU time of a transfer's phases, largest first."""
    phases = json.loads((outdir / "result.json").read_text())["phases"]
    total = sum(spent["cpu_seconds"] for spent in phases.values()) or 1.0
    ranked = sorted(phases.items(), key=lambda item: -item[1]["cpu_seconds"])
    return ", ".join(f"{name} {100 * spent['cpu_seconds'] / total:.0f} %" for name, spent in ranked)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=240.0, help="how long the song is")
    parser.add_argument("--rate", type=int, default=44_100)
    parser.add_argument("--only", choices=list(TASKS), help="one of the tasks")
    parser.add_argument("--methods", help="some of the methods, with commas")
    arguments = parser.parse_args()
    wanted = arguments.methods.split(",") if arguments.methods else None
    rows = []

    def report(task: str, method: str, cost: Cost, phases: str) -> None:
        share = cost.cpu_seconds / arguments.seconds
        row = [task, method, f"{cost.seconds:.1f}", f"{cost.cpu_seconds:.1f}", f"{cost.peak_bytes / 2**30:.2f}"]
        rows.append([*row, f"{share:.3f}", phases])
        print(f"{task}, {method}: {cost.cpu_seconds:.1f} s of CPU; {phases}", file=sys.stderr)

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_songs(folder, arguments.seconds, arguments.rate)
        names = {"input": str(folder / "input"), "reference": str(folder / "reference")}
        if arguments.only in (None, "mix") and importlib.util.find_spec("matchering"):
            files = [name.format(**names) for name in TASKS["mix"]]
            report("mix", "matchering", cost_of([sys.executable, "-c", MATCHERING, *files, f"{folder}/m.wav"]), "")
        for task, files in TASKS.items():
            if arguments.only not in (None, task):
                continue
            for method in METHODS[task]:
                if wanted and method not in wanted:
                    continue
                out = folder / f"{task}-{method}"
                pair = [name.format(**names) for name in files]
                command = [sys.executable, "-m", "stito", "transfer", *pair, "-o", str(out), "--method", method]
                report(task, method, cost_of(command), phases_of(out))
    heads = ["task", "method", "wall s", "CPU s", "GiB", "CPU s per s of music", "phases, by CPU time"]
    print(f"{arguments.seconds:g} s of music at {arguments.rate} Hz, {os.cpu_count()} cores")
    print(text_table(heads, rows, align="llrrrrl"))


if __name__ == "__main__":
    main()
