"""Configuration of the service, read from its environment; no other file of the service reads the environment."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ml.errors import TesseraError
from ml.home import Home, protect_new_files
from ml.keys.access_key import digest_of
from ml.settings import Settings, load_site_settings
from ml.site.definition_files import read_home, retirement_notice
from serving.access import DIGEST_PREFIX, Keys

logger = logging.getLogger("tessera.serving")
NO_KEYS = Keys()
SECRET_KEYS, BROWSER_KEYS = "TESSERA_SECRET_KEYS", "TESSERA_BROWSER_KEYS"
# 16 random hexadecimal digits are 64 bits, which nobody guesses over a network, and nearly always have at least 6
# different ones. The keys that `tessera keys create` makes have 256 bits.
MIN_KEY_CHARS, MIN_DISTINCT_CHARS = 16, 6
IDENTITY_SECRETS = "TESSERA_IDENTITY_SECRETS"
DIGEST = re.compile(r"[0-9a-fA-F]{64}")
CODE = Path(__file__).resolve().parent.parent
BUNDLED = CODE / "published"


class InvalidKeyError(TesseraError, ValueError):
    """A key of the environment cannot be used. The message names the variable and never shows the key."""


@dataclass(frozen=True)
class ServiceConfig:
    """Where the service keeps its data, and the keys that may call it.

    Attributes:
        home: folder of events and state, which the service writes, and of published and fetched bundles.
        settings: settings of the site.
        keys: keys of callers from the environment, beside those in the home's file; without any key only callers
            on this machine are served.
        bundled: the published folder inside a Bento, read if the home has published nothing.
        redis_url: address of the Redis that holds the state, for the engine `redis`.
        identity_secrets: secrets that the site's servers sign identity tokens with.
    """

    home: Home
    settings: Settings
    keys: Keys = NO_KEYS
    bundled: Path = BUNDLED
    redis_url: str | None = None
    identity_secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def bundle_folders(self) -> tuple[Path, ...]:
        """The folders that may hold the current bundle; the first that has one counts."""
        return self.home.published, self.home.fetched, self.bundled


def read_service_config(environment: Mapping[str, str] | None = None) -> ServiceConfig:
    """Read TESSERA_HOME, TESSERA_SITE, the keys, TESSERA_IDENTITY_SECRETS and TESSERA_REDIS_URL.

    The keys are in TESSERA_SECRET_KEYS and TESSERA_BROWSER_KEYS. TESSERA_SETTINGS is read too where there is no
    site, with a word of warning.

    Without TESSERA_HOME it is `.tessera` in the folder that the service was started from: a Bento that runs in an
    empty folder keeps its state there, not inside the Bento.

    Raises:
        InvalidKeyError: A key is easy to guess, a digest is none, or a key is both a browser's and a secret one.
    """
    protect_new_files()
    environ = os.environ if environment is None else environment
    notice = retirement_notice(environ)
    if notice:
        logger.warning("%s", notice)
    home = read_home(environ, default=find_start_folder(CODE, environ) / ".tessera")
    return ServiceConfig(
        home=home,
        settings=load_site_settings(home).settings,
        keys=_read_keys(environ),
        identity_secrets=tuple(_split(environ, IDENTITY_SECRETS)),
        redis_url=environ.get("TESSERA_REDIS_URL") or None,
    )


def find_start_folder(code: Path, environment: Mapping[str, str]) -> Path:
    """Return the folder that the service was started from.

    It is the working directory, except in a Bento, whose folder BentoML enters. There, PWD still names the folder
    where the shell was. Elsewhere PWD may name that of another program, which started this one.

    Args:
        code: The folder that holds the package `serving`.
        environment: Variables of the process.
    """
    folder = Path.cwd()
    is_bento = (code.parent / "bento.yaml").exists()
    return Path(environment.get("PWD", folder)) if is_bento and folder.is_relative_to(code) else folder


def ignore_forwarded_headers() -> None:
    """Let no server of this process believe `X-Forwarded-For`; collector.trusted_proxies says what is believed.

    uvicorn would take the client's address from it wherever a request comes from this machine, and BentoML, which
    starts uvicorn, passes the option for it on through the environment only.
    """
    os.environ["FORWARDED_ALLOW_IPS"] = ""


def _read_keys(environ: Mapping[str, str]) -> Keys:
    """Read the keys of the environment.

    Raises:
        InvalidKeyError: A key is easy to guess, a digest is none, or a key is both a browser's and a secret one.
    """
    browser, secret = (_split_keys(environ, name) for name in (BROWSER_KEYS, SECRET_KEYS))
    both = {_digest(key) for key in browser} & {_digest(key) for key in secret}
    if both:
        raise InvalidKeyError(
            f"a key stands in both {BROWSER_KEYS} and {SECRET_KEYS}: everybody can read a browser key, so create "
            "another secret key"
        )
    return Keys(browser=browser, secret=secret)


def _split_keys(environ: Mapping[str, str], name: str) -> frozenset[str]:
    keys = _split(environ, name)
    for number, key in enumerate(keys, start=1):
        fault = _find_fault(key)
        if fault is not None:  # the message must not show the key
            raise InvalidKeyError(
                f"{name}: key {number} of {len(keys)} {fault}; create one with `tessera keys create`"
            )
    return frozenset(keys)


def _split(environ: Mapping[str, str], name: str) -> list[str]:
    return [value for part in environ.get(name, "").split(",") if (value := part.strip())]


def _find_fault(key: str) -> str | None:
    """Return what is wrong with a key; None if nothing is."""
    if key.startswith(DIGEST_PREFIX):
        is_digest = DIGEST.fullmatch(key.removeprefix(DIGEST_PREFIX)) is not None
        return None if is_digest else "is not a digest: `sha256:` and 64 hexadecimal digits are needed"
    if len(key) < MIN_KEY_CHARS:
        return f"has {len(key)} characters and can be guessed: at least {MIN_KEY_CHARS} random ones are needed"
    if len(set(key)) < MIN_DISTINCT_CHARS:
        return "repeats the same few characters and can be guessed: random ones are needed"
    return None


def _digest(key: str) -> str:
    return key.removeprefix(DIGEST_PREFIX).lower() if key.startswith(DIGEST_PREFIX) else digest_of(key)
