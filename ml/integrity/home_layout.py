"""The version of a home's layout: written at creation, migrated when older, refused when newer."""

from __future__ import annotations

import stat
from pathlib import Path

from ml.errors import DamagedFileError, TesseraError
from ml.home import FOLDER_MODE, Home, replace_file
from ml.integrity.artifact_addresses import make_addresses_movable
from ml.integrity.checked_json import ChecksumError, decode_checked, encode_checked

LAYOUT = 3
FIRST_LAYOUT = 1  # of homes without a layout file
FILE = "layout.json"
REMEDY = f"put the file back from a backup, or delete it if no version with a layout above {LAYOUT} used this home"


class LayoutError(TesseraError):
    """A home has a layout that this version does not know."""


def read_layout(home: Home) -> int:
    """Return the version of a home's layout.

    Raises:
        LayoutError: The home's path is a file.
        DamagedFileError: The layout file is damaged.
    """
    require_folder(home)
    file = home.path / FILE
    try:
        content = decode_checked(file.read_bytes())
    except FileNotFoundError:
        return FIRST_LAYOUT
    except ChecksumError as error:
        raise DamagedFileError(file, f"the file {error}", REMEDY) from None
    layout = content.get("layout")
    if not isinstance(layout, int) or content.keys() != {"layout"}:
        raise DamagedFileError(file, f"the layout is {layout!r}, not a whole number", REMEDY)
    return layout


def require_folder(home: Home) -> None:
    """Check that nothing but a folder stands at the path of a home.

    Raises:
        LayoutError: The path, or a part of it, is a file.
    """
    for place in (home.path, *home.path.parents):
        if place.exists() and not place.is_dir():
            raise LayoutError(
                f"{place} is a file, and a home is a folder: name another by --home or the variable TESSERA_HOME"
            )


def write_layout(home: Home) -> None:
    """Write the present version into a home that has no layout file."""
    if not (home.path / FILE).exists():
        _replace_layout(home)


def open_layout(home: Home) -> None:
    """Check the layout of a home, and migrate it if it is older. A home that has no files yet is left as it is.

    Raises:
        LayoutError: The home was written by a newer version.
        DamagedFileError: The layout file is damaged.
    """
    layout = read_layout(home)
    if layout > LAYOUT:
        raise LayoutError(
            f"{home.path} has layout {layout}, and this version of Tessera knows layouts up to {LAYOUT}: install "
            "the version that wrote it, or restore a backup of this version into another home"
        )
    if layout < LAYOUT and home.path.is_dir() and any(home.path.iterdir()):
        if layout < 2:
            _close_to_others(home.path)  # homes of layout 1 were readable by everybody
        make_addresses_movable(home)  # homes of layout 2 named their folder in the database of MLflow
        _replace_layout(home)


def _replace_layout(home: Home) -> None:
    replace_file(home.path / FILE, f"{encode_checked({'layout': LAYOUT})}\n".encode())


def _close_to_others(folder: Path) -> None:
    """Take the rights of other users from a folder and everything below it."""
    for place in [folder, *folder.rglob("*")]:
        if not place.is_symlink():
            mode = stat.S_IMODE(place.stat().st_mode)
            if mode & ~FOLDER_MODE:
                place.chmod(mode & FOLDER_MODE)
