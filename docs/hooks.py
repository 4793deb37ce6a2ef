"""What pages say of commands, effects, metrics and literature, made from code and bibliography: one list of each.

A page holds a line such as `{{ commands }}`; the build puts the text of that name in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

__all__ = ["chains", "commands", "effects", "metrics", "on_page_markdown", "references"]

DISTRIBUTION = "stito"
"""Plug-ins of others may be installed where the site is built, and are not part of it."""

BIBLIOGRAPHY = Path(__file__).with_name("references.bib")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs asks this of each page before it is rendered."""
    makers: dict[str, Callable[[], str]] = {
        "commands": commands,
        "effects": effects,
        "chains": chains,
        "metrics": metrics,
        "references": references,
    }
    markdown = re.sub(r'^--8<-- "(\w+\.md)"$', lambda found: _of_root(found[1]), markdown, flags=re.MULTILINE)
    return re.sub(r"^\{\{ (\w+) \}\}$", lambda found: makers[found[1]](), markdown, flags=re.MULTILINE)


def _of_root(name: str) -> str:
    """A page that lies above this folder, its links as they are from here."""
    return BIBLIOGRAPHY.parents[1].joinpath(name).read_text(encoding="utf-8").replace("](docs/", "](")


def commands() -> str:
    """Every command with its help, examples and options."""
    from stito.cli import cli

    return "\n".join(_command(cli, click.Context(cli, info_name="stito"), level=2))


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}\n"
    yield f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield from _help(command.help or "")
    for param in command.params:
        if isinstance(param, click.Option) and (record := param.get_help_record(context)):
            name, text = record
            yield f"`{name}`\n:   {_plain(text)}\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _command(below, click.Context(below, info_name=name, parent=context), min(level + 1, 3))


def _help(text: str) -> Iterator[str]:
    """The paragraphs of a help text; what click is told to leave as it is (after a backspace) becomes code."""
    for paragraph in cleandoc(text).split("\n\n"):
        if not paragraph.startswith("\b"):
            yield f"{_plain(paragraph)}\n"
            continue
        head, *lines = paragraph.split("\n")[1:]
        yield f"{head}\n\n```sh\n" + "\n".join(line.strip() for line in lines) + "\n```\n"


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", text)


def effects() -> str:
    """Every effect of stito with its knobs."""
    from stito import registry

    return "\n".join(
        _effect(plugin.name) for plugin in registry.plugins("effect") if plugin.distribution == DISTRIBUTION
    )


def _effect(name: str) -> str:
    from stito import registry

    effect = registry.load("effect", name)
    kind = "differentiable" if effect.differentiable else "black box"
    lines = [
        f"### {name}\n",
        f"{cleandoc(effect.__doc__ or '')}\n",
        f"*{kind}*" + (f", aspect *{effect.aspect}*\n" if effect.aspect else "\n"),
        "| knob | from | to | neutral | scale | what it does |",
        "|---|---|---|---|---|---|",
    ]
    for param in effect.params:
        cells = [f"`{param.name}`", *(f"{value:g}" for value in (param.low, param.high, param.neutral))]
        lines.append(f"| {' | '.join([*cells, param.scale, _plain(param.doc)])} |")
    return "\n".join(lines) + "\n"


def chains() -> str:
    """Every chain of stito: its effects, and which knobs are frozen or narrowed."""
    from stito import registry
    from stito.effects.chain_files import load_chain

    lines = ["| chain | knobs | effects in order | frozen |", "|---|---|---|---|"]
    for plugin in registry.plugins("chain"):
        if plugin.distribution == DISTRIBUTION:
            chain = load_chain(plugin.name)
            order = " → ".join(f"[{slot.label}](#{slot.effect.name})" for slot in chain.slots)
            frozen = ", ".join(
                f"`{slot.label}.{knob}` {value:g}" for slot in chain.slots for knob, value in slot.frozen.items()
            )
            lines.append(f"| `{chain.name}` | {chain.dim} | {order} | {frozen} |")
    return "\n".join(lines)


def metrics() -> str:
    """Every metric of stito with its definition."""
    from stito import registry
    from stito.metrics import load_metrics

    ours = {plugin.name for plugin in registry.plugins("metric") if plugin.distribution == DISTRIBUTION}
    lines = ["| metric | unit | better | definition |", "|---|---|---|---|"]
    for metric in load_metrics().values():
        if metric.name in ours:
            lines.append(f"| `{metric.name}` | {metric.unit} | {metric.better} | {_plain(metric.doc)} |")
    return "\n".join(lines)


def references() -> str:
    """Every work of the bibliography, each with its key as anchor, under the headings that are comments there."""
    found = []
    for block in re.split(r"\n\n+", BIBLIOGRAPHY.read_text(encoding="utf-8").strip()):
        if block.startswith("%"):
            found.append(f"## {block.removeprefix('%').strip()}")
        else:
            key = block.partition("{")[2].partition(",")[0]
            fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", block, flags=re.MULTILINE))
            found.append(f"{_reference(fields)}\n{{ #{key} }}")
    return "\n\n".join(found)


def _reference(fields: dict[str, str]) -> str:
    """One work as a sentence: authors, title, where, when."""
    names = [" ".join(reversed(name.split(", "))) for name in fields["author"].strip("{}").split(" and ")]
    where = next((fields[kind] for kind in ("journal", "booktitle", "publisher") if kind in fields), "")
    if "volume" in fields:
        where += f" {fields['volume']}" + (f"({fields['number']})" if "number" in fields else "")
    if "eprint" in fields:
        link = f"[arXiv:{fields['eprint']}](https://arxiv.org/abs/{fields['eprint']})"
        where = link if where in ("", "arXiv") else f"{where}, {link}"
    told = [
        ", ".join(names),
        f"*{fields['title']}*",
        ", ".join(part for part in (where, fields.get("year", "")) if part),
    ]
    return ". ".join(part for part in told if part) + "."
