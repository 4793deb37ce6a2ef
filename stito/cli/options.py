"""Options that several commands share, and what they mean to the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import click

from stito import registry
from stito.engine.options import AUTO, CHANNELS, INITS
from stito.stems import STEMS

if TYPE_CHECKING:
    from stito.engine.result import OnStep
    from stito.workflows.transfer import Transfer

__all__ = ["NamedOption", "SearchOptions", "engine_of", "method_option", "predictor_option", "search_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


class NamedOption(click.Option):
    """An option that takes a name of one kind of plug-in: its help lists what is installed."""

    def __init__(self, *args: Any, kind: registry.Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help, with the names."""
        record = super().get_help_record(ctx)
        return record and (record[0], f"{record[1]}  [installed: {', '.join(registry.names(self.kind))}]")


class SearchOptions(TypedDict):
    """What `search_options` gives a command, but for `as_json` and `force`."""

    encoder: str
    chain: str | None
    master: str
    stem: str | None
    separator: str
    init: str
    predictor: Path | None
    evaluations: int | None
    seconds: float | None
    patience: int | None
    channels: str
    seed: int
    amount: float
    device: str


method_option = click.option(
    "--method",
    cls=NamedOption,
    kind="method",
    default="cma",
    show_default=True,
    metavar="NAME",
    help="How settings are found; `stito plugins method` describes each. nevergrad:NAME is one of its optimisers, "
    "neural:FILE has weights of yours.",
)

predictor_option = click.option(
    "--predictor",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Weights from recipes/predictor, to predict with instead of the installed ones.",
)


def search_options(command: Command) -> Command:
    """The options of a transfer, in the order in which help shows them."""
    options = [
        click.option(
            "--encoder",
            cls=NamedOption,
            kind="encoder",
            default=AUTO,
            show_default=True,
            help="The encoder of style: a name or a file; auto is fxencoder between different songs, if it was "
            "trained on the chain's effects, else features.",
        ),
        click.option(
            "--chain",
            cls=NamedOption,
            kind="chain",
            default=None,
            help='A chain: a name, "eq | compressor | reverb", or a .toml file.  '
            "[default: mixing for stems, mastering for a mix]",
        ),
        click.option(
            "--master",
            default=AUTO,
            show_default=True,
            metavar="CHAIN|none",
            help="Stems against one mix: the chain of their sum, which gets what they have in common; auto is "
            "mastering, and none where the reference is the same performance.",
        ),
        click.option("--stem", default=None, metavar="|".join(STEMS), help="What a single file is."),
        click.option(
            "--separator",
            cls=NamedOption,
            kind="separator",
            default="none",
            show_default=True,
            metavar="NAME[:WEIGHTS]|none",
            help="How a mix becomes stems; none matches mixes whole, and stems to a mix jointly.",
        ),
        click.option(
            "--init",
            default="auto",
            show_default=True,
            metavar="|".join(INITS),
            help="Where a search starts: predict, at predicted settings; neural, at those that reproduce the "
            "converter's output; ensemble, at the mean of both; match, at the closed form; neutral, with all knobs at "
            "neutral; auto, chosen by their distances and by what the networks were trained on.",
        ),
        predictor_option,
        click.option(
            "--evaluations",
            type=int,
            default=None,
            help="Candidates to try per stem.  [default: as far as is worth it, see docs/choose-a-method.md]",
        ),
        click.option("--seconds", type=float, default=None, help="Time for the whole search, shared by all stems."),
        click.option(
            "--patience",
            type=int,
            default=None,
            metavar="EVALUATIONS",
            help="End a search that gained less than 1 % of the input's distance over so many candidates.  [default: "
            "150 without --evaluations and --seconds, else never]",
        ),
        click.option(
            "--channels",
            default=AUTO,
            show_default=True,
            metavar="|".join(CHANNELS),
            help="Whether a mono input may become stereo where the reference is wide: auto, or keep it mono.",
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same result."),
        click.option("--amount", type=float, default=1.0, show_default=True, help="How far to go, 0 to 1."),
        click.option("--device", default="cpu", show_default=True, help="Where to render and embed: cpu, cuda, ..."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--force", is_flag=True, help="Overwrite what is in OUTDIR."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def engine_of(*, method: str = "cma", on_step: OnStep | None = None, **options: Unpack[SearchOptions]) -> Transfer:
    """What `search_options` gives a command as a `Transfer`: with a budget, if one is named."""
    from stito.search.base import Budget
    from stito.workflows.transfer import Transfer

    evaluations, seconds = options["evaluations"], options["seconds"]
    return Transfer(
        method=method,
        chain=options["chain"],
        master=options["master"],
        encoder=options["encoder"],
        budget=None if evaluations is None and seconds is None else Budget(evaluations, seconds),
        patience=options["patience"],
        channels=options["channels"],
        seed=options["seed"],
        amount=options["amount"],
        stem=options["stem"],
        separator=options["separator"],
        init=options["init"],
        predictor=options["predictor"],
        device=options["device"],
        on_step=on_step,
    )
