"""Training and the service compute the same features at the same moment."""

import datetime as dt

import numpy as np
import pyarrow as pa
from bundles import AS_OF, publish
from calls import ask, post

from ml.bundle import Bundle
from ml.decisions.activity.state_change import StateChange
from ml.decisions.items.bundle_index import BundleIndex
from ml.decisions.ranker.training import Replay, draw_openings
from ml.events.quarantine import Quarantine
from serving.recommend.context_builder import build_context
from serving.requests import RecommendationRequest

OPENED = (  # who, in which visit, what, seconds
    ("ann", "a1", "i3", 0), ("cid", "c1", "i3", 20), ("cid", "c1", "i6", 50), ("dan", "d1", "new", 60),
    ("dan", "d1", "i6", 90), ("eve", "e1", "i3", 2_000), ("eve", "e1", "new", 2_030), ("ann", "a2", "i7", 9_000),
    ("cid", "c2", "i1", 9_010), ("cid", "c2", "i6", 9_040), ("ann", "a2", "i2", 9_100),
)  # fmt: skip
SITUATION = {"country": "BR", "region": "BR-SP", "device_type": "mobile"}


def test_features_are_those_of_training(config, home):
    """Of a person whose trained vector and past say nothing: they know of more than training lets speak."""
    nothing = pa.table({"user_id": pa.array([], pa.string()), "item_id": pa.array([], pa.string())})
    path = publish(home.published, interactions=nothing, user_factors=None, item_factors=None, fold_in=None)
    began = AS_OF - dt.timedelta(hours=3)
    times = [began + dt.timedelta(seconds=seconds) for *_, seconds in OPENED]
    changes = [
        StateChange(user, "page_view", at.timestamp(), item, visit, *SITUATION.values())
        for (user, visit, item, _), at in zip(OPENED, times, strict=True)
    ]
    events = [
        {"user_id": user, "session_id": visit, "item_id": item, "occurred_at": at.isoformat(), **SITUATION}
        for (user, visit, item, _), at in zip(OPENED, times, strict=True)
    ]

    def prepared(tessera):
        user, visit, *_ = OPENED[-1]
        request = RecommendationRequest(user_id=user, session_id=visit, at=times[-1])
        return tessera.recommendation_engine.collect_candidates(build_context(tessera, request))

    served = ask(config, post(*events[:-1]), prepared)
    drawn = draw_openings(changes, len(changes), 1)
    replay = Replay(changes, BundleIndex(Bundle.load(path)), drawn, Quarantine(home))
    last = [opening.features for _, opening in replay.openings(len(changes)) if opening.example is not None][-1]
    assert len(last) == len(served.keys) > 5
    order = [np.lexsort(rows.T) for rows in (last, served.features)]  # items are numbered as they come
    np.testing.assert_array_equal(served.features[order[1]], last[order[0]])
    assert (np.ptp(last, axis=0) > 0).sum() > 15  # the candidates differ in many of them
