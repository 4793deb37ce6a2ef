"""Embeddings on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stito.analysis.embeddings import save_embeddings
from stito.errors import OutputError, OutputExistsError


def test_embeddings_are_kept_under_any_name(tmp_path: Path) -> None:
    vectors = {"file": np.arange(3, dtype=np.float32), "lead vocals": np.ones(3, dtype=np.float32)}
    save_embeddings(tmp_path / "style.npz", vectors)
    with np.load(tmp_path / "style.npz") as found:
        assert {name: found[name].tolist() for name in found} == {name: vectors[name].tolist() for name in vectors}
    with pytest.raises(OutputExistsError):
        save_embeddings(tmp_path / "style.npz", vectors)
    with pytest.raises(OutputError, match=r"\.npz or \.json"):
        save_embeddings(tmp_path / "style.txt", vectors)
