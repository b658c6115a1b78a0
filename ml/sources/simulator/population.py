"""The users of the site: one array a trait, one row a user, drawn in cohorts so that later weeks only add rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from ml.arrays import F32, F64, I64, U64, Bools
from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator.personas import PersonaTables
from ml.sources.simulator.places import DEVICE_TYPES, DEVICES, PLACES
from ml.sources.simulator.randomness import Stream, generator, mixed
from ml.sources.simulator.topics import LANGUAGES

NEVER = 2**30
DEVICE_SLOTS = 3
PERSONALIZATION = 2
MIN_LAPSED_LIFE_DAYS = 14
BOT_VISIT_PROBABILITY = 0.35


class Engagement(IntEnum):
    """How often a visitor comes; the first three are the planted classes."""

    FREQUENT = 0
    OCCASIONAL = 1
    LAPSED = 2
    BOT = 3
    PASSER_BY = 4


@dataclass
class Population:
    """(n, …) arrays; days count from the site's first day.

    key: number that all randomness of the user hangs on. second_persona, blend: whom else the user resembles,
    and how much. interest (n, topics): shares; interest_cdf its running sum. habits (n, habits): factors on
    the usual rates. visit_rate: chance a day (frequent, bots) or period in days (others). from_day,
    until_day: days of activity. known_from: first day as a known user. devices (n, 3): place in DEVICES or
    -1. device_keys (n, 3): browser ids. consent_before, consent_after: how many of CONSENT_PURPOSES are
    granted around consent_changes.
    """

    key: I64
    persona: I64
    second_persona: I64
    blend: F64
    interest: F32
    interest_cdf: F32
    habits: F32
    price_level: F64
    engagement: I64
    visit_rate: F64
    phase: F64
    from_day: I64
    until_day: I64
    daypart: I64
    place: I64
    language: I64
    channel: I64
    known_from: I64
    devices: I64
    device_keys: U64
    shares_device: Bools
    consent_before: I64
    consent_after: I64
    consent_changes: I64

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: I64 | Bools) -> Population:
        """The chosen users, in that order."""
        return Population(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @staticmethod
    def concat(parts: Sequence[Population]) -> Population:
        """All users of the parts, one after the other."""
        return Population(
            **{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Population)}
        )


@dataclass(frozen=True)
class PopulationModel:
    """Draws cohorts; the same arguments give the same users."""

    settings: SimulatorSettings
    tables: PersonaTables
    seed: int
    planned_days: int

    def founders(self) -> Population:
        """Users and bots who are there from the first day on; some pairs share a device."""
        users = self.settings.users
        bots = round(users * self.settings.faults.bot_share)
        rng = generator(self.seed, Stream.USERS, 0)
        cohort = self._draw(rng, np.arange(users + bots), np.full(users + bots, -1), self._lapsed_share())
        _make_bots(cohort, np.arange(users, users + bots), rng)
        _share_devices(cohort, self.settings.identity.shared_device_share, rng)
        return cohort

    def newcomers(self, week: int) -> Population:
        """Users who come for the first time on some day of this week; 0 is the site's first."""
        size = round(self.settings.users * self.settings.new_users_per_week)
        rng = generator(self.seed, Stream.USERS, week + 1)
        keys = 2 * self.settings.users + week * size + np.arange(size)
        return self._draw(rng, keys, week * 7 + rng.integers(0, 7, size), lapsed_share=0.0)

    def passers_by(self, day: int, count: int) -> Population:
        """Anonymous visitors of this one day, who never come back."""
        rng = generator(self.seed, Stream.PASSERS_BY, day)
        cohort = self._draw(rng, 2**40 + day * 2**22 + np.arange(count), np.full(count, day), 0.0)
        cohort.engagement[:] = Engagement.PASSER_BY
        cohort.known_from[:] = NEVER
        return cohort

    def _lapsed_share(self) -> float:
        enough_days = self.planned_days >= self.settings.engagement.lapsed_silence_days + MIN_LAPSED_LIFE_DAYS
        return self.settings.engagement.lapsed_share if enough_days else 0.0

    def _draw(self, rng: np.random.Generator, keys: I64, from_day: I64, lapsed_share: float) -> Population:
        n = len(keys)
        persona = rng.integers(0, len(self.tables.names), n)
        second = (persona + rng.integers(1, len(self.tables.names), n)) % len(self.tables.names)
        blend = rng.beta(*self.settings.blend, n)
        interest = self._interest(rng, persona, second, blend)
        engagement = self._engagement(rng, persona, lapsed_share)
        rate = self._visit_rate(rng, engagement)
        last_day = self.planned_days - self.settings.engagement.lapsed_silence_days - 1
        leaves = np.floor(last_day * rng.uniform(0.7, 1.0, n)).astype(np.int64)
        known_from = self._known_from(rng, from_day)
        consent = self._consents(rng, from_day)
        place = _choose(rng, np.tile([p.share for p in PLACES], (n, 1)))
        device_keys = mixed(self.seed, Stream.DEVICE_ID, keys[:, None], np.arange(DEVICE_SLOTS)[None, :])
        return Population(
            key=keys,
            persona=persona,
            second_persona=second,
            blend=blend,
            interest=interest.astype(np.float32),
            interest_cdf=np.cumsum(interest, axis=1).astype(np.float32),
            habits=self._habits(rng, persona, second, blend).astype(np.float32),
            price_level=_mix(self.tables.price_level, persona, second, blend) * np.exp(rng.normal(0, 0.15, n)),
            engagement=engagement,
            visit_rate=rate,
            phase=rng.random(n) * rate,
            from_day=from_day,
            until_day=np.where(engagement == Engagement.LAPSED, leaves, NEVER),
            daypart=_choose(rng, _mix(self.tables.dayparts, persona, second, blend)),
            place=place,
            language=_PLACE_LANGUAGE[place],
            channel=_choose(rng, _mix(self.tables.channels, persona, second, blend)),
            known_from=known_from,
            devices=self._devices(rng, persona, second, blend, known_from),
            device_keys=device_keys,
            shares_device=np.zeros(n, dtype=bool),
            consent_before=consent[0],
            consent_after=consent[1],
            consent_changes=consent[2],
        )

    def _interest(self, rng: np.random.Generator, persona: I64, second: I64, blend: F64) -> F64:
        centre = _mix(self.tables.interest, persona, second, blend)
        drawn = rng.standard_gamma(centre * self.settings.interest_concentration) + 1e-6
        return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))

    def _habits(self, rng: np.random.Generator, persona: I64, second: I64, blend: F64) -> F64:
        centre = _mix(np.log(self.tables.habits), persona, second, blend)
        return np.exp(centre + rng.normal(0.0, self.settings.habit_sigma, centre.shape))

    def _engagement(self, rng: np.random.Generator, persona: I64, lapsed_share: float) -> I64:
        relative = self.tables.frequent / self.tables.frequent.mean()
        frequent = np.minimum(self.settings.engagement.frequent_share * relative[persona], 1.0 - lapsed_share)
        draw = rng.random(len(persona))
        return np.select(
            [draw < frequent, draw < frequent + lapsed_share],
            [Engagement.FREQUENT, Engagement.LAPSED],
            Engagement.OCCASIONAL,
        )

    def _visit_rate(self, rng: np.random.Generator, engagement: I64) -> F64:
        knobs = self.settings.engagement
        n = len(engagement)
        return np.select(
            [engagement == Engagement.FREQUENT, engagement == Engagement.LAPSED],
            [rng.uniform(*knobs.frequent_visit_probability, n), rng.uniform(*knobs.lapsed_period_days, n)],
            rng.uniform(*knobs.occasional_period_days, n),
        )

    def _known_from(self, rng: np.random.Generator, from_day: I64) -> I64:
        knobs = self.settings.identity
        draw = rng.random(len(from_day))
        delay = 1 + np.floor(rng.exponential(knobs.known_after_days, len(from_day))).astype(np.int64)
        known_from = np.where(draw < knobs.known_at_once_share, from_day, np.maximum(from_day, 0) + delay)
        return np.where(draw >= 1.0 - knobs.never_known_share, NEVER, known_from)

    def _devices(self, rng: np.random.Generator, persona: I64, second: I64, blend: F64, known_from: I64) -> I64:
        """(n, 3) places in DEVICES, -1 where there is none; who is never known has one device."""
        n = len(persona)
        shares = _mix(self.tables.devices, persona, second, blend)
        types = np.stack([_choose(rng, shares) for _ in range(DEVICE_SLOTS)], axis=1)
        within = rng.random((n, DEVICE_SLOTS))
        devices = np.empty((n, DEVICE_SLOTS), dtype=np.int64)
        for type_index, name in enumerate(DEVICE_TYPES):
            kinds = np.array([i for i, device in enumerate(DEVICES) if device.type == name])
            cdf = np.cumsum([DEVICES[i].share for i in kinds])
            chosen = kinds[np.minimum(np.searchsorted(cdf, within, side="right"), len(kinds) - 1)]
            devices = np.where(types == type_index, chosen, devices)
        knobs = self.settings.identity
        extra = rng.random(n)
        is_identified = known_from < NEVER
        devices[~(is_identified & (extra < knobs.second_device_share)), 1] = -1
        devices[~(is_identified & (extra < knobs.third_device_share)), 2] = -1
        return devices

    def _consents(self, rng: np.random.Generator, from_day: I64) -> tuple[I64, I64, I64]:
        knobs = self.settings.identity
        n = len(from_day)
        before = _choose(rng, np.tile(knobs.consent_shares, (n, 1)))
        draw = rng.random(n)
        withdraws = (draw < knobs.withdrawal_share) & (before >= PERSONALIZATION)
        grants = (draw > 1.0 - knobs.late_grant_share) & (before >= PERSONALIZATION)
        changes = np.maximum(from_day, 0) + 1 + rng.integers(0, max(self.planned_days, 1), n)
        after = np.where(withdraws, 1, before)
        return np.where(grants, 1, before), after, np.where(withdraws | grants, changes, NEVER)


