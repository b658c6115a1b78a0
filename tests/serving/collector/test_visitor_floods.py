import datetime as dt

from ml.settings import load_settings
from serving.access import Keys
from serving.collector.visitor_floods import VisitorFloods
from tests.serving.collector.collecting import Site

NOON = dt.datetime(2026, 3, 2, 12, 10, tzinfo=dt.UTC)
BROWSER = {"Authorization": "Bearer public"}
ALL = ["analytics", "personalization"]


def test_only_visitors_beyond_the_limit_are_suspected_until_the_next_hour():
    floods = VisitorFloods(2)
    answers = [floods.is_flood("k", "10.0.0.0/24", visitor, NOON) for visitor in ("a", "b", "a", "c", "b", "d")]
    assert answers == [False, False, False, True, False, True]
    assert not floods.is_flood("k", "10.0.1.0/24", "c", NOON)
    assert not floods.is_flood("other", "10.0.0.0/24", "c", NOON)
    assert not floods.is_flood("k", "10.0.0.0/24", "c", NOON + dt.timedelta(hours=1))


def test_without_a_limit_nobody_is_suspected():
    floods = VisitorFloods(0)
    assert not any(floods.is_flood("k", "n", str(visitor), NOON) for visitor in range(5))


def test_the_events_of_a_flood_are_kept_and_marked(tmp_path):
    settings = load_settings()
    collector = settings.collector.model_copy(update={"browser_visitors_per_hour": 2})
    settings = settings.model_copy(update={"collector": collector})
    site = Site(tmp_path / "home", settings=settings, keys=Keys(browser=frozenset({"public"})))
    views = [
        {"event_type": "page_view", "anonymous_id": visitor, "item_id": "i1", "consent": ALL} for visitor in "abca"
    ]
    assert site.send("/v1/events", {"events": views}, headers=BROWSER).json() == {"accepted": 4, "rejected": []}
    marked = {(event["anonymous_id"], "suspected" in event.get("properties", {})) for event in site.events()}
    assert marked == {("a", False), ("b", False), ("c", True)}
