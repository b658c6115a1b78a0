"""How the service starts from its environment; no other file of the service reads it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml.home import Home
from ml.settings import Settings, load_site_settings
from ml.site.definition_files import home_from, retirement_notice
from serving.access import Keys

logger = logging.getLogger("tessera.serving")
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
    """Read TESSERA_HOME, TESSERA_SITE, TESSERA_SECRET_KEYS, TESSERA_BROWSER_KEYS and TESSERA_REDIS_URL.

    TESSERA_SETTINGS is read too where there is no site, with a word of warning.

    Without TESSERA_HOME it is `.tessera` in the folder that the service was started from: a Bento that runs in an
    empty folder keeps its state there, not inside the Bento.
    """
    given = os.environ if environment is None else environment
    notice = retirement_notice(given)
    if notice:
        logger.warning("%s", notice)
    home = home_from(given, default=Path(given.get("PWD", ".")) / ".tessera")
    return Start(
        home=home,
        settings=load_site_settings(home).settings,
        keys=Keys(browser=_keys(given, "TESSERA_BROWSER_KEYS"), secret=_keys(given, "TESSERA_SECRET_KEYS")),
        redis_url=given.get("TESSERA_REDIS_URL") or None,
    )


def _keys(given: Mapping[str, str], name: str) -> frozenset[str]:
    return frozenset(key for part in given.get(name, "").split(",") if (key := part.strip()))
