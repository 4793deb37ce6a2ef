"""The peak memory of a transfer of a long song, as a share of what its audio takes.

    python benchmarks/memory.py --minutes 10

A four-stem song of that length is synthesised into a temporary folder and transferred onto another by a subprocess,
whose peak resident memory is read from the operating system.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from stito.demo import compose

RATE = 44_100


def write_song(folder: Path, name: str, minutes: float) -> int:
    """A demo song repeated to that length, one file per stem; returns the bytes of its audio as float32."""
    folder.mkdir()
    total = 0
    samples = round(minutes * 60 * RATE)
    for stem, audio in compose(name).items():
        repeated = np.tile(audio, (1, samples // audio.shape[1] + 1))[:, :samples]
        soundfile.write(folder / f"{stem}.wav", repeated.T, RATE, subtype="PCM_16")
        total += repeated.nbytes
    return total


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--evaluations", type=int, default=64)
    parser.add_argument("--method", default="cma")
    parser.add_argument("--chain", default="mixing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        size = write_song(folder / "input", "night", arguments.minutes)
        write_song(folder / "reference", "street", arguments.minutes)
        command = [sys.executable, "-m", "stito", "transfer", str(folder / "input"), str(folder / "reference")]
        command += ["-o", str(folder / "out"), "--evaluations", str(arguments.evaluations)]
        command += ["--method", arguments.method, "--chain", arguments.chain]
        started = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(f"{arguments.minutes:g} minutes, four stems: {size / 2**30:.2f} GiB of audio as float32")
    print(f"peak memory {peak / 2**30:.2f} GiB, {peak / size:.2f} times the audio; {seconds:.0f} s")


if __name__ == "__main__":
    main()
