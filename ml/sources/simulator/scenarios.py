"""Sites on which something happens on a known day, so that whatever watches a site can be measured.

In all scenarios some days have a campaign, nobody falls silent for good, and nobody's taste changes but where the
scenario says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator.places import DEVICES
from ml.sources.simulator.population import Engagement, Population
from ml.sources.simulator.properties import MODEL_VERSION
from ml.sources.simulator.randomness import Stream, generator, uniform
from ml.sources.simulator.site import RAW_SCHEMA, Site, _World
from ml.sources.simulator.topics import CATEGORY_NAMES

CHANGE_AT = 0.6  # share of the planned days
MORNING_HOURS = 9  # after midnight UTC, when a tracker breaks or a champion is replaced
SLOW_DAYS = 28
CHANGED_USERS = 0.5
MOVED_INTEREST = 0.5
CAMPAIGN_EVERY_DAYS = 20
CAMPAIGN_FACTOR = 8.0  # passers-by of a campaign day, per one of an ordinary day
NEW_DEVICE = next(device for device in DEVICES if device.type == "tv")
NEW_DEVICE_DIGITS = pa.array(list("012"))  # three in sixteen of the devices
LOST_CLICK_DIGITS = pa.array(list("01234567"))  # half of the answers
WORSE_VERSION = "simulator-worse"
BREAKABLE_BROWSERS = ("Mobile Safari", "Chrome Mobile", "Chrome", "Safari", "Edge", "Firefox")
BREAKABLE_FIELDS = ("item_id", "page_url", "user_id")


class Scenario(StrEnum):
    """What happens on the site."""

    QUIET = "quiet"
    TASTE_CHANGE = "taste_change"
    SLOW_TASTE_CHANGE = "slow_taste_change"
    BROKEN_TRACKER = "broken_tracker"
    NEW_DEVICE = "new_device"
    WORSE_CHAMPION = "worse_champion"


class ScenarioSite(Site):
    """A site on which a scenario takes place.

    What is drawn before the change is the same in all scenarios of one seed.
    """

    def __init__(self, settings: SimulatorSettings, seed: int, start: dt.date, scenario: Scenario) -> None:
        planted = settings.planted.model_copy(update={"taste_change_users": 0.0})
        engagement = settings.engagement.model_copy(update={"lapsed_share": 0.0})
        super().__init__(settings.model_copy(update={"planted": planted, "engagement": engagement}), seed, start)
        self.scenario = scenario
        self.change_day = round(CHANGE_AT * settings.days)
        choice = generator(seed, Stream.TASTE, 1)
        self.category = int(choice.integers(len(CATEGORY_NAMES)))
        self.browser = BREAKABLE_BROWSERS[int(choice.integers(len(BREAKABLE_BROWSERS)))]
        self.field = BREAKABLE_FIELDS[int(choice.integers(len(BREAKABLE_FIELDS)))]
        self.campaign_offset = int(choice.integers(CAMPAIGN_EVERY_DAYS))
        self.campaign_category = int(choice.integers(len(CATEGORY_NAMES)))

    @cached_property
    def starts_at(self) -> dt.datetime:
        """The moment of the change, UTC."""
        sudden = self.scenario in (Scenario.BROKEN_TRACKER, Scenario.WORSE_CHAMPION)
        midnight = dt.datetime.combine(self.date_of(self.change_day), dt.time(), dt.UTC)
        return midnight + dt.timedelta(hours=MORNING_HOURS if sudden else 0)

    def is_campaign_day(self, day: int) -> bool:
        """Whether a campaign brings many strangers on a day."""
        return day % CAMPAIGN_EVERY_DAYS == self.campaign_offset

    def truth(self, until_day: int) -> pa.Table:
        """What happened before a day: one row per campaign day, and one for the scenario's change.

        `starts_at` and `ends_at` are UTC; a change that stays has no end. `dimension` and `slice` name who is
        concerned, `field` what goes missing.
        """
        rows = [
            _row("campaign_day", self._midnight(day), self._midnight(day + 1), "category", self.campaign_category)
            for day in range(until_day)
            if self.is_campaign_day(day)
        ]
        if self.scenario is not Scenario.QUIET and self.starts_at < self._midnight(until_day):
            dimension, value = {
                Scenario.BROKEN_TRACKER: ("browser", self.browser),
                Scenario.NEW_DEVICE: ("device_type", NEW_DEVICE.type),
                Scenario.WORSE_CHAMPION: ("model_version", WORSE_VERSION),
            }.get(self.scenario, ("category", self.category))
            field = self.field if self.scenario is Scenario.BROKEN_TRACKER else None
            rows.append(_row(self.scenario.value, self.starts_at, None, dimension, value, field))
        return pa.Table.from_pylist(rows, schema=TRUTH_SCHEMA)

    def _midnight(self, day: int) -> dt.datetime:
        return dt.datetime.combine(self.date_of(day), dt.time(), dt.UTC)

    def events(self, since_day: int, until_day: int) -> Iterator[pa.Table]:
        """Events as `Site.events` yields them, after the scenario."""
        for table in super().events(since_day, until_day):
            yield self._changed_events(table)

    def _passers_by(self, day: int, coming: int, rng: np.random.Generator) -> Population:
        if not self.is_campaign_day(day):
            return self._with_taste(super()._passers_by(day, coming, rng), day)
        count = int(rng.poisson(CAMPAIGN_FACTOR * self.settings.passers_by * coming))
        return _moved(self.model.passers_by(day, count), self.campaign_category, np.ones(count, dtype=bool))

    def _day(self, day: int, world: _World) -> Iterator[tuple[pa.Table, pa.Table]]:
        yield from super()._day(day, replace(world, users=self._with_taste(world.users, day)))

    def _with_taste(self, users: Population, day: int) -> Population:
        """The users with their interests of a day."""
        if self.scenario not in (Scenario.TASTE_CHANGE, Scenario.SLOW_TASTE_CHANGE) or day < self.change_day:
            return users
        days = SLOW_DAYS if self.scenario is Scenario.SLOW_TASTE_CHANGE else 1
        reached = min((day - self.change_day + 1) / days, 1.0)
        chosen = uniform(self.seed, Stream.TASTE, users.key) < CHANGED_USERS * reached
        return _moved(users, self.category, chosen & (users.engagement != Engagement.BOT))

    def _changed_events(self, table: pa.Table) -> pa.Table:
        later = pc.greater_equal(table["occurred_at"], pa.scalar(self.starts_at, table["occurred_at"].type))
        if self.scenario is Scenario.BROKEN_TRACKER:
            lost = pc.and_(later, pc.equal(table["browser"], self.browser))
            return _set(table, self.field, pc.if_else(lost, pa.scalar(None, pa.string()), table[self.field]))
        if self.scenario is Scenario.NEW_DEVICE:
            digit = pc.utf8_slice_codeunits(table["anonymous_id"], 1, 2)
            human = pc.not_equal(table["device_type"], "bot")
            is_new = pc.and_(pc.and_(later, human), pc.is_in(digit, NEW_DEVICE_DIGITS))
            traits = {"device_type": NEW_DEVICE.type, "os": NEW_DEVICE.os, "browser": NEW_DEVICE.browser}
            sizes = {"screen_width": NEW_DEVICE.width, "screen_height": NEW_DEVICE.height}
            for column, value in (traits | sizes).items():
                new = pa.scalar(value, table[column].type)
                table = _set(table, column, pc.if_else(is_new, new, table[column]))
            return table
        if self.scenario is Scenario.WORSE_CHAMPION:
            return _worse_answers(table, later)
        return table


def as_recorded(
    settings: SimulatorSettings, seed: int, start: dt.date, scenario: str | None
) -> Site | ScenarioSite:
    """The site that a record describes."""
    return ScenarioSite(settings, seed, start, Scenario(scenario)) if scenario else Site(settings, seed, start)


def scenario_of(site: Site) -> str | None:
    """Name of the scenario that takes place on a site; None for a site without one."""
    return site.scenario.value if isinstance(site, ScenarioSite) else None


TRUTH_SCHEMA = pa.schema(
    [
        ("what", pa.string()),
        ("starts_at", pa.timestamp("us", "UTC")),
        ("ends_at", pa.timestamp("us", "UTC")),
        ("dimension", pa.string()),
        ("slice", pa.string()),
        ("field", pa.string()),
    ]
)


def _row(
    what: str,
    starts_at: dt.datetime,
    ends_at: dt.datetime | None,
    dimension: str,
    value: str | int,
    field: str | None = None,
) -> dict[str, object]:
    name = CATEGORY_NAMES[value] if isinstance(value, int) else value
    row = {"what": what, "starts_at": starts_at, "ends_at": ends_at, "dimension": dimension}
    return row | {"slice": name, "field": field}


def _moved(users: Population, category: int, chosen: np.ndarray) -> Population:
    """The users; those who are chosen (n,) have moved half of their interest to a category."""
    target = np.zeros(users.interest.shape[1], dtype=np.float32)
    target[2 * category : 2 * category + 2] = 0.5
    moved = (1 - MOVED_INTEREST) * users.interest + MOVED_INTEREST * target
    interest = np.where(chosen[:, None], moved, users.interest).astype(np.float32)
    return replace(users, interest=interest, interest_cdf=np.cumsum(interest, axis=1))


def _worse_answers(table: pa.Table, later: pa.ChunkedArray) -> pa.Table:
    """The events of a model under another version, which loses the clicks of half of its answers."""
    old, new = (f'"model_version":"{version}"' for version in (MODEL_VERSION, WORSE_VERSION))
    is_decision = pc.fill_null(pc.match_substring(table["properties"], '"decision"'), False)
    is_answer = pc.and_(pc.and_(later, pc.equal(table["event_type"], "served")), pc.invert(is_decision))
    is_answer = pc.fill_null(is_answer, False)
    renamed = pc.replace_substring(table["properties"], old, new)
    table = _set(table, "properties", pc.if_else(is_answer, renamed, table["properties"]))
    digit = pc.utf8_slice_codeunits(table["recommendation_id"], 0, 1)
    is_item_click = pc.and_(pc.equal(table["event_type"], "click"), pc.is_valid(table["item_id"]))
    lost = pc.and_(pc.and_(later, is_item_click), pc.is_in(digit, LOST_CLICK_DIGITS))
    return table.filter(pc.invert(pc.fill_null(lost, False)))


def _set(table: pa.Table, column: str, values: pa.ChunkedArray) -> pa.Table:
    return table.set_column(RAW_SCHEMA.get_field_index(column), RAW_SCHEMA.field(column), values)
