"""Rankers compared without traffic of their own: do the estimates agree with the simulator's truth?

Off-policy: the simulator's site shows items by a policy whose propensities it logs; what another policy would earn
is estimated from that log and compared with the simulator run under the other policy. Interleaving: rankers that
know people's true interest more or less well draft lists, which are clicked as the simulator's people click.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from figure import Figure
from simulated_marts import site_of

from ml.arrays import F64, I64, Bools
from ml.experiments.rankers.interleaving import interleave_team_draft, measure_preference
from ml.experiments.rankers.off_policy import LoggedDecisions, doubly_robust, inverse_propensity, self_normalized
from ml.settings.simulator import BrowsingSettings
from ml.sources.simulator.browsing import ItemSampler, browse, build_item_sampler, shown_probability
from ml.sources.simulator.items import DAY_MS, hourly_weights, topic_vectors
from ml.sources.simulator.population import Engagement, Population
from ml.sources.simulator.site import Site
from ml.sources.simulator.visits import Sessions, draw_sessions, utc_offsets

DAY = 20
USERS = 10_000
USERS_A_RUN = 600
OTHER_FRONT_PAGE_SHARE = 0.4
LIKED = 4.0
LISTS, LENGTH = 500, 10


def measure(size: float) -> Iterator[Figure]:
    """Yield how often intervals hold the truth."""
    runs = max(round(500 * size), 20)
    site = site_of(USERS, 28, 7)
    yield from off_policy(site, runs)
    yield from interleaving(site, runs)


def off_policy(site: Site, runs: int) -> Iterator[Figure]:
    """The front page fills 40% of the places, not 30%: how often do people click what they really like?"""
    people = _people(site, 0)
    knobs = site.settings.browsing
    other = knobs.model_copy(update={"front_page_share": OTHER_FRONT_PAGE_SHARE})
    rewards = [_clicks(people, other, np.random.default_rng(10_000 + run)).reward for run in range(10)]
    truth, now = float(np.concatenate(rewards).mean()), []
    past = _clicks(people, knobs, np.random.default_rng(1))
    model = np.array(
        [past.reward[past.topic == topic].mean() if (past.topic == topic).any() else past.reward.mean()
         for topic in range(int(people.users.interest.shape[1]))]
    )  # fmt: skip
    held = dict.fromkeys(("IPS", "SNIPS", "DR"), 0)
    widths = dict.fromkeys(held, 0.0)
    for run in range(runs):
        seen = _clicks(people, knobs, np.random.default_rng(100 + run), other)
        now.append(float(seen.reward.mean()))
        log = LoggedDecisions(seen.reward, seen.logged, seen.target, seen.user)
        predicted = model[seen.topic]
        for found in (inverse_propensity(log), self_normalized(log), doubly_robust(log, predicted, predicted)):
            held[found.method] += found.low <= truth <= found.high
            widths[found.method] += (found.high - found.low) / runs
    yield Figure("off_policy_truth", truth, "of the clicks", "the logging policy earns", float(np.mean(now)))
    for method, count in held.items():
        yield Figure(f"off_policy_covered[{method}]", 100 * count / runs, "% of 95% intervals", "width",
                     widths[method], rows=runs)  # fmt: skip


def interleaving(site: Site, runs: int) -> Iterator[Figure]:
    """Rankers whose knowledge of people's interest is more or less noisy; the less noisy one is the better."""
    people = _people(site, 1)
    interest = people.users.interest @ topic_vectors(people.sampler.items).T
    for name, noises in (("equal", (0.05, 0.05)), ("better", (0.10, 0.03)), ("worse", (0.03, 0.10))):
        held = won = lost = 0
        for run in range(runs):
            found = _interleaved(interest, noises, site.settings.browsing, np.random.default_rng(run))
            held += found.low <= 0 <= found.high
            won += found.low > 0
            lost += found.high < 0
        yield Figure(
            f"interleaving[challenger {name}]", 100 * held / runs, "% undecided", "% won, lost in ratio",
            100 * won / runs, 100 * lost / runs, runs,
        )  # fmt: skip


