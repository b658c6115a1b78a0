"""A simulated site: what it is on every day, and the events of any stretch of days."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.arrays import I64, U64
from ml.events.contract import EVENT_SCHEMA, TIMESTAMP
from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator.block import DayContext, draw_block, tables_by_arrival
from ml.sources.simulator.browsing import build_item_sampler
from ml.sources.simulator.encoding import item_texts
from ml.sources.simulator.experiments import planted_experiments
from ml.sources.simulator.items import DAY_MS, Items, daily_items, founding_items, hourly_weights
from ml.sources.simulator.personas import persona_tables
from ml.sources.simulator.population import NEVER, Population, PopulationModel
from ml.sources.simulator.properties import PropertyTexts
from ml.sources.simulator.randomness import Stream, generator
from ml.sources.simulator.taste import daily_interest_cdf
from ml.sources.simulator.texts import catalogue_rows, item_ids, item_titles
from ml.sources.simulator.visits import Sessions, draw_sessions, first_visits_since, utc_offsets, visits

SESSIONS_PER_BLOCK = 16_384
RAW_SCHEMA = pa.schema([field.with_nullable(True) for field in EVENT_SCHEMA])


@dataclass(frozen=True)
class _World:
    """Users and items before some day; exposure_day (experiments, users), item_ids and item_titles (items,)."""

    users: Population
    exposure_day: I64
    items: Items
    item_ids: pa.Array
    item_titles: pa.Array


class Site:
    """A site that opens on `start` and is planned to be watched for `settings.days` days.

    Every day is a function of the seed, the settings and the day's number: any stretch can be simulated
    alone, and stretches that follow each other give what one long stretch gives. Days after the planned ones
    can be simulated too.
    """

    def __init__(self, settings: SimulatorSettings, seed: int, start: dt.date) -> None:
        self.settings = settings
        self.seed = seed
        self.start = start
        self.start_ms = round(dt.datetime(start.year, start.month, start.day, tzinfo=dt.UTC).timestamp() * 1000)
        self.model = PopulationModel(settings, persona_tables(settings.personas), seed, settings.days)
        self.planted = planted_experiments(settings.planted, settings.days)
        self._texts = PropertyTexts()

    def day_of(self, date: dt.date) -> int:
        """Number of a date, counted from the site's first day."""
        return (date - self.start).days

    def date_of(self, day: int) -> dt.date:
        """Date of a day's number."""
        return self.start + dt.timedelta(days=day)

    @cached_property
    def _founders(self) -> Population:
        return self.model.founders()

    def population(self, until_day: int) -> Population:
        """Users and bots who came before a day."""
        weeks = range(math.ceil(until_day / 7))
        users = Population.concat([self._founders, *(self.model.newcomers(week) for week in weeks)])
        return users.take(users.from_day < until_day)

    def items(self, until_day: int) -> Items:
        """Items published before a day."""
        days = (daily_items(self.settings, self.seed, self.start_ms, day) for day in range(until_day))
        return Items.concat([founding_items(self.settings, self.seed, self.start_ms), *days])

    def catalogue(self, since_day: int, until_day: int) -> pa.Table:
        """Items published in [since_day, until_day) as ITEM_SCHEMA; from day 0 on, those before it too."""
        items = self.items(until_day)
        first = 0 if since_day <= 0 else self.settings.items + since_day * self.settings.new_items_per_day
        return catalogue_rows(items).slice(first)

    def exposure_days(self, users: Population, until_day: int) -> I64:
        """(experiments, n) day on which each user is exposed; NEVER where that is not before `until_day`."""
        periods = [(planted.start_day, min(planted.end_day, until_day)) for planted in self.planted]
        first_visits = {
            (first, end): first_visits_since(users, self.settings, self.seed, first, end, self.start.weekday())
            for first, end in set(periods)
        }
        return np.stack([first_visits[period] for period in periods])

    def passers_by(self, until_day: int) -> Population:
        """Anonymous visitors of a single day before `until_day`, in the order of their days."""
        users = self.population(until_day)
        days = []
        for day in range(until_day):
            coming = visits(users, self.settings, self.seed, day, self.date_of(day).weekday())
            days.append(self._passers_by(day, int(coming.sum()), generator(self.seed, Stream.DAY, day)))
        return Population.concat(days)

    def session_keys(self, until_day: int) -> U64:
        """Keys of the sessions before a day, in the order of their days."""
        world = self._world(until_day)
        days = [self._sessions(day, world)[0].key for day in range(until_day)]
        return np.concatenate([np.zeros(0, dtype=np.uint64), *days])

    def _passers_by(self, day: int, coming: int, rng: np.random.Generator) -> Population:
        """The passers-by of a day on which so many users come; the first draw of the day's generator."""
        return self.model.passers_by(day, int(rng.poisson(self.settings.passers_by * coming)))

    def events(self, since_day: int, until_day: int) -> Iterator[pa.Table]:
        """Events that arrive in [since_day, until_day), in order of their arrival day, in bounded memory.

        Tables have EVENT_SCHEMA's columns, strings dictionary-encoded. Each day ends with a table of the
        malformed rows and of those that were late from days before.
        """
        lookback = math.ceil(self.settings.faults.late_hours_max / 24) + 1
        world = self._world(until_day)
        waiting: list[pa.Table] = []
        for day in range(max(since_day - lookback, 0), until_day):
            for on_time, apart in self._day(day, world):
                if day >= since_day:
                    yield on_time.cast(RAW_SCHEMA)
                if len(apart):
                    waiting.append(apart.cast(RAW_SCHEMA))
            if day >= since_day:
                arrived, waiting = self._arrivals(waiting, day)
                yield from arrived

    def count_events(self, day: int) -> int:
        """Number of events that happen on a day."""
        tables = self._day(day, self._world(day + 1))
        return sum(len(on_time) + len(apart) for on_time, apart in tables)

    def _world(self, until_day: int) -> _World:
        users, items = self.population(until_day), self.items(until_day)
        return _World(users, self.exposure_days(users, until_day), items, item_ids(items), item_titles(items))

    def _arrivals(self, waiting: list[pa.Table], day: int) -> tuple[list[pa.Table], list[pa.Table]]:
        """Of the rows that wait: those that arrive on a day, and those that go on waiting."""
        if not waiting:
            return [], []
        table = pa.concat_tables(waiting)
        begin, end = (
            pa.scalar((self.start_ms + d * DAY_MS) * 1000, pa.int64()).cast(TIMESTAMP) for d in (day, day + 1)
        )
        received = table["received_at"]
        now = pc.and_(pc.greater_equal(received, begin), pc.less(received, end))
        return [table.filter(now)], [table.filter(pc.greater_equal(received, end))]

    def _sessions(self, day: int, world: _World) -> tuple[Sessions, Population, I64]:
        """Return the sessions of a day, its visitors, and the days on which these are exposed to experiments."""
        settings, seed, date = self.settings, self.seed, self.date_of(day)
        rng = generator(seed, Stream.DAY, day)
        coming = np.flatnonzero(visits(world.users, settings, seed, day, date.weekday()))
        passing = self._passers_by(day, len(coming), rng)
        visitors = Population.concat([world.users.take(coming), passing])
        never = np.full((len(self.planted), len(passing)), NEVER)
        exposed = np.concatenate([world.exposure_day[:, coming], never], axis=1)
        is_exposed_today = (exposed == day).any(axis=0)
        sessions = draw_sessions(
            visitors, np.arange(len(visitors)), settings, rng, seed, day, self.start_ms + day * DAY_MS,
            utc_offsets(date), logs_in=is_exposed_today,
        )  # fmt: skip
        return sessions, visitors, exposed

    def _day(self, day: int, world: _World) -> Iterator[tuple[pa.Table, pa.Table]]:
        """For each block of a day's sessions: its sound events of the day, and all others."""
        settings, seed, items = self.settings, self.seed, world.items
        day_ms = self.start_ms + day * DAY_MS
        sessions, visitors, exposed = self._sessions(day, world)
        if not len(sessions):
            return
        count = settings.items + (day + 1) * settings.new_items_per_day
        available = items.head(count)
        context_of_day = DayContext(
            settings=settings,
            seed=seed,
            day=day,
            users=visitors,
            interest_cdf=daily_interest_cdf(visitors, settings.planted, seed, day, settings.days),
            exposure_day=exposed,
            sampler=build_item_sampler(available, hourly_weights(available, settings, day_ms)),
            items=item_texts(available, world.item_ids[:count], world.item_titles[:count]),
            planted=self.planted,
            texts=self._texts,
        )
        for number, first in enumerate(range(0, len(sessions), SESSIONS_PER_BLOCK)):
            block_rng = generator(seed, Stream.DAY, day, number + 1)
            part = sessions.slice(first, first + SESSIONS_PER_BLOCK)
            block = draw_block(context_of_day, part, (day << 40) + (number << 28), block_rng)
            yield tables_by_arrival(block, settings.faults, day_ms, block_rng)
