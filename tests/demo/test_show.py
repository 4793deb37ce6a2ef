"""The demo with a method that has no settings."""

from __future__ import annotations

from pathlib import Path

from stito.demo.show import run_demo


def test_the_demo_of_a_network_has_no_knobs_to_tell(tmp_path: Path) -> None:
    demo = run_demo(tmp_path, method="neural")
    assert all(not stem.knobs and stem.after > 0 for stem in demo.stems.values())
    assert "drums" in demo.table()
