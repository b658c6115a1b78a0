"""Sessions become pages: what a page shows, which of it is clicked, and how long each page is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.arrays import F32, F64, I64, Bools
from ml.errors import InvalidInputError
from ml.settings.simulator import BrowsingSettings
from ml.sources.simulator.hidden_traits import tire
from ml.sources.simulator.items import MAIN_TOPIC_WEIGHT, Items
from ml.sources.simulator.personas import HABITS
from ml.sources.simulator.population import Engagement, Population
from ml.sources.simulator.topics import TOPICS
from ml.sources.simulator.visits import Sessions

MAX_PAGES = 50
BOT_PAGES = (55, 80)
BOT_DWELL_SECONDS = (0.3, 0.8)
HOME_DWELL_MS = 7_000
HOME_ENTRY = np.array([0.6, 0.08, 0.08, 0.25, 0.1, 0.15])
DWELL = HABITS.index("dwell")


@dataclass
class ItemSampler:
    """Draw items of a topic by their weights in every hour of a day.

    items: those that are out by the end of the day. order (n,): items sorted by topic. cdf (24 × n,): for
    every hour and topic the running share of its items, raised by `hour × topics + topic`, so that one sorted
    array serves all draws. front_cdf (24, topics): running share of the topics on the front page. place_of
    (n,): the place of each item in `order`.
    """

    items: Items
    order: I64
    place_of: I64
    cdf: F64
    front_cdf: F64

    def probability(self, hour: I64, item: I64) -> F64:
        """Chance that a draw from the hour and the item's own topic gives the item."""
        place = hour * len(self.order) + self.place_of[item]
        return np.asarray(self.cdf[place] - np.where(place > 0, self.cdf[place - 1], 0.0))

    def front_probability(self, hour: I64, topic: I64) -> F64:
        """Chance that the front page shows a topic in an hour."""
        before = np.where(topic > 0, self.front_cdf[hour, topic - 1], 0.0)
        return np.asarray(self.front_cdf[hour, topic] - before)

    def draw(self, hour: I64, topic: I64, draw: F64) -> I64:
        """One item (its row in `items`) for every hour, topic and uniform draw, all of one shape."""
        cell = hour * len(TOPICS) + topic
        place = np.searchsorted(self.cdf, cell + draw, side="right")
        return np.asarray(self.order[place % len(self.order)])


def build_item_sampler(items: Items, weights: F64) -> ItemSampler:
    """Build a sampler from the (24, n) weights of the items in every hour of a day.

    Raises:
        ValueError: a topic has no item that is out.
    """
    order = np.argsort(items.topic, kind="stable")
    sorted_topic = items.topic[order]
    starts = np.searchsorted(sorted_topic, np.arange(len(TOPICS)))
    stocked = np.isin(np.arange(len(TOPICS)), items.topic[(weights > 0).all(axis=0)])
    if not stocked.all():
        empty = ", ".join(TOPICS[place].name for place in np.flatnonzero(~stocked))
        raise InvalidInputError(
            f"every topic needs an item that is out all day; none in {empty}: raise simulator.items"
        )
    totals = np.add.reduceat(weights[:, order], starts, axis=1)
    running = np.cumsum(weights[:, order], axis=1)
    before = np.concatenate([np.zeros((24, 1)), np.cumsum(totals, axis=1)[:, :-1]], axis=1)
    within = (running - before[:, sorted_topic]) / totals[:, sorted_topic]
    cell = np.arange(24)[:, None] * len(TOPICS) + sorted_topic[None, :]
    cdf = cell + np.clip(within, 0.0, 1.0)
    # the last item of a topic closes its cell exactly, whatever the rounding of the sums
    ends = np.append(starts[1:], len(order)) - 1
    cdf[:, ends] = cell[:, ends] + 1.0
    front = np.cumsum(totals / totals.sum(axis=1, keepdims=True), axis=1)
    return ItemSampler(items, order, np.argsort(order), np.maximum.accumulate(cdf.ravel()), front)


@dataclass
class Pages:
    """Item pages of some sessions, in order of session and time.

    session (p,): row of the sessions. item (p,): row of the items. start_ms, dwell_ms (p,). number (p,): 0,
    1, … in the session. is_last (p,). match (p,): interest of the user in the item, 1 is average. shown (p,
    k): items that the page shows, best place first. clicked (p,): which of them leads to the next page, -1 on
    the last page. from_front (p, k): whether each place was filled from the front page. focus (sessions,): the
    topic that each session keeps to.
    """

    session: I64
    item: I64
    start_ms: I64
    dwell_ms: I64
    number: I64
    is_last: Bools
    match: F32
    shown: I64
    clicked: I64
    from_front: Bools
    focus: I64

    def __len__(self) -> int:
        return len(self.session)