def _make_bots(cohort: Population, rows: I64, rng: np.random.Generator) -> None:
    """Turn some rows into bots: no persona, no identity; half of them say what they are."""
    cohort.engagement[rows] = Engagement.BOT
    cohort.persona[rows] = -1
    cohort.visit_rate[rows] = BOT_VISIT_PROBABILITY
    cohort.until_day[rows] = NEVER
    cohort.known_from[rows] = NEVER
    cohort.consent_changes[rows] = NEVER
    cohort.devices[rows] = -1
    desktop = next(i for i, device in enumerate(DEVICES) if device.type == "desktop")
    declared = next(i for i, device in enumerate(DEVICES) if device.type == "bot")
    cohort.devices[rows, 0] = np.where(rng.random(len(rows)) < 0.5, declared, desktop)
    cohort.interest[rows] = 1.0 / cohort.interest.shape[1]
    cohort.interest_cdf[rows] = np.cumsum(cohort.interest[rows], axis=1)


def _share_devices(cohort: Population, share: float, rng: np.random.Generator) -> None:
    """Let some known users use another known user's main device as their second."""
    identified = np.flatnonzero(cohort.known_from < NEVER)
    rng.shuffle(identified)
    pairs = min(round(len(identified) * share), len(identified) // 2)
    guests, hosts = identified[:pairs], identified[pairs : 2 * pairs]
    cohort.devices[guests, 1] = cohort.devices[hosts, 0]
    cohort.device_keys[guests, 1] = cohort.device_keys[hosts, 0]
    cohort.place[guests] = cohort.place[hosts]
    cohort.language[guests] = cohort.language[hosts]
    cohort.shares_device[guests] = True
    cohort.shares_device[hosts] = True


def _mix(table: F64, persona: I64, second: I64, blend: F64) -> F64:
    weight = blend.reshape(-1, *([1] * (table.ndim - 1)))
    return np.asarray((1.0 - weight) * table[persona] + weight * table[second])


def _choose(rng: np.random.Generator, shares: F64) -> I64:
    """One column a row of `shares` (n, k), drawn by its share."""
    cdf = np.cumsum(shares, axis=1)
    draw = rng.random(len(shares)) * cdf[:, -1]
    return np.asarray((cdf[:, :-1] <= draw[:, None]).sum(axis=1))


def _item_language(tag: str) -> int:
    primary = tag.split("-", maxsplit=1)[0]
    return LANGUAGES.index(primary) if primary in LANGUAGES else 0


_PLACE_LANGUAGE = np.array([_item_language(place.language) for place in PLACES])
