"""`stito evaluate`."""

from __future__ import annotations

import click

from stito.cli.lazy import LazyGroup

__all__ = ["evaluate"]

_COMMANDS = {
    "ablation": (
        "stito.cli.evaluate_ablation:ablation",
        "Train variants of a recipe, each without one of its parts.",
    ),
    "clusters": (
        "stito.cli.evaluate_clusters:clusters",
        "Measure whether sounds of one genre or folder lie together.",
    ),
    "degradations": (
        "stito.cli.evaluate_degradations:degradations",
        "Score encoders at telling good mixes from degraded ones.",
    ),
    "disentanglement": (
        "stito.cli.evaluate_disentanglement:disentanglement",
        "Score encoders as the papers do: DCIMIG, explicitness, retrieval.",
    ),
    "quality": (
        "stito.cli.evaluate_quality:quality",
        "Predict scores of mixes, and measure how well on other songs.",
    ),
    "transfer": (
        "stito.cli.evaluate_transfer:transfer",
        "Score methods on transfers with a known truth.",
    ),
    "undo": (
        "stito.cli.evaluate_undo:undo",
        "Damage good mixes, and score methods at undoing it.",
    ),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def evaluate() -> None:
    """Measure encoders and methods, as the papers do and beyond.

    \b
    Example:
      stito evaluate disentanglement --encoder features --data cache/ -o out/
    """
