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
from orchestration.checkout import CHECKOUT

SERVICE = "tessera"
SERVED_PACKAGES = (
    "babel", "bentoml", "cel-python", "lightgbm", "numpy", "opentelemetry-sdk", "orjson", "prometheus-client",
    "psutil", "pyarrow", "pydantic", "pyyaml", "redis", "scikit-learn", "scipy", "starlette", "threadpoolctl",
    "tzdata", "ua-parser[regex]", "usearch",
)  # fmt: skip
SERVED_FOLDERS = ("ml", "serving")
SERVED_FILES = ("settings.yaml", "experiments.yaml", "rules.yaml", "LICENSE")


class BentoError(TesseraError):
    """`bentoml build` failed; the message is what it printed last."""


def build_bento(home: Home, bundle: Path) -> str:
    """Put code, requirements and one bundle into a Bento below `home.bentoml`; returns its tag.

    The Bento's version is the bundle's, so that building the same bundle again finds it there and does nothing.

    Raises:
        BentoError: the build failed.
    """
    tag = f"{SERVICE}:{bundle.name}"
    if (home.bentoml / "bentos" / SERVICE / bundle.name / "bento.yaml").exists():
        return tag
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        gather(context, bundle)
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


def gather(context: Path, bundle: Path) -> None:
    """Everything that the Bento holds, in a folder to build from."""
    for name in SERVED_FOLDERS:
        shutil.copytree(CHECKOUT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in SERVED_FILES:
        if (CHECKOUT / name).exists():
            shutil.copy(CHECKOUT / name, context / name)
    shutil.copytree(bundle, context / "published" / bundle.name)
    make_current(context / "published", bundle.name)
    requirements = served_requirements((CHECKOUT / "requirements.lock").read_text(encoding="utf-8"))
    (context / "requirements.txt").write_text(requirements, encoding="utf-8")
    description = {
        "service": "serving.service:TesseraService",
        "include": ["*"],
        "python": {"requirements_txt": "requirements.txt", "lock_packages": False},
    }
    (context / "bentofile.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")


def served_requirements(lock: str, packages: tuple[str, ...] = SERVED_PACKAGES) -> str:
    """The lines of the lock file that serving needs: these packages and all that they require.

    Args:
        lock: text of requirements.lock, one `name==version` a line, comments between them.
    """
    needed = _closure(packages)
    lines = [line for line in lock.splitlines() if line and not line.startswith((" ", "#", "-"))]
    kept = [line for line in lines if canonicalize_name(Requirement(line.split(" #")[0]).name) in needed]
    return "\n".join(kept) + "\n"


def _closure(packages: tuple[str, ...]) -> set[str]:
    """Names of the packages and of everything that they require here."""
    found: set[tuple[str, frozenset[str]]] = set()
    open_ends = [Requirement(package) for package in packages]
    while open_ends:
        requirement = open_ends.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in found:
            continue
        found.add(key)
        try:
            required = importlib.metadata.requires(requirement.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed here is not in the lock's own list either
        for text in required:
            child = Requirement(text)
            extras = ["", *requirement.extras]
            if child.marker is None or any(child.marker.evaluate({"extra": extra}) for extra in extras):
                open_ends.append(child)
    return {name for name, _ in found}