def browse(
    users: Population,
    interest_cdf: F32,
    sessions: Sessions,
    sampler: ItemSampler,
    knobs: BrowsingSettings,
    is_tired: Bools,
    rng: np.random.Generator,
) -> tuple[Pages, Bools]:
    """Walk all sessions at once.

    `interest_cdf` (users, topics) is what the users like on this day. A session of n pages draws n + 1 sets
    of shown items: one that leads to its first page, and one on every page. The click among a set follows
    interest × position; appeal and recency decide what is shown. Sessions that are tired, (sessions,), read the
    pages before their end ever shorter.

    Returns:
        The item pages, and (sessions,) whether a session begins on the home page, before its first item page.
    """
    n_sessions = len(sessions)
    is_bot = users.engagement[sessions.user] == Engagement.BOT
    counts = _page_counts(n_sessions, is_bot, knobs, rng)
    total = int(counts.sum())
    session = np.repeat(np.arange(n_sessions), counts)
    first = np.cumsum(counts) - counts
    number = np.arange(total) - first[session]
    set_session = np.repeat(np.arange(n_sessions), counts + 1)
    shown, from_front, focus = _shown(users, interest_cdf, sessions, set_session, sampler, knobs, rng)
    chosen = _choice(users, interest_cdf, sessions, set_session, shown, sampler.items, knobs, rng)
    leading = np.arange(total) + session
    item = shown[leading, chosen[leading]]
    # a page does not link to itself: one of the other shown items is clicked instead, where there is another
    for _ in range(knobs.shown_items - 1):
        repeats = np.flatnonzero((number > 0) & (item == np.roll(item, 1)))
        chosen[leading[repeats]] = (chosen[leading[repeats]] + 1) % knobs.shown_items
        item[repeats] = shown[leading[repeats], chosen[leading[repeats]]]
    is_last = number == counts[session] - 1
    user = sessions.user[session]
    match = _interest_in(interest_cdf, user, sampler.items, item) * len(TOPICS)
    dwell = _dwell(users, user, sampler.items, item, match, is_bot[session], knobs, rng)
    tires = is_tired & (counts > 2) & ~is_bot
    dwell = tire(dwell, counts[session] - 1 - number, tires[session], knobs.fatigue_factor)
    starts_at_home = (rng.random(n_sessions) < HOME_ENTRY[sessions.channel]) & ~is_bot
    pause = np.where(is_bot[session], 300, rng.integers(400, 2500, total))
    elapsed = np.cumsum(dwell + pause)
    before = elapsed - dwell - pause
    start = sessions.start_ms[session] + before - before[first][session] + starts_at_home[session] * HOME_DWELL_MS
    return (
        Pages(
            session=session,
            item=item,
            start_ms=start,
            dwell_ms=dwell,
            number=number,
            is_last=is_last,
            match=match,
            shown=shown[leading + 1],
            clicked=np.where(is_last, -1, chosen[leading + 1]),
            from_front=from_front[leading + 1],
            focus=focus,
        ),
        starts_at_home,
    )


def _page_counts(n: int, is_bot: Bools, knobs: BrowsingSettings, rng: np.random.Generator) -> I64:
    """Pages a session: 1 for a bounce, else 1 + geometric with a chance to stop that differs between sessions."""
    stop = rng.beta(knobs.stop_alpha, knobs.stop_beta, n)
    counts = 1 + rng.geometric(np.maximum(stop, 0.01))
    counts = np.where(rng.random(n) < knobs.bounce_share, 1, counts)
    counts = np.where(is_bot, rng.integers(*BOT_PAGES, n), np.minimum(counts, MAX_PAGES))
    return counts


