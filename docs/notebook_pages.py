"""Notebooks as pages: text as it is, code and what came out of it as blocks.

They are shown as they are kept, without outputs, unless RUN_NOTEBOOKS is true: then they are run first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

__all__ = ["on_files", "page_of"]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs asks this once: each notebook gets a page of its name beside it."""
    run = os.environ.get("RUN_NOTEBOOKS", "false") == "true"
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        notebook = Path(config.docs_dir) / file.src_uri
        page = File.generated(config, file.src_uri.replace(".ipynb", ".md"), content=page_of(notebook, run=run))
        files.append(page)
    return files


def page_of(path: Path, *, run: bool = False) -> str:
    """A notebook as Markdown."""
    notebook = nbformat.read(path, as_version=4)
    if run:
        from nbclient import NotebookClient

        NotebookClient(notebook, timeout=600).execute()
    title, *cells = notebook.cells
    download = f"[Download this notebook]({path.name})"
    return "\n\n".join([title.source, download, *(part for cell in cells for part in _parts(cell))])


def _parts(cell: Mapping[str, Any]) -> Iterator[str]:
    if cell["cell_type"] == "markdown":
        yield cell["source"]
        return
    yield f"```python\n{cell['source']}\n```"
    shown = "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"])
    if shown:
        yield f"```text\n{shown.rstrip()}\n```"
