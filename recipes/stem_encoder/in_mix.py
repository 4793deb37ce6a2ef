"""What an encoder of mixes embeds of damage when stems are compared with those of another song: alone, or in their mix.

    python recipes/stem_encoder/in_mix.py cache/ --split test --cases 14

Of each case of `stito evaluate undo`, the stems that both songs have: how far those of the good and of the damaged mix
are from the other song's, by the embedding of the stem alone, of the stem alone under its name, and as a part of its
mix.
AUC is how often a damaged stem is further from the other song's than any good stem is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from stito.evaluation.degradations.outcome import area_under_curve
from stito.evaluation.table import Table, figure
from stito.evaluation.undo.cases import CachedMixes, draw_case
from stito.evaluation.undo.plan import UndoPlan
from stito.models.encoder import Encoder, MixEncoder, distance
from stito.models.in_mix import embed_in_mix
from stito.models.loading import load_encoder

Embed = Callable[[Mapping[str, Tensor], str], Tensor]
"""The stem of a name in a mix, (1, dim)."""


def ways(encoder: Encoder) -> dict[str, Embed]:
    """How a stem is embedded, by name."""
    assert isinstance(encoder, MixEncoder)

    def named(mix: Mapping[str, Tensor], stem: str) -> Tensor:
        return encoder.embed_mix({stem: mix[stem][None]}).stems[:, encoder.stems.index(stem)]

    def in_mix(mix: Mapping[str, Tensor], stem: str) -> Tensor:
        return embed_in_mix(encoder, mix[stem][None], stem, {name: x[None] for name, x in mix.items() if name != stem})

    return {"alone": lambda mix, stem: encoder.embed(mix[stem][None]), "alone, named": named, "in its mix": in_mix}


@click.command(help=__doc__)
@click.argument("cache", type=click.Path(path_type=Path))
@click.option("--split", default="test", show_default=True)
@click.option("--encoder", "name", default="stem", show_default=True)
@click.option("--cases", default=40, show_default=True)
@click.option("--seconds", default=6.0, show_default=True)
@click.option("--severity", default=0.75, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(cache: Path, split: str, name: str, cases: int, seconds: float, severity: float, seed: int) -> None:
    encoder, songs = load_encoder(name), CachedMixes(cache.resolve(), split).mixes()
    plan = UndoPlan(name, ("input",), cases, seconds, severity=severity, seed=seed)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(cases):
        case = draw_case(songs, plan, number)
        both = [stem for stem in case.good if stem in case.other]
        if len(both) < 2:
            continue
        good, damaged, other = ({stem: mix[stem] for stem in both} for mix in (case.good, case.damaged, case.other))
        for way, embed in ways(encoder).items():
            for stem in both:
                with torch.no_grad():
                    ours, bad, theirs = (embed(mix, stem) for mix in (good, damaged, other))
                apart = [float(distance(encoder, *pair)[0]) for pair in ((ours, theirs), (bad, theirs), (bad, ours))]
                found[way]["good"].append(apart[0])
                if stem in {damage.stem for damage in case.damage}:
                    found[way]["damaged"].append(apart[1])
                    found[way]["rises"].append(apart[1] > apart[0])
                    found[way]["itself"].append(apart[2])
    rows = []
    for way, of in found.items():
        good_, bad_ = np.array(of["good"]), np.array(of["damaged"])
        means = (good_.mean(), bad_.mean(), float(np.mean(of["itself"])), area_under_curve(good_, bad_))
        rows.append((way, *(figure(float(value), digits=2) for value in means), f"{100 * np.mean(of['rises']):.0f} %"))
    heads = ("a stem is embedded", "good to other", "damaged to other", "damaged to itself", "AUC", "damage raises it")
    count = len(found["alone"]["damaged"])
    click.echo(Table(f"{count} damaged stems", heads, tuple(rows)).text())


if __name__ == "__main__":
    main()
