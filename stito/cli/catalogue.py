"""`stito plugins`, `stito effects`, `stito encoders` and `stito metrics`: what is installed."""

from __future__ import annotations

import json
from inspect import cleandoc
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stito.registry import Kind

__all__ = ["effects", "encoders", "metrics", "plugins"]


@click.command()
@click.argument("kind", required=False)
def plugins(kind: str | None) -> None:
    """List everything that can be chosen by name, or one KIND of it, and which distribution brought it.

    \b
    Examples:
      stito plugins
      stito plugins method
    """
    from stito import registry
    from stito.engine.methods.base import summary_of
    from stito.errors import UnknownNameError
    from stito.terminal import text_table

    if kind is not None and kind not in registry.KINDS:
        raise UnknownNameError.of("kind of plug-in", kind, registry.KINDS)
    for each in registry.KINDS if kind is None else [kind]:
        about = summary_of if kind == "method" else lambda name: ""
        rows = [(plugin.name, plugin.distribution, about(plugin.name)) for plugin in registry.plugins(each)]
        if kind is None:
            click.echo(f"{each}:")
        click.echo(text_table(("name", "from", ""), rows, align="lll", indent=0 if kind else 2))
    for problem in registry.problems():
        click.echo(f"Left out: {problem.distribution}: {problem.reason}", err=True)


@click.command()
@click.argument("name", required=False)
def effects(name: str | None) -> None:
    """List effects and chains, or the knobs of one.

    \b
    Examples:
      stito effects
      stito effects compressor
      stito effects mixing
      stito effects vst3:ZamCompX2
    """
    from stito import registry
    from stito.errors import UnknownNameError

    names = [*registry.names("effect"), *registry.names("chain")]
    if name is None:
        click.echo(_listing())
    elif "|" not in name and registry.parse_name(name)[0] in registry.names("effect"):
        click.echo(_effect(name))
    elif name in registry.names("chain") or "|" in name or name.endswith(".toml"):
        click.echo(_chain(name))
    else:
        raise UnknownNameError.of("effect or chain", name, names)


@click.command()
@click.argument("name", required=False)
def encoders(name: str | None) -> None:
    """List encoders, or describe one.

    NAME may also be a file of weights: what it was trained on and what it scored is in its header. Or it is several
    encoders, with weights or without, whose distance is the weighted mean of theirs.

    \b
    Examples:
      stito encoders features
      stito encoders runs/small/best.safetensors
      stito encoders "fxencoder*0.7+features*0.3"
    """
    from stito import registry
    from stito.models.encoder import Combined, Described
    from stito.models.loading import load_encoder

    if name is None:
        click.echo(_owners("encoder", indent=0))
        return
    encoder = load_encoder(name)
    parts = encoder.parts if isinstance(encoder, Combined) else (encoder,)
    owners = dict.fromkeys(registry.find("encoder", part.name).distribution for part in parts)
    click.echo(f"{encoder.name}: {encoder.dim} dimensions, {encoder.sample_rate} Hz, from {', '.join(owners)}")
    click.echo(cleandoc(type(encoder).__doc__ or ""))
    if isinstance(encoder, Described):
        for key, value in encoder.header.items():
            click.echo(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")


@click.command()
def metrics() -> None:
    """List what is reported of results: units, which way is better, and definitions.

    \b
    Example:
      stito metrics
    """
    from stito.metrics import load_metrics
    from stito.terminal import text_table

    rows = [(metric.name, metric.unit, metric.better, metric.doc) for metric in load_metrics().values()]
    click.echo(text_table(("metric", "unit", "better", "definition"), rows, align="llll"))


def _listing() -> str:
    from stito import registry

    lines = ["Effects:", _owners("effect"), "Chains:", _owners("chain")]
    lines += [f"Left out: {problem.distribution}: {problem.reason}" for problem in registry.problems()]
    return "\n".join(lines)


def _owners(kind: Kind, indent: int = 2) -> str:
    """All of one kind, and the distributions that brought them."""
    from stito import registry
    from stito.terminal import text_table

    rows = [(plugin.name, plugin.distribution) for plugin in registry.plugins(kind)]
    return text_table((), rows, align="ll", indent=indent)


def _effect(name: str) -> str:
    from stito import registry
    from stito.effects.chain_files import load_chain
    from stito.terminal import text_table

    of_class = registry.load("effect", registry.parse_name(name)[0])
    effect = load_chain(name).slots[0].effect if ":" in name else of_class
    kind = "differentiable" if effect.differentiable else "black box"
    title = f"{name} ({kind}): {(effect.__doc__ or '').strip().splitlines()[0] if effect.__doc__ else ''}"
    heads = ("knob", "from", "to", "neutral", "scale", "")
    rows = [
        (param.name, *(f"{value:.4g}" for value in (param.low, param.high, param.neutral)), param.scale, param.doc)
        for param in effect.params
    ]
    title += f" Aspect: {effect.aspect}." if effect.aspect else ""
    lines = [title, "", text_table(heads, rows, align="lrrrll", indent=2)]
    if of_class.argument and ":" not in name and (found := of_class.arguments()):
        lines += ["", f"Found here, for {name}:NAME: {', '.join(found)}"]
    return "\n".join(lines)


def _chain(name: str) -> str:
    from stito.effects.chain_files import load_chain
    from stito.terminal import text_table

    chain = load_chain(name)
    lines = [f"{chain.name}: {chain.dim} knobs, {'differentiable' if chain.differentiable else 'black box'}"]
    for slot in chain.slots:
        rows = [(of.name, f"{of.low:.4g}", f"to {of.high:.4g} {of.unit}".rstrip()) for of in slot.free]
        rows += [(knob, f"{value:.4g}", "(frozen)") for knob, value in slot.frozen.items()]
        lines += [f"  {slot.label}", text_table((), rows, align="lrl", indent=4)]
    return "\n".join(lines)
