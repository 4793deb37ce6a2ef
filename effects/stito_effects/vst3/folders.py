"""Where VST3 plug-ins are installed, and how one is found by its name."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path

from stito.errors import MissingFileError

__all__ = ["installed", "located"]

SUFFIX = ".vst3"

FOLDERS = {
    "darwin": ("~/Library/Audio/Plug-Ins/VST3", "/Library/Audio/Plug-Ins/VST3"),
    "win32": ("%LOCALAPPDATA%/Programs/Common/VST3", "%COMMONPROGRAMFILES%/VST3"),
    "linux": ("~/.vst3", "/usr/local/lib/vst3", "/usr/lib/vst3"),
}
"""By platform, as the VST3 documentation names them; folders in `VST3_PATH` come before."""


def installed() -> list[Path]:
    """The plug-ins in the usual folders, sorted by name; of two with one name the first folder's."""
    found: dict[str, Path] = {}
    for folder in _folders():
        for path in sorted(folder.rglob(f"*{SUFFIX}")):
            if not any(parent.suffix == SUFFIX for parent in path.relative_to(folder).parents):
                found.setdefault(path.stem, path)
    return [found[name] for name in sorted(found, key=str.lower)]


def located(plugin: str) -> Path:
    """The plug-in of a path or name; where nothing is at a path, the one of that name in the usual folders.

    So a preset from another computer finds the plug-in where it is here.

    Raises:
        MissingFileError: there is none.
    """
    path = Path(plugin).expanduser()
    if path.exists():
        return path.absolute()
    here = {found.stem.lower(): found for found in installed()}
    name = path.name.removesuffix(SUFFIX)
    if name.lower() in here:
        return here[name.lower()]
    nearest = difflib.get_close_matches(name.lower(), here, n=1)
    meant = f"Did you mean {here[nearest[0]].stem}? " if nearest else ""
    raise MissingFileError(
        f"There is no VST3 plug-in {plugin}.",
        hint=f"{meant}Give its path, or put its folder into VST3_PATH; stito effects vst3 lists those that were found.",
    )


def _folders() -> list[Path]:
    own = [folder for folder in os.environ.get("VST3_PATH", "").split(os.pathsep) if folder]
    usual = FOLDERS.get(sys.platform, FOLDERS["linux"])
    paths = [Path(os.path.expandvars(folder)).expanduser() for folder in (*own, *usual)]
    return [path for path in paths if path.is_dir()]
