"""Tables on a terminal and in a pipe: nothing is cut off, and what is piped is plain."""

from __future__ import annotations

import re
import sys

import pytest

from stito.terminal import text_table

LONG = "a sentence about a knob " * 8


class Screen:
    """Standard output that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return


def as_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Screen())
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_figures_stand_under_each_other() -> None:
    assert text_table(("knob", "from"), [("gain_db", "-24"), ("q", "0.1")], indent=2) == (
        "  knob     from\n  gain_db   -24\n  q         0.1"
    )


def test_what_is_piped_is_plain_and_as_wide_as_it_needs_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = text_table(("knob", ""), [("gain_db", LONG)], align="ll").splitlines()
    assert len(lines) == 2
    assert LONG.strip() in lines[1]
    assert "\x1b" not in "".join(lines)


def test_brackets_are_no_markup_and_an_empty_table_is_nothing() -> None:
    assert text_table((), [("[bold]x[/]", "[1, 2]")]) == "[bold]x[/]  [1, 2]"
    assert text_table((), []) == ""


def test_a_narrow_terminal_folds_words_and_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    as_in_a_terminal(monkeypatch)
    text = text_table(("knob", "doc"), [("gain_db", LONG), ("x" * 50, "y" * 90)], align="ll")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert text != plain, "heads stand out"
    assert plain.split().count("sentence") == 8
    assert plain.count("y") == 90
    assert "x" * 50 in plain
    assert "…" not in plain


def test_figures_are_never_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    as_in_a_terminal(monkeypatch)
    row = tuple(str(10**9 + i) for i in range(12))
    assert text_table(("n",) * 12, [row]).splitlines()[1].split() == list(row)
