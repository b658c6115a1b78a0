"""Configuration of the service, read from its environment; no other file of the service reads the environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml.home import Home, protect_new_files
from ml.settings import Settings, load_site_settings
from ml.site.definition_files import read_home, retirement_notice
from serving.access import Keys

logger = logging.getLogger("tessera.serving")
NO_KEYS = Keys()
BUNDLED = Path(__file__).resolve().parent.parent / "published"


@dataclass(frozen=True)
class ServiceConfig:
    """Where the service keeps its data, and the keys that may call it.

    Attributes:
        home: folder of events and state, which the service writes, and of published bundles.
        settings: settings of the site.
        keys: keys of callers; without keys only callers on this machine are served.
        bundled: the published folder inside a Bento, read if the home has published nothing.
        redis_url: address of the Redis that holds the state, for the engine `redis`.
    """

    home: Home
    settings: Settings
    keys: Keys = NO_KEYS
    bundled: Path = BUNDLED
    redis_url: str | None = None


def read_service_config(environment: Mapping[str, str] | None = None) -> ServiceConfig:
    """Read TESSERA_HOME, TESSERA_SITE, TESSERA_SECRET_KEYS, TESSERA_BROWSER_KEYS and TESSERA_REDIS_URL.

    TESSERA_SETTINGS is read too where there is no site, with a word of warning.

    Without TESSERA_HOME it is `.tessera` in the folder that the service was started from: a Bento that runs in an
    empty folder keeps its state there, not inside the Bento.
    """
    protect_new_files()
    environ = os.environ if environment is None else environment
    notice = retirement_notice(environ)
    if notice:
        logger.warning("%s", notice)
    home = read_home(environ, default=Path(environ.get("PWD", ".")) / ".tessera")
    return ServiceConfig(
        home=home,
        settings=load_site_settings(home).settings,
        keys=Keys(browser=_keys(environ, "TESSERA_BROWSER_KEYS"), secret=_keys(environ, "TESSERA_SECRET_KEYS")),
        redis_url=environ.get("TESSERA_REDIS_URL") or None,
    )


def _keys(environ: Mapping[str, str], name: str) -> frozenset[str]:
    return frozenset(key for part in environ.get(name, "").split(",") if (key := part.strip()))
