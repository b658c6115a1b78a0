"""What the service is told by its environment; no other file of the service reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml.home import Home
from ml.settings import Settings, load_settings
from serving.access import Keys

NO_KEYS = Keys()
BUNDLED = Path(__file__).resolve().parent.parent / "published"


@dataclass(frozen=True)
class Start:
    """Where the service lives and who may call it.

    Attributes:
        home: events and state are written here; published bundles are read from here.
        bundled: the published folder inside a Bento, read where the home has published nothing.
    """

    home: Home
    settings: Settings
    keys: Keys = NO_KEYS
    bundled: Path = BUNDLED
    redis_url: str | None = None


def start_from_environment(environment: Mapping[str, str] | None = None) -> Start:
    """Read TESSERA_HOME, TESSERA_SETTINGS, TESSERA_SECRET_KEYS, TESSERA_BROWSER_KEYS and TESSERA_REDIS_URL.

    Without TESSERA_HOME it is `.tessera` in the folder that the service was started from: a Bento that runs in an
    empty folder keeps its state there, not inside the Bento.
    """
    given = os.environ if environment is None else environment
    file = given.get("TESSERA_SETTINGS")
    started_from = Path(given.get("PWD", "."))
    return Start(
        home=Home(Path(given.get("TESSERA_HOME") or started_from / ".tessera")),
        settings=load_settings(Path(file) if file else None),
        keys=Keys(browser=_keys(given, "TESSERA_BROWSER_KEYS"), secret=_keys(given, "TESSERA_SECRET_KEYS")),
        redis_url=given.get("TESSERA_REDIS_URL") or None,
    )


def _keys(given: Mapping[str, str], name: str) -> frozenset[str]:
    return frozenset(key for part in given.get(name, "").split(",") if (key := part.strip()))
