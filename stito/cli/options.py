"""Options that several commands share, and what they mean to the engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Unpack

import click

from stito import registry
from stito.console.delivery import CEILING_DBTP
from stito.effects.aspects import ASPECTS, Amount, aspects_of
from stito.engine.options import AUTO, CHANNELS, INITS, OFF
from stito.stems import STEMS

if TYPE_CHECKING:
    from stito.engine.result import OnStep
    from stito.workflows.transfer import Transfer

__all__ = [
    "NamedOption",
    "SearchOptions",
    "amount_of",
    "amount_option",
    "delivery_options",
    "engine_of",
    "method_option",
    "predictor_option",
    "search_options",
    "simplify_option",
    "together",
]

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


class Strength(click.ParamType):  # type: ignore[type-arg]  # only the newest click has an argument here
    """A number from 0 to 1, or `off`."""

    name = f"0..1|{OFF}"

    def convert(
        self, value: float | str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | Literal["off"]:
        """The number, or `off`."""
        if value == OFF:
            return OFF
        try:
            strength = float(value)
        except ValueError:
            strength = math.nan
        if not 0 <= strength <= 1:
            self.fail(f"{value} is neither a number from 0 to 1 nor {OFF}.", param, ctx)
        return strength


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
    amount: tuple[str, ...]
    keep: tuple[str, ...]
    also: tuple[list[tuple[Path, float]], ...]
    loudness: float | None
    ceiling: float
    simplify: float | Literal["off"]
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


class AmountType(click.types.FloatParamType):
    """A number from 0 to 1, or one of an aspect, as `reverb=0`; in a table several of them with spaces between."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text itself, if it is an amount."""
        Amount.of(value)
        return value


class AspectsType(click.types.StringParamType):
    """Aspects, with commas or spaces between."""

    name = "aspects"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text itself, if they are aspects."""
        aspects_of(value)
        return value


class ReferencesType(click.types.StringParamType):
    """A reference and, behind a colon, its weight; in a table several with | between."""

    name = "references"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Paths and weights."""
        return [_weighted(text.strip()) for text in value.split("|")] if isinstance(value, str) else value


def _weighted(text: str) -> tuple[Path, float]:
    """A path and its weight; a colon that is part of a name that exists is none."""
    head, colon, tail = text.rpartition(":")
    try:
        return (Path(head), float(tail)) if colon and head and not Path(text).exists() else (Path(text), 1.0)
    except ValueError:
        return Path(text), 1.0


amount_option = click.option(
    "--amount",
    type=AmountType(),
    multiple=True,
    metavar="0..1|ASPECT=0..1",
    help="How far to go, 0 to 1; again for an aspect that goes another way: --amount 0.8 --amount reverb=0. "
    f"Aspects are {', '.join(ASPECTS)}.  [default: 1]",
)


def amount_of(given: tuple[str, ...]) -> float | str:
    """What `amount_option` gives, as a number where it is one."""
    amount = Amount.of(" ".join(given)) if given else Amount()
    return str(amount) if amount.aspects else amount.whole


def together(options: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order in which help shows them."""
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


def delivery_options(ceiling: float | None) -> Callable[[Command], Command]:
    """How loud the sum goes out; `ceiling` is that where none is named, with None that of a preset."""
    return together(
        [
            click.option(
                "--loudness",
                type=float,
                default=None,
                metavar="LUFS",
                help="The integrated loudness of the sum, such as -14.  [default: as it comes]",
            ),
            click.option(
                "--ceiling",
                type=float,
                default=ceiling,
                show_default=ceiling is not None,
                metavar="DBTP",
                help="The highest true peak of the sum; it wins where --loudness needs more."
                + ("" if ceiling is not None else "  [default: the preset's]"),
            ),
        ]
    )


simplify_option = click.option(
    "--simplify",
    type=Strength(),
    default=0.5,
    show_default=True,
    help="How far a result may change for fewer moves, 0 to 1: what matters least returns to neutral or is bypassed, "
    f"and knobs stand at usual steps; {OFF} leaves all as it was found.",
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
            metavar="NAME|FILE[*WEIGHT][+...]",
            help="The encoder of style: a name or a file, or several (fxencoder*0.7+features*0.3), whose weighted mean "
            "distance is minimised; auto is fxencoder between different songs, if it was "
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
            "--and",
            "also",
            type=ReferencesType(),
            multiple=True,
            metavar="REFERENCE[:WEIGHT]",
            help="A further reference, again and again; its weight is against 1 of the first. The target is the mean.",
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
        amount_option,
        click.option(
            "--keep",
            type=AspectsType(),
            multiple=True,
            metavar="ASPECT,...",
            help="Aspects that do not move: the search does without their knobs; level keeps each stem's loudness too.",
        ),
        delivery_options(ceiling=CEILING_DBTP),
        simplify_option,
        click.option("--device", default="cpu", show_default=True, help="Where to render and embed: cpu, cuda, ..."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--force", is_flag=True, help="Overwrite what is in OUTDIR."),
    ]
    return together(options)(command)


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
        amount=amount_of(options["amount"]),
        keep=aspects_of(",".join(options["keep"])),
        also=[reference for several in options["also"] for reference in several],
        loudness=options["loudness"],
        ceiling=options["ceiling"],
        simplify=options["simplify"],
        stem=options["stem"],
        separator=options["separator"],
        init=options["init"],
        predictor=options["predictor"],
        device=options["device"],
        on_step=on_step,
    )
