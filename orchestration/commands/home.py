"""The options that every command has: which home to work in, and for which site."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from ml.home import Home
from ml.settings import Settings, load_site_settings
from ml.site.databases import DAGSTER_VARIABLE
from ml.site.definition_files import HOME_VARIABLE, SITE_VARIABLE, SiteMissingError, existing_site, read_home
from orchestration.product_files import default_home

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar=HOME_VARIABLE,
        show_default=".tessera",
        help="The folder that holds all that Tessera writes. Deleting it is a full reset.",
    ),
]

SiteOption = Annotated[
    Path | None,
    typer.Option(
        "--site",
        metavar="DIR",
        envvar=SITE_VARIABLE,
        show_default="what comes with the product",
        help="The folder of the site: its settings, rules, segments and experiments. `tessera init` starts one.",
    ),
]


def choose_site(folder: Path | None) -> None:
    """Let this process, and what it starts, work for the site in a folder; None leaves the choice as it is.

    Raises:
        typer.BadParameter: There is no such folder.
    """
    if folder is None:
        return
    try:
        os.environ[SITE_VARIABLE] = str(existing_site(folder))
    except SiteMissingError as error:
        raise typer.BadParameter(str(error), param_hint="--site") from None


def with_site(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with the option --site, which is chosen before the command runs."""

    @wraps(command)
    def on_site(*arguments: Any, site: Path | None = None, **options: Any) -> Any:
        choose_site(site)
        return command(*arguments, **options)

    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("site", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=SiteOption)
    on_site.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    return on_site


def home_of(path: Path | None) -> Home:
    """The home to work in, with its site; what this process starts works in the same one.

    Args:
        path: The home's folder; `.tessera` if absent.

    Raises:
        SiteMissingError: TESSERA_SITE, or the option --site that sets it, names a folder that is not there.
        LayoutError: A newer version of Tessera wrote the home.
        DamagedFileError: The layout, the key or the erased ids of the home are damaged.
    """
    from ml.privacy.home_checks import open_home

    home = name_home(path)
    open_home(home)
    return home


def existing_home_of(path: Path | None, *, is_checked: bool = True) -> Home:
    """The home as `home_of` gives it, for commands that only look at what is there.

    In a home whose name is mistyped they would see nothing, and report that nothing is wrong.

    Args:
        path: The home's folder; `.tessera` if absent.
        is_checked: Whether layout, key and erased ids are checked, as `home_of` does.

    Raises:
        LayoutError: There is no such home, or a newer version of Tessera wrote it.
        SiteMissingError: TESSERA_SITE, or the option --site that sets it, names a folder that is not there.
        DamagedFileError: The layout, the key or the erased ids of the home are damaged.
    """
    from ml.integrity.home_layout import LayoutError, require_folder
    from ml.privacy.home_checks import open_home

    home = name_home(path)
    require_folder(home)
    if not home.path.exists():
        raise LayoutError(
            f"{home.path}: there is no such home. Name another by --home or the variable {HOME_VARIABLE}, or "
            "start one with `tessera ingest`, `tessera simulate` or `tessera demo`"
        )
    if is_checked:
        open_home(home)
    return home


def name_home(path: Path | None) -> Home:
    """Return the home as `home_of` does, without checking it.

    Raises:
        SiteMissingError: TESSERA_SITE, or the option --site that sets it, names a folder that is not there.
        InvalidDatabaseError: An address of a database cannot be used.
    """
    home = read_home({**os.environ, HOME_VARIABLE: str(path or default_home())}, default_home())
    os.environ |= {
        HOME_VARIABLE: str(home.path),
        "DAGSTER_HOME": str(home.dagster),
        "BENTOML_HOME": str(home.bentoml),
    }
    if home.site is not None:
        os.environ[SITE_VARIABLE] = str(home.site)
    if home.dagster_database is not None:
        # with its driver, since dagster.yaml takes it from here
        os.environ[DAGSTER_VARIABLE] = home.dagster_database
    return home


def chosen_settings(home: Home | None = None) -> Settings:
    """The settings of the home's site.

    Args:
        home: The home; the one of the environment if absent, for commands that work in none.

    Raises:
        SettingsError: A file of settings has a fault.
        SiteMissingError: TESSERA_SITE names a folder that is not there.
    """
    return load_site_settings(home or read_home(os.environ, default_home())).settings