@dataclass(frozen=True)
class _People:
    """Who comes on a day and what the site offers them."""

    users: Population
    interest_cdf: F64
    sessions: Sessions
    sampler: ItemSampler


@dataclass(frozen=True)
class _Clicks:
    """One entry a page that led on. reward: whether the item clicked is much liked. topic: the favourite one."""

    user: I64
    topic: I64
    reward: F64
    logged: F64
    target: F64


def _people(site: Site, seed: int) -> _People:
    users, items = site.population(DAY), site.items(DAY)
    # The marts leave bots out; a handful of them would be a tenth of all clicks here.
    users = users.take(users.engagement != Engagement.BOT)
    date, day_ms = site.date_of(DAY), site.start_ms + DAY * DAY_MS
    nobody = np.zeros(len(users.key), dtype=bool)
    sessions = draw_sessions(
        users, np.arange(len(users.key)), site.settings, np.random.default_rng(seed), site.seed, DAY, day_ms,
        utc_offsets(date), nobody,
    )  # fmt: skip
    return _People(
        users,
        users.interest_cdf,
        sessions,
        build_item_sampler(items, hourly_weights(items, site.settings, day_ms)),
    )


def _clicks(
    people: _People, knobs: BrowsingSettings, rng: np.random.Generator, target: BrowsingSettings | None = None
) -> _Clicks:
    """Let people walk; with a target policy only some of them, drawn anew, as an interval is about all of them."""
    sessions = people.sessions
    if target is not None:
        drawn = rng.permutation(len(people.users.key)) < USERS_A_RUN
        sessions = _those(sessions, drawn[sessions.user])
    alert = np.zeros(len(sessions), dtype=bool)
    pages, _ = browse(people.users, people.interest_cdf, sessions, people.sampler, knobs, alert, rng)
    where = np.flatnonzero(pages.clicked >= 0)
    user = sessions.user[pages.session[where]]
    # Nobody clicks the page they are on, so such a click would depend on what was shown before, too.
    shows_itself = (pages.shown[where] == pages.item[where][:, None]).any(axis=1)

    def chance(policy: BrowsingSettings) -> F64:
        places = shown_probability(people.interest_cdf, sessions, pages, where, people.sampler, policy)
        return np.asarray(places.prod(axis=1))

    logged = chance(knobs)
    return _Clicks(
        user=user,
        topic=people.users.interest[user].argmax(axis=1),
        reward=((pages.match[where + 1] >= LIKED) & ~shows_itself).astype(np.float64),
        logged=logged,
        target=logged if target is None else chance(target),
    )


def _best(scores: F64) -> list[int]:
    """Rows of the highest scores, best first."""
    top = np.argpartition(-scores, LENGTH)[:LENGTH]
    return top[np.argsort(-scores[top])].tolist()


def _those(sessions: Sessions, kept: Bools) -> Sessions:
    return replace(sessions, **{field.name: getattr(sessions, field.name)[kept] for field in fields(sessions)})


def _interleaved(interest: F64, noises: tuple[float, float], knobs: BrowsingSettings, rng: np.random.Generator):
    users = rng.choice(len(interest), LISTS, replace=False)
    clicks = np.zeros((LISTS, 2))
    for row, user in enumerate(users.tolist()):
        own = interest[user]
        rankings = [_best(own + noise * rng.standard_normal(len(own))) for noise in noises]
        drafted = interleave_team_draft(rankings[0], rankings[1], LENGTH, rng)
        liking = (own[list(drafted.items)] + 0.002) ** knobs.interest_exponent
        weight = liking * (1.0 + np.arange(LENGTH)) ** -knobs.position_exponent
        place = int(rng.choice(LENGTH, p=weight / weight.sum()))
        clicks[row, drafted.teams[place]] += 1
    return measure_preference(users, clicks[:, 0], clicks[:, 1])
