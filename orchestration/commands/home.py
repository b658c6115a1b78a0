"""The option that every command has: which home to work in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ml.home import Home
from ml.settings import Settings, load_settings
from orchestration.checkout import DEFAULT_HOME

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="TESSERA_HOME",
        show_default=".tessera in the checkout",
        help="The folder that holds all that Tessera writes. Deleting it is a full reset.",
    ),
]


def home_of(path: Path | None) -> Home:
    """The home to work in; what this process starts works in the same one."""
    home = Home(path or DEFAULT_HOME)
    os.environ |= {
        "TESSERA_HOME": str(home.path),
        "DAGSTER_HOME": str(home.dagster),
        "BENTOML_HOME": str(home.bentoml),
    }
    return home


def chosen_settings() -> Settings:
    """settings.yaml of the checkout, or the file that TESSERA_SETTINGS names."""
    file = os.environ.get("TESSERA_SETTINGS")
    return load_settings(Path(file) if file else None)
