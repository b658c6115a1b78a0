"""Events about the visitor: who it is, what is allowed, which variant was shown, what was said about segments."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ml.arrays import I64, Bools
from ml.settings.simulator import PlantedChangeSettings
from ml.sources.simulator.experiments import NEWSLETTER_PROMPT, PlantedExperiment, is_treated
from ml.sources.simulator.population import Engagement, Population
from ml.sources.simulator.properties import PropertyTexts
from ml.sources.simulator.rows import RowCollector
from ml.sources.simulator.topics import CATEGORIES
from ml.sources.simulator.visits import Sessions

IDENTIFY_AGAIN_SHARE = 0.25
PREFERENCE_SHARE = 0.004
SEGMENT_FEEDBACK_SHARE = 0.004
AGREES_SHARE = 0.8


def add_identity(
    users: Population,
    sessions: Sessions,
    first_view: I64,
    day: int,
    rows: RowCollector,
    texts: PropertyTexts,
    rng: np.random.Generator,
) -> None:
    """Add `identify` and `signup`.

    People are identified at the first login, on other or shared devices, and now and then; new people sign up.
    """
    user = sessions.user
    first_login = sessions.is_first & (users.known_from[user] == day)
    again = rng.random(len(sessions)) < IDENTIFY_AGAIN_SHARE
    elsewhere = (sessions.slot > 0) | users.shares_device[user]
    identifies = np.flatnonzero(sessions.is_known & (first_login | elsewhere | again))
    is_new = first_login[identifies]
    rows.add(
        "identify",
        first_view[identifies],
        sessions.start_ms[identifies] + 150,
        None,
        texts.identify + is_new.astype(np.int64),
        item=-1,
    )
    new = identifies[is_new]
    rows.add("signup", first_view[new], sessions.start_ms[new] + 100, None, texts.identify + 1 + 0 * new, item=-1)


def add_consent(
    users: Population, sessions: Sessions, first_view: I64, day: int, rows: RowCollector, texts: PropertyTexts
) -> None:
    """consent_granted on the first day and when it grows, consent_withdrawn when it shrinks."""
    user = sessions.user
    first = sessions.is_first & (users.engagement[user] != Engagement.BOT)
    changes = first & (users.consent_changes[user] == day)
    grows = users.consent_after[user] > users.consent_before[user]
    granted = np.flatnonzero((first & (users.from_day[user] == day) & (sessions.consent > 0)) | (changes & grows))
    rows.add(
        "consent_granted",
        first_view[granted],
        sessions.start_ms[granted] + 50,
        None,
        texts.granted + sessions.consent[granted],
        item=-1,
    )
    withdrawn = np.flatnonzero(changes & ~grows)
    moment = sessions.start_ms[withdrawn] + 50
    rows.add("consent_withdrawn", first_view[withdrawn], moment, None, texts.withdrawn + 0 * withdrawn, item=-1)


def add_exposures(
    sessions: Sessions,
    first_view: I64,
    is_exposed: Bools,
    user_ids: pa.Array,
    planted: tuple[PlantedExperiment, ...],
    knobs: PlantedChangeSettings,
    first_text: int,
    rows: RowCollector,
    texts: PropertyTexts,
    rng: np.random.Generator,
) -> I64:
    """The exposures of the sessions in `is_exposed` (experiments, sessions), and the newsletter's subscriptions.

    `user_ids` (sessions,) are what the experiments assign.

    Returns:
        The sessions with an exposure; the text `first_text + i` is to name the user of the i-th of them.
    """
    exposed = np.flatnonzero(is_exposed.any(axis=0))
    for place, experiment in enumerate(planted):
        chosen = np.flatnonzero(is_exposed[place, exposed])
        session = exposed[chosen]
        treated = is_treated(user_ids.take(pa.array(session)), experiment.experiment_id)
        rows.add(
            "exposure",
            first_view[session],
            sessions.start_ms[session] + 200 + place,
            None,
            first_text + chosen,
            item=-1,
            exposure=2 * place + treated,
        )
        if place == NEWSLETTER_PROMPT:
            rate = knobs.newsletter_rate * np.where(treated, 1 + knobs.newsletter_lift, 1.0)
            subscribes = session[rng.random(len(session)) < rate]
            moment = sessions.start_ms[subscribes] + 4_000
            rows.add("subscribe", first_view[subscribes], moment, None, texts.subscribe + 0 * subscribes, item=-1)
    return exposed


def add_preferences(
    users: Population,
    sessions: Sessions,
    first_view: I64,
    favourite_category: I64,
    rows: RowCollector,
    texts: PropertyTexts,
    rng: np.random.Generator,
) -> None:
    """Stated preferences (mostly the favourite category) and opinions on the own segment, of known users."""
    states = np.flatnonzero(sessions.is_known & (rng.random(len(sessions)) < PREFERENCE_SHARE))
    honest = rng.random(len(states)) < 0.9
    any_category = rng.integers(0, len(CATEGORIES), len(states))
    category = np.where(honest, favourite_category[sessions.user[states]], any_category)
    rows.add(
        "preference",
        first_view[states],
        sessions.start_ms[states] + 300,
        None,
        texts.preference + category,
        item=-1,
    )
    speaks = np.flatnonzero(sessions.is_known & (rng.random(len(sessions)) < SEGMENT_FEEDBACK_SHARE))
    disagrees = (rng.random(len(speaks)) >= AGREES_SHARE).astype(np.int64)
    moment = sessions.start_ms[speaks] + 350
    rows.add("segment_feedback", first_view[speaks], moment, None, texts.segment_feedback + disagrees, item=-1)
