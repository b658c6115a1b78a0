"""The files that come with the product beside its code.

A checkout has them at its root, an installed package inside this package.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "product"
CODE_FOLDERS = tuple(_PACKAGE.parent / name for name in ("ml", "orchestration", "serving"))


def _shipped(name: str) -> Path:
    return _INSTALLED / name if _INSTALLED.is_dir() else _PACKAGE.parent / name


DBT_PROJECT_FOLDER = _shipped("dbt_project")


def is_checkout() -> bool:
    """Whether the product runs from its sources rather than from an installed package."""
    return not _INSTALLED.is_dir()


def default_home() -> Path:
    """The home where none is named: `.tessera` in the checkout, or in the current folder where there is none."""
    return (_PACKAGE.parent if is_checkout() else Path.cwd()) / ".tessera"
