"""When to write to each person: when they usually come, outside of all quiet hours, by their own clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import lru_cache

import pyarrow as pa

from ml.local_clock import HourSpan, find_zone, hour_of, is_within
from ml.settings.segmentation import AudienceSettings

HOURS_OF_SESSIONS = "sessions_by_local_hour"
MINIMUM_SESSIONS = 3  # fewer visits do not show at which hours somebody comes
NEIGHBOUR_WEIGHT = 0.5  # of a visit in the hour before or after, so that 8:55 and 9:05 are about the same time


def compute_sending_times(
    users: pa.Table,
    now: dt.datetime,
    settings: AudienceSettings,
    hours: Sequence[HourSpan | None] | None = None,
) -> list[dt.datetime | None]:
    """Compute `send_after` of each user.

    Args:
        users: any of `timezone`, `sessions_by_local_hour` (24 counts), `quiet_from_hour` and `quiet_until_hour`.
        now: the present time, timezone-aware.
        settings: quiet hours of the site.
        hours: hours of sending that each user's strategy states, None for any hour.

    Returns:
        The next time (UTC) at which the user usually comes, within the hours of the strategy and outside the
        quiet hours of the site and of the user. Where too few visits show when the user comes, it is the first
        permitted time; where the quiet hours cover all hours of the strategy, the first time outside of them; None
        where they cover the day.
    """
    zones, visits, starts, ends = (
        users.column(name).to_pylist() if name in users.column_names else [None] * users.num_rows
        for name in ("timezone", HOURS_OF_SESSIONS, "quiet_from_hour", "quiet_until_hour")
    )
    site_hours = (float(settings.quiet_from_hour), float(settings.quiet_until_hour))
    times = []
    for zone, counts, start, end, window in zip(
        zones, visits, starts, ends, hours or [None] * users.num_rows, strict=True
    ):
        quiet = [site_hours] if start is None or end is None else [site_hours, (start, end)]
        times.append(choose_sending_time(now, zone, quiet, counts, window))
    return times


def choose_sending_time(
    now: dt.datetime,
    timezone: str | None,
    quiet: Sequence[HourSpan],
    visits: Sequence[float] | None = None,
    window: HourSpan | None = None,
) -> dt.datetime | None:
    """Return the time (UTC) to write to one person; see `compute_sending_times`.

    >>> now = dt.datetime(2026, 7, 15, 12, tzinfo=dt.UTC)
    >>> evenings = [0] * 19 + [5] + [0] * 4
    >>> choose_sending_time(now, "Europe/Berlin", [(21, 8)], evenings).isoformat()
    '2026-07-15T17:00:00+00:00'
    """
    first = send_after(now, timezone, quiet)
    if first is None:
        return None
    permitted = _find_permitted_times(now, timezone, tuple(quiet), window)
    if not permitted:
        return first
    weights = _smooth(visits)
    if weights is None or not any(weights[hour] for hour in permitted):
        return first if window is None else min(permitted.values())
    return min((-weights[hour], time) for hour, time in permitted.items())[1]


@lru_cache(maxsize=1_000)
def _find_permitted_times(
    now: dt.datetime, timezone: str | None, quiet: tuple[HourSpan, ...], window: HourSpan | None
) -> Mapping[int, dt.datetime]:
    """Return the next time (UTC) within each local hour that is not quiet; people of a zone share them."""
    zone = find_zone(timezone)
    times = {}
    for hour in range(24):
        if window is not None and not is_within(hour, *window):
            continue
        time = _next_at(now.astimezone(zone), hour)
        moved = send_after(time.astimezone(dt.UTC), timezone, quiet)
        # A time that the quiet hours move into another hour is not a time of this hour.
        if moved is not None and moved.astimezone(zone).hour == hour and moved - now < dt.timedelta(days=2):
            times[hour] = moved
    return times


def send_after(now: dt.datetime, timezone: str | None, quiet: Sequence[HourSpan]) -> dt.datetime | None:
    """Return the first moment (UTC) from `now` on outside all quiet hours, or None if they cover the day.

    Args:
        now: the present time, timezone-aware.
        timezone: IANA name of the zone of the quiet hours; an unknown zone counts as UTC.
        quiet: start and end of each quiet period in local hours 0 … 24; a period may span midnight.
    """
    local = now.astimezone(find_zone(timezone))
    for _ in range(len(quiet) + 1):  # a period that ends inside another continues to the other's end
        end = next((end for start, end in quiet if is_within(hour_of(local), start, end)), None)
        if end is None:
            return local.astimezone(dt.UTC)
        day = local.replace(hour=0, minute=0, second=0, microsecond=0)
        local = day + dt.timedelta(hours=end, days=0 if end > hour_of(local) else 1)
    return None


def _next_at(local: dt.datetime, hour: int) -> dt.datetime:
    """Return the present time within this hour, else the next full hour of this number."""
    if local.hour == hour:
        return local
    time = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    return time if time > local else time + dt.timedelta(days=1)


def _smooth(visits: Sequence[float] | None) -> list[float] | None:
    """Return the visits of each hour with a part of those of its neighbours; None if there are too few visits."""
    if visits is None or len(visits) != 24 or sum(visits) < MINIMUM_SESSIONS:
        return None
    return [visits[hour] + NEIGHBOUR_WEIGHT * (visits[hour - 1] + visits[(hour + 1) % 24]) for hour in range(24)]
