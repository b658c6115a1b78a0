"""Folds state changes so that no single change can stop the fold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from ml.decisions.activity.state_change import StateChange
from ml.events.quarantine import Quarantine


def fold_change(
    change: StateChange, folds: Iterable[Callable[[StateChange], None]], quarantine: Quarantine, where: str
) -> None:
    """Give a change to each fold in turn; a fold that fails sets the change aside, and the next one goes on.

    Args:
        change: The change.
        folds: What takes the change in.
        quarantine: Where a change that breaks a fold is recorded.
        where: The name of the fold in the quarantine.
    """
    for fold in folds:
        try:
            fold(change)
        except Exception as error:  # noqa: BLE001  # whatever a change does to a fold, the changes after it count
            quarantine.set_aside(change.event_id or digest_change(change), error, where)


def digest_change(change: StateChange) -> str:
    """Return a name for a change that came from no event. It is the same in every worker."""
    return f"change-{hashlib.blake2b(repr(change).encode(errors='replace'), digest_size=12).hexdigest()}"
