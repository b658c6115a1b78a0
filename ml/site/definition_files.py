"""Find the definition files of a site; every program uses these functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ml.errors import TesseraError
from ml.home import Home
from ml.site.databases import read_databases

SETTINGS = "settings.yaml"
SIMULATOR = "simulator.yaml"
HOME_VARIABLE = "TESSERA_HOME"
SITE_VARIABLE = "TESSERA_SITE"
SETTINGS_VARIABLE = "TESSERA_SETTINGS"
_PACKAGE = Path(__file__).resolve().parent


class SiteMissingError(TesseraError, ValueError):
    """The folder named as the site does not exist."""


def product_config() -> Path:
    """The folder with the definition files that come with the product.

    An installed package and a Bento have it inside this package, a checkout at its root.
    """
    installed = _PACKAGE / "config"
    return installed if installed.is_dir() else _PACKAGE.parents[1] / "config"


def definition_file(home: Home, name: str) -> Path:
    """The definition file of this name that is in force.

    It is the first of these that exists: the file in the site's folder, the home's own copy, the file that comes
    with the product. Where none exists, it is the path at which the first of them is missing.

    Args:
        home: The home, which knows its site.
        name: The file's name, such as `rules.yaml`.
    """
    if name == SETTINGS and home.settings_file is not None:
        return home.settings_file
    folders = [folder for folder in (home.site, home.path, product_config()) if folder is not None]
    paths = [folder / name for folder in folders]
    return next((path for path in paths if path.exists()), paths[0])


def editable_path(home: Home, name: str) -> Path:
    """Where commands write the file of this name: into the site's folder, or without a site into the home."""
    if name == SETTINGS and home.settings_file is not None:
        return home.settings_file
    return (home.site or home.path) / name


def text_in_force(home: Home, name: str) -> str:
    """The text of the definition file in force; nothing where there is none."""
    file = definition_file(home, name)
    return file.read_text(encoding="utf-8") if file.exists() else ""


def editable_file(home: Home, name: str) -> Path:
    """The file of this name that commands may change; it begins as a copy of the one in force."""
    path = editable_path(home, name)
    in_force = definition_file(home, name)
    if not path.exists() and in_force.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(in_force.read_bytes())
    return path


def read_home(environment: Mapping[str, str], default: Path) -> Home:
    """Read the home and its site from TESSERA_HOME and TESSERA_SITE, and its databases, see `read_databases`.

    TESSERA_SETTINGS names a single file of settings. It counts where there is no site.

    Args:
        environment: The environment of the program.
        default: The home's folder where TESSERA_HOME is not set.

    Raises:
        SiteMissingError: There is no such site folder.
        InvalidDatabaseError: An address of a database cannot be used.
    """
    site, file = environment.get(SITE_VARIABLE), environment.get(SETTINGS_VARIABLE)
    mlflow, dagster = read_databases(environment)
    return Home(
        path=Path(environment.get(HOME_VARIABLE) or default),
        site=existing_site(Path(site)) if site else None,
        settings_file=Path(file) if file and not site else None,
        mlflow_database=mlflow,
        dagster_database=dagster,
    )


def home_at(path: Path, environment: Mapping[str, str]) -> Home:
    """Return the home in a folder, with the rest as `read_home` reads it."""
    return read_home({**environment, HOME_VARIABLE: str(path)}, path)


def existing_site(folder: Path) -> Path:
    """The absolute path of a site's folder.

    Raises:
        SiteMissingError: There is no such folder.
    """
    if folder.exists() and not folder.is_dir():
        raise SiteMissingError(f"{folder}: is a file, and a site is a folder")
    if not folder.is_dir():
        raise SiteMissingError(f"{folder}: there is no such site folder; `tessera init {folder}` makes one")
    return folder.absolute()


def retirement_notice(environment: Mapping[str, str]) -> str | None:
    """Return the warning about TESSERA_SETTINGS, or None if the variable is not set."""
    file, site = environment.get(SETTINGS_VARIABLE), environment.get(SITE_VARIABLE)
    if not file:
        return None
    if site:
        return f"{SETTINGS_VARIABLE}={file} does not count, because {SITE_VARIABLE}={site} has its own settings."
    return (
        f"{SETTINGS_VARIABLE}={file} will not be read for ever: move the file into a folder as {SETTINGS} and name"
        f" the folder by --site or {SITE_VARIABLE}."
    )
