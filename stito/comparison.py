"""Several methods on one pair: the same input, reference, encoder and budget, side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stito.audio import write_atomic
from stito.errors import SettingsError
from stito.output import prepare, run_transfer
from stito.results import Progress

__all__ = ["compare_methods", "table"]


def compare_methods(
    source: Path,
    reference: Path,
    outdir: Path,
    methods: Sequence[str],
    *,
    force: bool = False,
    on_step: Callable[[Progress], None] | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Run each method into `outdir/<method>`; one row per method and matched stem, also written to compare.json."""
    if not methods:
        raise SettingsError("No method to compare.", hint="For example: --methods match,cma,gradient")
    folders = {method: outdir / method.replace(":", "-") for method in methods}
    for folder in folders.values():
        prepare(folder, force=force)
    rows = []
    for method, folder in folders.items():
        started = time.perf_counter()
        result = run_transfer(source, reference, folder, force=True, on_step=on_step, method=method, **options)
        whole = time.perf_counter() - started
        for name, match in result.matched.matches.items():
            rows.append(
                {
                    "method": method,
                    "stem": name,
                    "loss_before": match.loss_before,
                    "loss_after": match.loss_after,
                    "evaluations": match.evaluations,
                    "search_seconds": round(match.seconds, 3),
                    "transfer_seconds": round(whole, 3),
                    "stop": match.stop,
                }
            )
    write_atomic(outdir / "compare.json", json.dumps(rows, indent=2) + "\n", overwrite=True)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as text, the best method of each stem first."""
    lines = [f"{'stem':<10}{'method':<24}{'before':>9}{'after':>9}{'evaluations':>13}{'seconds':>9}"]
    for row in sorted(rows, key=lambda row: (row["stem"], row["loss_after"])):
        lines.append(
            f"{row['stem']:<10}{row['method']:<24}{row['loss_before']:>9.4f}{row['loss_after']:>9.4f}"
            f"{row['evaluations']:>13}{row['search_seconds']:>9.1f}"
        )
    return "\n".join(lines)