def _shown(
    users: Population,
    interest_cdf: F32,
    sessions: Sessions,
    set_session: I64,
    sampler: ItemSampler,
    knobs: BrowsingSettings,
    rng: np.random.Generator,
) -> tuple[I64, Bools, I64]:
    """(sets, k) items that each set shows, whether each is from the front page, and (sessions,) their topic.

    A place is filled from the front page, from the session's topic, or from the user's sections.
    """
    shape = (len(set_session), knobs.shown_items)
    user_cdf = interest_cdf[sessions.user]
    focus = _draw_topic(user_cdf, rng.random((len(sessions), 1)))[:, 0]
    topic = _draw_topic(user_cdf[set_session], rng.random(shape))
    topic = np.where(rng.random(shape) < knobs.focus_share, focus[set_session][:, None], topic)
    hour = np.broadcast_to(sessions.hour[set_session][:, None], shape)
    front = rng.random(shape) < knobs.front_page_share
    rows, _ = np.nonzero(front)
    topic[front] = _draw_topic(sampler.front_cdf[hour[rows, 0]], rng.random((len(rows), 1)))[:, 0]
    return sampler.draw(hour, topic, rng.random(shape)), front, focus


def shown_probability(
    interest_cdf: F32, sessions: Sessions, pages: Pages, where: I64, sampler: ItemSampler, knobs: BrowsingSettings
) -> F64:
    """(where, k) chance that the site's policy put each shown item into its place: the propensity."""
    shown = pages.shown[where]
    session = pages.session[where]
    topic = sampler.items.topic[shown]
    hour = np.broadcast_to(sessions.hour[session][:, None], shown.shape)
    user_share = _share_of(interest_cdf, sessions.user[session][:, None], topic)
    section = knobs.focus_share * (topic == pages.focus[session][:, None]) + (1 - knobs.focus_share) * user_share
    front = sampler.front_probability(hour, topic)
    topic_chance = knobs.front_page_share * front + (1 - knobs.front_page_share) * section
    return np.asarray(topic_chance * sampler.probability(hour, shown))


def _draw_topic(cdf: F32 | F64, draw: F64) -> I64:
    """(n, k) topics for (n, topics) running shares and (n, k) uniform draws."""
    below = np.zeros(draw.shape, dtype=np.int64)
    for column in range(cdf.shape[1] - 1):
        below += draw >= cdf[:, column : column + 1]
    return below


def _choice(
    users: Population,
    interest_cdf: F32,
    sessions: Sessions,
    set_session: I64,
    shown: I64,
    items: Items,
    knobs: BrowsingSettings,
    rng: np.random.Generator,
) -> I64:
    """(sets,) which of the shown items is clicked."""
    user = sessions.user[set_session][:, None]
    interest = _interest_in(interest_cdf, user, items, shown)
    position = (1.0 + np.arange(shown.shape[1])) ** -knobs.position_exponent
    foreign = items.language[shown] != users.language[user]
    weight = (interest + 0.002) ** knobs.interest_exponent * position
    weight = np.where(foreign, weight * knobs.foreign_language_factor, weight)
    running = np.cumsum(weight, axis=1)
    return np.asarray((running[:, :-1] <= rng.random((len(shown), 1)) * running[:, -1:]).sum(axis=1))


def _interest_in(interest_cdf: F32, user: I64, items: Items, item: I64) -> F32:
    """Interest of the user in the item's topic vector; `user` and `item` broadcast."""
    main = _share_of(interest_cdf, user, items.topic[item])
    second = _share_of(interest_cdf, user, items.second_topic[item])
    return np.maximum(MAIN_TOPIC_WEIGHT * main + (1 - MAIN_TOPIC_WEIGHT) * second, 0.0)


def _share_of(interest_cdf: F32, user: I64, topic: I64) -> F32:
    flat = interest_cdf.ravel()
    place = user * interest_cdf.shape[1] + topic
    return np.asarray(flat[place] - np.where(topic > 0, flat[place - 1], 0.0))


def _dwell(
    users: Population,
    user: I64,
    items: Items,
    item: I64,
    match: F32,
    is_bot: Bools,
    knobs: BrowsingSettings,
    rng: np.random.Generator,
) -> I64:
    """(p,) ms on each page: longer for long texts, patient users and what they like; at most 20 minutes."""
    length = np.sqrt(items.minutes[item] / 3.0)
    liking = 0.7 + 0.6 * np.minimum(match / 4.0, 1.0)
    median = knobs.dwell_median_seconds * length * liking * users.habits[user, DWELL]
    seconds = np.clip(median * np.exp(rng.normal(0.0, knobs.dwell_sigma, len(item))), 1.5, 1200.0)
    return np.asarray(
        (np.where(is_bot, rng.uniform(*BOT_DWELL_SECONDS, len(item)), seconds) * 1000).astype(np.int64)
    )
