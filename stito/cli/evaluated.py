"""What evaluations of encoders share on the command line: which encoders, and loading them by their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stito.models.encoder import Encoder

__all__ = ["encoders_option", "load_encoders"]

encoders_option = click.option(
    "--encoder",
    "encoders",
    multiple=True,
    default=("features",),
    show_default=True,
    help="What is evaluated: a name, a file of weights, or several joined by +; may be given several times.",
)


def load_encoders(names: Sequence[str]) -> dict[str, Encoder]:
    """The encoders by label; two of one label are an error."""
    from stito.models.loading import label_of, load_encoder

    loaded = {label_of(name): load_encoder(name) for name in names}
    if len(loaded) < len(names):
        raise click.UsageError("Two encoders have one name: rename a file.")
    return loaded
