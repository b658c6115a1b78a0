"""Builds a Bento from a published bundle, as a process of its own."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ml.bundle import make_current
from ml.errors import TesseraError
from ml.home import Home
from ml.settings import load_site_settings
from ml.settings.changes import change_text
from ml.site.definition_files import SETTINGS, definition_file
from orchestration.product_files import CODE_FOLDERS

SERVICE = "tessera"
PRODUCT = "tessera"  # the name of the installed distribution
SERVED_PACKAGES = (
    "babel", "bentoml", "cel-python", "charset-normalizer", "cryptography", "httptools", "iptocc", "jinja2",
    "lightgbm", "numpy", "opentelemetry-sdk", "orjson", "prometheus-client", "psutil", "pyarrow", "pycountry",
    "pydantic", "pyjwt", "pyyaml", "redis", "scikit-learn", "scipy", "starlette", "threadpoolctl", "tzdata",
    "tzfpy", "ua-parser[regex]", "usearch",
)  # fmt: skip
SERVED_FOLDERS = ("ml", "serving")
CONFIG = Path("ml") / "site" / "config"  # where a Bento has its definition files, as an installed package has


class BentoError(TesseraError):
    """`bentoml build` failed; the message is what it printed last."""


def build_bento(home: Home, bundle: Path) -> str:
    """Put code, requirements, the site's definition files and one bundle into a Bento below `home.bentoml`.

    The Bento's version is the bundle's, so that building the same bundle again finds it there and does nothing.

    Returns:
        The Bento's tag.

    Raises:
        BentoError: The build failed.
    """
    tag = f"{SERVICE}:{bundle.name}"
    if (bento_folder(home, tag) / "bento.yaml").exists():
        return tag
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        gather(context, home, bundle)
        built = subprocess.run(
            [
                *("env", f"BENTOML_HOME={home.bentoml}", "BENTOML_DO_NOT_TRACK=True"),
                *(sys.executable, "-m", "bentoml", "build", "--version", bundle.name, str(context)),
            ],
            cwd=context,
            capture_output=True,
            text=True,
            check=False,
        )
    if built.returncode:
        raise BentoError(f"bentoml build failed: {(built.stderr or built.stdout)[-2000:]}")
    return tag


def bento_folder(home: Home, tag: str) -> Path:
    """Return the folder of a Bento of this home; its code and its bundle are in `src`."""
    name, version = tag.split(":")
    return home.bentoml / "bentos" / name / version


def gather(context: Path, home: Home, bundle: Path) -> None:
    """Put everything that the Bento holds into a folder to build from.

    Args:
        context: The folder.
        home: The home, which knows the site whose definition files the Bento holds.
        bundle: The published bundle.
    """
    for folder in CODE_FOLDERS:
        if folder.name in SERVED_FOLDERS:
            shutil.copytree(folder, context / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    _gather_definition_files(context / CONFIG, home)
    for file in importlib.metadata.files(PRODUCT) or ():
        if file.name == "LICENSE":
            shutil.copy(file.locate(), context / "LICENSE")
    shutil.copytree(bundle, context / "published" / bundle.name)
    make_current(context / "published", bundle.name)
    (context / "requirements.txt").write_text(served_requirements(), encoding="utf-8")
    description = {
        "service": "serving.service:TesseraService",
        "include": ["*"],
        "python": {"requirements_txt": "requirements.txt", "lock_packages": False},
    }
    (context / "bentofile.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")


def _gather_definition_files(folder: Path, home: Home) -> None:
    """Copy the definition files in force that the service reads, under the names by which it looks for them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = load_site_settings(home).settings
    text = definition_file(home, SETTINGS).read_text(encoding="utf-8")
    for knob, name in (
        ("decisions.rules_file", settings.decisions.rules_file),
        ("experiments.file", settings.experiments.file),
    ):
        file = definition_file(home, name)
        if not file.exists():
            continue
        shutil.copy(file, folder / file.name)
        if file.name != name:  # the knob names a file elsewhere; in the Bento it lies beside the settings
            text = change_text(text, knob, file.name)
    (folder / SETTINGS).write_text(text, encoding="utf-8")


def served_requirements(packages: tuple[str, ...] = SERVED_PACKAGES) -> str:
    """What serving needs, one `name==version` a line: these packages and all that they require, as installed here.

    A package that is an extra of the product and is not installed is left out.
    """
    lines = []
    for name in sorted(_closure(packages)):
        try:
            lines.append(f"{name}=={importlib.metadata.version(name)}\n")
        except importlib.metadata.PackageNotFoundError:
            continue
    return "".join(lines)


def _closure(packages: tuple[str, ...]) -> set[str]:
    """Names of the packages and of everything that they require here."""
    visited: set[tuple[str, frozenset[str]]] = set()
    pending = [Requirement(package) for package in packages]
    while pending:
        requirement = pending.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in visited:
            continue
        visited.add(key)
        try:
            required = importlib.metadata.requires(requirement.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for text in required:
            child = Requirement(text)
            extras = ["", *requirement.extras]
            if child.marker is None or any(child.marker.evaluate({"extra": extra}) for extra in extras):
                pending.append(child)
    return {name for name, _ in visited}


if __name__ == "__main__":
    sys.stdout.write(served_requirements())
