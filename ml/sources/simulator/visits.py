"""Who comes on a day, when, and on which device: one row a session."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from ml.arrays import F64, I64, U64, Bools
from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator.items import HOUR_MS
from ml.sources.simulator.personas import DAYPART_HOURS
from ml.sources.simulator.places import CHANNELS, PLACES
from ml.sources.simulator.population import NEVER, Engagement, Population
from ml.sources.simulator.randomness import Stream, mixed, uniform

MIN_PAUSE_HOURS = 1.5


@dataclass
class Sessions:
    """(n,) arrays, one row a session.

    user: row of the visitors. start_ms: Unix ms. hour: UTC hour of the day, 23 if the day has passed. slot:
    device slot. is_first: the user's first session of the day. is_known: the user is logged in. consent:
    purposes granted.
    """

    user: I64
    start_ms: I64
    hour: I64
    slot: I64
    key: U64
    is_first: Bools
    is_known: Bools
    consent: I64
    channel: I64
    network: I64
    delay_ms: I64

    def __len__(self) -> int:
        return len(self.user)

    def slice(self, start: int, stop: int) -> Sessions:
        """Some consecutive sessions."""
        return Sessions(**{name: column[start:stop] for name, column in vars(self).items()})


def visits(users: Population, settings: SimulatorSettings, seed: int, day: int, weekday: int) -> Bools:
    """(n,) whether each user comes on a day: a function of the user's key and the day alone.

    Frequent users come with their own probability; others once in every period of theirs, at a random moment
    of it, so that no gap is longer than two periods. First days, days of identification and of changed
    consent are visits.
    """
    rate = users.visit_rate
    weekend = settings.engagement.weekend_factor if weekday >= 5 else 1.0
    daily = uniform(seed, Stream.VISIT, users.key, day) < rate * weekend
    is_daily = (users.engagement == Engagement.FREQUENT) | (users.engagement == Engagement.BOT)
    here = np.where(is_daily, daily, _periodic(users, seed, day))
    here |= (users.from_day == day) | (users.known_from == day) | (users.consent_changes == day)
    return np.asarray(here & (users.from_day <= day) & (day < users.until_day))


def _periodic(users: Population, seed: int, day: int) -> Bools:
    here = np.zeros(len(users), dtype=bool)
    for moment in (day, day + 1):
        period = np.floor((moment + users.phase) / users.visit_rate)
        offset = uniform(seed, Stream.VISIT_MOMENT, users.key, period.astype(np.int64))
        here |= np.floor((period + offset) * users.visit_rate - users.phase) == day
    return here


def hour_profiles(settings: SimulatorSettings) -> F64:
    """(4, 24) running sums over local hours, one row a favourite daypart."""
    weights = np.array(settings.engagement.hour_weights)
    weights = weights / weights.sum()
    profiles = np.empty((len(DAYPART_HOURS), 24))
    for row, (first, last) in enumerate(DAYPART_HOURS):
        hours = np.arange(24)
        inside = (hours >= first) & (hours < last) if first < last else (hours >= first) | (hours < last)
        favourite = settings.engagement.favourite_daypart_share
        profile = np.where(inside, weights * favourite / weights[inside].sum(), 0.0)
        profile += np.where(inside, 0.0, weights * (1 - favourite) / weights[~inside].sum())
        profiles[row] = np.cumsum(profile)
    return profiles


def utc_offsets(date: dt.date) -> I64:
    """(places,) hours east of UTC at noon of a date, rounded down."""
    noon = dt.datetime(date.year, date.month, date.day, 12, tzinfo=dt.UTC)
    seconds = [_seconds_east(noon, place.timezone) for place in PLACES]
    return np.floor(np.array(seconds) / 3600).astype(np.int64)


def _seconds_east(moment: dt.datetime, timezone: str) -> float:
    offset = moment.astimezone(ZoneInfo(timezone)).utcoffset()
    return 0.0 if offset is None else offset.total_seconds()


def draw_sessions(
    users: Population,
    rows: I64,
    settings: SimulatorSettings,
    rng: np.random.Generator,
    seed: int,
    day: int,
    day_ms: int,
    offsets: I64,
    logs_in: Bools,
) -> Sessions:
    """Draw the sessions of the visitors `rows` on a day: the first ones, then the second ones.

    A second session begins at least an hour and a half later. Known users log in first where `logs_in` is true.
    """
    comes_twice = rng.random(len(rows)) < settings.engagement.second_visit_probability
    comes_twice &= users.engagement[rows] != Engagement.PASSER_BY
    user = np.concatenate([rows, rows[comes_twice]])
    n, again = len(user), int(comes_twice.sum())
    is_first = np.arange(n) < len(rows)
    profile = hour_profiles(settings)[users.daypart[user]]
    local = (profile <= rng.random(n)[:, None] * profile[:, -1:]).sum(axis=1)
    hour = (local - offsets[users.place[user]]) % 24
    start = day_ms + hour * HOUR_MS + rng.integers(0, HOUR_MS, n)
    both = np.stack([start[: len(rows)][comes_twice], start[~is_first]])
    pause = ((MIN_PAUSE_HOURS + 0.5 * rng.random(again)) * HOUR_MS).astype(np.int64)
    start[: len(rows)][comes_twice] = both.min(axis=0)
    start[~is_first] = np.maximum(both.max(axis=0), both.min(axis=0) + pause)
    slot = _device_slots(users, user, settings, rng, day)
    is_known = (users.known_from[user] <= day) & (rng.random(n) < settings.identity.logged_in_share)
    is_known |= (users.known_from[user] <= day) & ((slot > 0) | users.shares_device[user])
    is_known |= is_first & ((users.known_from[user] == day) | logs_in[user])
    late = rng.random(n) < settings.faults.late_session_share
    delay = np.where(late, rng.uniform(1.0, settings.faults.late_hours_max, n) * HOUR_MS, 0.0)
    own_channel = rng.random(n) < 0.6
    channel = np.where(own_channel, users.channel[user], rng.choice(len(CHANNELS), n, p=_OTHER_CHANNELS))
    return Sessions(
        user=user,
        start_ms=start,
        hour=np.minimum((start - day_ms) // HOUR_MS, 23),
        slot=slot,
        key=mixed(seed, Stream.SESSION_ID, users.key[user] * 4 + np.where(is_first, 0, 1), day),
        is_first=is_first,
        is_known=is_known,
        consent=np.where(
            day >= users.consent_changes[user], users.consent_after[user], users.consent_before[user]
        ),
        channel=channel,
        network=rng.choice(4, n, p=[0.005, 0.015, 0.12, 0.86]),
        delay_ms=delay.astype(np.int64),
    )


def _device_slots(
    users: Population, user: I64, settings: SimulatorSettings, rng: np.random.Generator, day: int
) -> I64:
    """The main device, or, once the user is known, one of the others."""
    elsewhere = rng.random(len(user)) >= settings.identity.main_device_use
    third = rng.random(len(user)) < 0.3
    slot = np.where(elsewhere & (users.known_from[user] <= day), np.where(third, 2, 1), 0)
    slot = np.where(users.known_from[user] == day, 0, slot)
    slot = np.where((slot == 2) & (users.devices[user, 2] < 0), 1, slot)
    return np.where((slot == 1) & (users.devices[user, 1] < 0), 0, slot)


def first_visits_since(
    users: Population, settings: SimulatorSettings, seed: int, first_day: int, end_day: int, weekday_0: int
) -> I64:
    """(n,) first day in [first_day, end_day) on which each user comes, and is known; NEVER without one."""
    first_days = np.full(len(users), NEVER)
    for day in range(first_day, end_day):
        here = visits(users, settings, seed, day, (weekday_0 + day) % 7)
        first_days[here & (first_days == NEVER) & (users.known_from <= day)] = day
    return first_days


_OTHER_CHANNELS = [0.5, 0.25, 0.1, 0.07, 0.05, 0.03]
