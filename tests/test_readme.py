"""What the README shows works: its Python runs, its links lead somewhere, and it is short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import soundfile
import yaml

from conftest import RATE, song, write_song
from stito.version import __version__

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def my_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the names that the README uses exist, with two seconds of music."""
    monkeypatch.chdir(tmp_path)
    write_song(tmp_path / "my-stems", song("night", seconds=2.0))
    styled = song("street", styled=True, seconds=2.0)
    write_song(tmp_path / "reference-stems", styled)
    write_song(tmp_path / "reference", styled)
    soundfile.write(tmp_path / "reference.wav", 0.5 * styled.sum().numpy().T, RATE)
    return tmp_path


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_the_python_runs_with_a_smaller_budget(snippet: str, my_folder: Path) -> None:
    exec(re.sub(r"evaluations=\d+", "evaluations=16", snippet), {})


def test_there_is_python_to_run() -> None:
    assert SNIPPETS


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)(#[^)]*)?\)", README)
    missing = [path for path, _ in links if not path.startswith("http") and not (ROOT / path).exists()]
    assert links
    assert not missing


def test_links_into_pages_meet_a_heading() -> None:
    for path, anchor in re.findall(r"\]\(([^)#]+\.md)#([^)]*)\)", README):
        headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_it_is_read_in_one_sitting() -> None:
    assert len(README.splitlines()) < 120


def test_the_citation_has_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["authors"] == [{"name": "The stito founders"}]
