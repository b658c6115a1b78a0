"""The end of a canary: its model answers everybody, or nobody any more."""

from __future__ import annotations

import datetime as dt
import shutil
from typing import TYPE_CHECKING

from ml.bundle import canary_version, make_canary, make_current
from ml.home import Home
from ml.monitoring.journal import PROMOTED, ROLLED_BACK, Journal
from ml.settings import Settings
from orchestration.runtime.shared_bundles import share_bundles

if TYPE_CHECKING:
    from ml.registry.registry import Registry
    from ml.registry.trials import CanaryTrial

CANARY_FOLDER = "canary"
"""Folder of what was learned with the model that is tried, below that of what was learned with the champion."""


def end_canary(
    home: Home,
    settings: Settings,
    registry: Registry,
    trial: CanaryTrial,
    text: str,
    now: dt.datetime,
    *,
    is_promoted: bool,
) -> None:
    """Have services answer everybody with the new model, or with the former one again, and note why.

    Args:
        home: The home.
        settings: Its settings.
        registry: Its registry.
        trial: The trial that ends.
        text: Why, a sentence.
        now: The present, UTC.
        is_promoted: Whether the new model becomes the champion.
    """
    from ml.registry.trials import CanaryTrials, Outcome  # noqa: PLC0415  MLflow takes seconds to load

    learned = home.models / CANARY_FOLDER
    if is_promoted:
        registry.promote(trial.version, kind="improvement", reasons=(*trial.reasons, text))
        version = canary_version(home.published)
        if version is not None:
            make_current(home.published, version)
        if learned.exists():
            shutil.copytree(learned, home.models, dirs_exist_ok=True)
    make_canary(home.published, None)
    shutil.rmtree(learned, ignore_errors=True)
    outcome, what = (Outcome.PROMOTED, PROMOTED) if is_promoted else (Outcome.ROLLED_BACK, ROLLED_BACK)
    CanaryTrials(registry).end(trial, outcome, text, now)
    Journal(home).note(what, trial.version, f"{trial.model} (version {trial.version}): {text}", now)
    share_bundles(home, settings)
