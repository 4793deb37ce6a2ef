"""Fit the prior of the `mixing` chain to settings that mixing engineers chose.

    python recipes/mixing_prior/fit.py mixes.json

prints the `[prior]` table of `effects/stito_effects/chains/mixing.toml`: mean and standard deviation, in theta, of each
knob over all tracks of the Mix Evaluation Dataset as MixologyDB publishes it (MIT). A track without an effect counts
as one at which that effect is neutral, for the knobs that switch it on (gains, ratio, mix); where an effect stands
(frequencies, times) is averaged over the tracks that use it. The last line says where faders stand.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stito.effects.chain_files import load_chain

BANDS = {
    "low": (30, 200),
    "low_mid": (200, 1000),
    "mid": (1000, 3000),
    "high_mid": (3000, 8000),
    "high": (5000, 10_000),
}
SMALLEST_STD = 0.05


def number(value: Any) -> float | None:
    """A finite number, or None."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def equaliser(parameters: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Gains, frequencies and Qs of a track's EQ in the bands of ours; pass filters have no counterpart."""
    gains = dict.fromkeys(BANDS, 0.0)
    for band in parameters.get("eq", []):
        value, kind = band["value"], band["type"]
        frequency, gain, q = number(value.get("freq")), number(value.get("gain")), number(value.get("q"))
        if kind not in ("LS", "HS", "NOTCH") or frequency is None or gain is None or abs(gain) > 24:
            continue
        if kind == "NOTCH":
            inside = [name for name in ("low_mid", "mid", "high_mid") if BANDS[name][0] <= frequency < BANDS[name][1]]
            name = inside[0] if inside else ("low" if frequency < 200 else "high")
        else:
            name = "low" if kind == "LS" else "high"
        gains[name] += gain
        low, high = BANDS[name]
        yield f"eq.{name}_hz", min(max(frequency, low), high)
        if name in ("low_mid", "mid", "high_mid") and q:
            yield f"eq.{name}_q", q
    for name, gain in gains.items():
        yield f"eq.{name}_gain_db", gain


def compressor(parameters: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """A track's first compressor; its ratio is 1 where there is none."""
    used = parameters.get("compression", [])
    if not used:
        yield "compressor.ratio", 1.0
        return
    first = used[0]
    ratio = str(first.get("ratio", "")).split(":")[0]
    if ratio.replace(".", "", 1).isdigit() and float(ratio) >= 1:
        yield "compressor.ratio", float(ratio)
    for key, knob in (("thresh", "threshold_db"), ("attack", "attack_ms"), ("release", "release_ms")):
        value = number(first.get(key))
        if value is not None and (key == "thresh" or value > 0):
            yield f"compressor.{knob}", value


def reverb(parameters: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """A track's loudest reverb: its wet share, length and pre-delay; the share is 0 where there is none."""
    shares = [0.0]
    for room in parameters.get("reverb", []):
        gain, mix = number(room.get("gain")), number(room.get("mix"))
        wet = 10 ** (min(gain if gain is not None else 0.0, 0.0) / 20) * (mix if mix is not None else 1.0)
        shares.append(math.atan(wet) * 2 / math.pi if room.get("send") else wet)
        length, pre_delay = number(room.get("length")), number(room.get("pre-delay"))
        if length:
            yield "reverb.decay_mid_s", length / 1000
        if pre_delay is not None:
            yield "reverb.pre_delay_ms", pre_delay
    yield "reverb.mix", max(shares)


def panner(parameters: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The pan of a mono track; stems sum many, so this is wider than a stem's."""
    pans = parameters.get("pan") or []
    if len(pans) == 1 and number(pans[0]) is not None:
        yield "panner.pan", pans[0] / 100


def main() -> None:
    """Print the table."""
    mixes = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["mixes"]
    seen: dict[str, list[float]] = {}
    for track in (track for mix in mixes for track in mix["tracks"]):
        for part in (equaliser, compressor, reverb, panner):
            for knob, value in part(track["parameters"]):
                seen.setdefault(knob, []).append(value)
    print("[prior]")
    for knob in load_chain("mixing").knobs:
        values = seen.get(str(knob))
        if values is None:
            continue
        places = [min(max(knob.param.to_unit(min(max(v, knob.param.low), knob.param.high)), 0.0), 1.0) for v in values]
        mean, std = statistics.fmean(places), max(SMALLEST_STD, statistics.pstdev(places))
        print(f'"{knob}" = [{mean:.3f}, {std:.3f}]  # {len(values)} tracks')
    faders = [
        gain
        for mix in mixes
        for track in mix["tracks"]
        if (gain := number(track["parameters"].get("gain"))) is not None
    ]
    low, *_, high = statistics.quantiles(faders, n=40, method="inclusive")
    print(f"# faders of {len(faders)} tracks: 95 % between {low:.1f} and {high:.1f} dB")


if __name__ == "__main__":
    main()
