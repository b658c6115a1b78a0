"""Alarms about what models read: one for each cause, and none for what another alarm explains."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from ml.monitoring.alarms import Alarm
from ml.monitoring.inputs.drift import DRIFTED, LOST, ColumnDrift
from ml.monitoring.inputs.windows import CLUSTER, INTERACTIONS, WEEK, InputWindow
from ml.monitoring.inputs.words import carrier_name
from ml.monitoring.journal import CLOSED, EXPLAINED, Entry, Journal
from ml.monitoring.series import Subject
from ml.monitoring.words import INPUT, UNKNOWN_ITEMS
from ml.settings.operation import MonitoringSettings

CALM = 0.5  # of the smallest change that matters; at more, an alarm stays open
_TASTE_COLUMNS = ("category", "tags", "features", CLUSTER)
_SHARES = {"device_shares": "device_type", "category_shares": "category"}  # of what they are shares


def record_drift(
    journal: Journal,
    drifts: Sequence[ColumnDrift],
    unknown_clicks: float,
    window: InputWindow,
    now: dt.datetime,
    settings: MonitoringSettings,
) -> list[Entry]:
    """Note in the journal which columns drift.

    A column that drifts since another alarm began, or that an alarm is about, is explained by it for as long as
    that alarm is open. All others are one new alarm, named by a lost column before any other, and by the largest
    change. An alarm about columns that are as in the training again is closed.

    Args:
        journal: The journal.
        drifts: The columns that were compared.
        unknown_clicks: Share of the interactions with items that the model does not know.
        window: The week that was compared.
        now: The present, UTC.
        settings: Sizes that matter, and how far apart the changes of one cause begin.

    Returns:
        The entries of the new alarms.
    """
    changed = [drift for drift in drifts if drift.state in (LOST, DRIFTED)]
    _close_calm(journal, drifts, unknown_clicks, now, settings)
    fresh = [drift for drift in changed if not _is_explained(journal, drift, window, now, settings)]
    alarms = [_alarm(fresh, window)] if fresh else []
    if unknown_clicks >= settings.most_unknown_clicks and not _is_open(journal, UNKNOWN_ITEMS):
        alarms.append(_unknown_items_alarm(unknown_clicks, window, settings))
    return journal.open(alarms, now)


def _is_explained(
    journal: Journal, drift: ColumnDrift, window: InputWindow, now: dt.datetime, settings: MonitoringSettings
) -> bool:
    noted = {(entry.alarm, entry.facts["column"]) for entry in journal.entries() if entry.what == EXPLAINED}
    began = _moment(window, drift.begin)
    for alarm in journal.open_alarms():
        if _is_about(alarm, drift) or (alarm.alarm, drift.profile.name) in noted:
            return True
        apart = abs(dt.datetime.fromisoformat(alarm.facts["since"]) - began)
        if apart <= dt.timedelta(days=settings.same_cause_days):
            text = f"{drift.profile.name} differs from the training since then, too."
            journal.append([Entry(now.isoformat(), EXPLAINED, alarm.alarm, text, {"column": drift.profile.name})])
            return True
    return False


def _is_about(alarm: Entry, drift: ColumnDrift) -> bool:
    """Whether an alarm names the column, or tells of a taste that the column shows."""
    facts, stem = alarm.facts, drift.profile.column.partition(":")[0]
    column = _SHARES.get(stem, stem)
    if facts["subject"] == Subject.TASTE.name.lower():
        return column in _TASTE_COLUMNS
    names = {facts["measure"], facts["dimension"], *facts["follows"].split(", ")}
    return bool(names & {drift.profile.name, column})


def _is_open(journal: Journal, measure: str) -> bool:
    return any(entry.facts["measure"] == measure for entry in journal.open_alarms())


def _alarm(fresh: list[ColumnDrift], window: InputWindow) -> Alarm:
    cause = min(fresh, key=lambda drift: (drift.state != LOST, -drift.missing_now, -drift.psi))
    is_lost = cause.state == LOST
    return Alarm(
        subject=Subject.FIELD if is_lost else Subject.INPUT,
        measure=cause.profile.name,
        dimension=INPUT,
        slice="" if is_lost else carrier_name(cause),
        since=_moment(window, cause.begin),
        detected_at=window.end.replace(tzinfo=dt.UTC),
        usual=1 - cause.missing_then if is_lost else cause.share_then,
        observed=1 - cause.missing_now if is_lost else cause.share_now,
        odds_of_chance=min((cause.missing_p if is_lost else cause.p) * 2 * len(fresh), 1.0),
        follows=tuple(sorted(drift.profile.name for drift in fresh if drift is not cause)),
    )


def _unknown_items_alarm(share: float, window: InputWindow, settings: MonitoringSettings) -> Alarm:
    return Alarm(
        subject=Subject.INPUT,
        measure=UNKNOWN_ITEMS,
        dimension=INPUT,
        slice=INTERACTIONS,
        since=window.begin.replace(tzinfo=dt.UTC),
        detected_at=window.end.replace(tzinfo=dt.UTC),
        usual=settings.most_unknown_clicks,
        observed=share,
        odds_of_chance=0.0,
        follows=(),
    )


def _close_calm(
    journal: Journal, drifts: Sequence[ColumnDrift], unknown: float, now: dt.datetime, settings: MonitoringSettings
) -> None:
    calm = {drift.profile.name for drift in drifts if _is_calm(drift, settings)}
    if unknown < CALM * settings.most_unknown_clicks:
        calm.add(UNKNOWN_ITEMS)
    over = [
        Entry(now.isoformat(), CLOSED, entry.alarm, "The model reads again what it was trained on.")
        for entry in journal.open_alarms()
        if entry.facts["dimension"] == INPUT
        and {entry.facts["measure"], *filter(None, entry.facts["follows"].split(", "))} <= calm
    ]
    journal.append(over)


def _is_calm(drift: ColumnDrift, settings: MonitoringSettings) -> bool:
    loss = CALM * settings.smallest_loss * (1 - drift.missing_then)
    return drift.psi < CALM * settings.smallest_psi and drift.missing_now - drift.missing_then < loss


def _moment(window: InputWindow, day: int) -> dt.datetime:
    return (window.end - dt.timedelta(days=WEEK - day)).replace(tzinfo=dt.UTC)
