"""`stito plugins`, `stito effects` and `stito encoders`: what is installed."""

from __future__ import annotations

import json
from inspect import cleandoc

import click

__all__ = ["effects", "encoders", "plugins"]


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

    if kind is not None and kind not in registry.KINDS:
        raise UnknownNameError.of("kind of plug-in", kind, registry.KINDS)
    for each in registry.KINDS if kind is None else [kind]:
        if kind is None:
            click.echo(f"{each}:")
        for plugin in registry.plugins(each):
            about = f"  {summary_of(plugin.name)}" if kind == "method" else ""
            click.echo(f"{'' if kind else '  '}{plugin.name:<26}{plugin.distribution:<22}{about}".rstrip())
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
    """
    from stito import registry
    from stito.errors import UnknownNameError

    known = [*registry.names("effect"), *registry.names("chain")]
    if name is None:
        click.echo(_listing())
    elif name in registry.names("effect"):
        click.echo(_effect(name))
    elif name in registry.names("chain") or "|" in name or name.endswith(".toml"):
        click.echo(_chain(name))
    else:
        raise UnknownNameError.of("effect or chain", name, known)


@click.command()
@click.argument("name", required=False)
def encoders(name: str | None) -> None:
    """List encoders, or describe one.

    NAME may also be a file of weights: what it was trained on and what it scored is in its header.

    \b
    Examples:
      stito encoders features
      stito encoders runs/small/best.safetensors
    """
    from stito import registry
    from stito.models.encoder import Described
    from stito.models.loading import load_encoder

    if name is None:
        for plugin in registry.plugins("encoder"):
            click.echo(f"{plugin.name:<24}{plugin.distribution}")
        return
    encoder = load_encoder(name)
    owner = registry.find("encoder", encoder.name).distribution
    click.echo(f"{encoder.name}: {encoder.dim} dimensions, {encoder.sample_rate} Hz, from {owner}")
    click.echo(cleandoc(type(encoder).__doc__ or ""))
    if isinstance(encoder, Described):
        for key, value in encoder.header.items():
            click.echo(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")


def _listing() -> str:
    from stito import registry

    lines = ["Effects:"]
    lines += [f"  {plugin.name:<26}{plugin.distribution}" for plugin in registry.plugins("effect")]
    lines += ["Chains:"]
    lines += [f"  {plugin.name:<26}{plugin.distribution}" for plugin in registry.plugins("chain")]
    lines += [f"Left out: {problem.distribution}: {problem.reason}" for problem in registry.problems()]
    return "\n".join(lines)


def _effect(name: str) -> str:
    from stito import registry

    effect = registry.load("effect", name)
    kind = "differentiable" if effect.differentiable else "black box"
    lines = [f"{name} ({kind}): {(effect.__doc__ or '').strip().splitlines()[0] if effect.__doc__ else ''}", ""]
    lines.append(f"  {'knob':<20}{'from':>10}{'to':>10}{'neutral':>10}  scale   ")
    for param in effect.params:
        lines.append(
            f"  {param.name:<20}{param.low:>10.4g}{param.high:>10.4g}{param.neutral:>10.4g}  "
            f"{param.scale:<8}{param.doc}"
        )
    return "\n".join(lines)


def _chain(name: str) -> str:
    from stito.effects.chain_files import load_chain

    chain = load_chain(name)
    lines = [f"{chain.name}: {chain.dim} knobs, {'differentiable' if chain.differentiable else 'black box'}"]
    for slot in chain.slots:
        lines.append(f"  {slot.label}")
        for param in slot.free:
            lines.append(f"    {param.name:<20}{param.low:>10.4g} to {param.high:.4g} {param.unit}".rstrip())
        lines += [f"    {knob:<20}{value:>10.4g} (frozen)" for knob, value in slot.frozen.items()]
    return "\n".join(lines)
