import json

import numpy as np
import pytest

from ml.decisions.activity.activity import Activity, ActivityLimits
from ml.decisions.activity.co_visitation import CoVisitation
from ml.decisions.activity.decayed_counts import DecayedCounts
from ml.decisions.activity.durations import DAY
from ml.decisions.activity.showings import SHOWN_ITEMS
from ml.decisions.activity.state_change import ANSWERED, StateChange
from ml.decisions.activity.windowed_counts import WindowedCounts
from ml.decisions.items.candidates import POPULAR_COUNTS, TrendingItems
from ml.decisions.rules.display_caps import count_since, fatigue_penalty, is_campaign_capped, is_quiet_hour
from ml.sequences.intent.running_visit import RunningVisit
from ml.settings import load_settings

T = 1_800_000_000.0


def opened(user, item, at, session=None):
    return StateChange(user, "page_view", at, item, session)


def test_a_window_forgets_by_the_time_of_the_events_not_by_that_of_questions():
    counts = WindowedCounts(3600)
    counts.add(1, T)
    counts.add(1, T + 10)
    counts.add(2, T + 10)
    assert counts.at(T + 3000) == {1: 2.0, 2: 1.0}
    assert counts.at(T + 8000) == {}  # a question from the future …
    assert counts.at(T + 20) == {1: 2.0, 2: 1.0}  # … takes nothing from the others
    counts.add(3, T + 3700)
    assert counts.at(T + 3700) == {3: 1.0}
    counts.add(4, T)  # too late to count
    assert counts.at(T + 3700) == {3: 1.0}


def test_decayed_counts_halve_at_each_half_life():
    counts = DecayedCounts((100.0, 1e9))
    counts.add(7, T)
    counts.add(8, T + 100)
    shares = counts.shares(np.array([7, 8, 9]), prior=0.0)
    assert shares[:, 0] == pytest.approx([1 / 3, 2 / 3, 0.0])  # 0.5 against 1
    assert shares[:, 1] == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
    counts.add(9, T + 100_000)  # a thousand half-lives: the origin has moved, nothing overflows
    assert counts.shares(np.array([7, 9]), prior=0.0)[:, 0] == pytest.approx([0.0, 1.0])


def test_what_follows_is_kept_by_weight_within_its_limit():
    follows = CoVisitation((1e9,), limit=4)
    for follower, times in ((1, 3), (2, 2), (3, 1), (4, 1), (5, 1)):
        for _ in range(times):
            follows.add(0, follower, follows.unit(T))
    keys, weights = follows.followers(0, T)
    assert dict(zip(keys.tolist(), weights[:, 0].round(6).tolist(), strict=True)) == {1: 3.0, 2: 2.0, 5: 1.0}


def test_openings_of_one_session_follow_one_another_and_repeats_count_once():
    activity = Activity()
    for number, item in enumerate(["a", "a", "b", "c"]):
        activity.observe(opened("u", item, T + number, "s"))
    keys, _ = activity.next.followers(activity.keys["a"], T + 3)
    assert [activity.items[key] for key in keys.tolist()] == ["b"]
    assert activity.day.at(T + 3)[activity.keys["a"]] == 1.0
    assert activity.visits["s"].items == [activity.keys[item] for item in "abc"]


def test_nobody_makes_an_item_popular_alone():
    activity = Activity()
    for number in range(1_000):
        activity.observe(opened("one", "mine", T + number, f"session {number}"))
    for number in range(4):
        activity.observe(opened(f"visitor {number}", "theirs", T + 1_000, f"visit {number}"))
    counts = activity.day.at(T + 1_000)
    assert counts[activity.keys["mine"]] == 3
    assert counts[activity.keys["theirs"]] == 4
    assert activity.find_visitor("one").opened == 1_000


def test_an_order_of_what_nobody_saw_opened_counts_as_its_opening():
    """A shop may know nothing but orders, whose lines then say what goes with what."""
    activity = Activity()
    for user in ("a", "b"):
        for seconds, item in enumerate(("lamp", "bulb")):
            activity.observe(StateChange(user, "purchase", T + seconds, item, None))
    lamp, bulb = activity.keys["lamp"], activity.keys["bulb"]
    assert activity.next.followers(lamp, T + 1)[0].tolist() == [bulb]
    assert activity.day.at(T + 1) == {lamp: 2.0, bulb: 2.0}
    assert activity.visitors["a"].opened == 2
    assert activity.have_company(np.array([lamp, bulb])).all()


def test_an_order_of_what_was_opened_is_no_second_opening():
    activity = Activity()
    for kind, seconds in (("page_view", 0), ("add_to_cart", 60), ("purchase", 7200), ("purchase", 9 * 86400)):
        activity.observe(StateChange("a", kind, T + seconds, "lamp", None))
    assert activity.visitors["a"].opened == 1
    assert activity.popular.share(activity.keys["lamp"], 1) > 0
    assert activity.version == 1


def test_a_rejected_item_and_a_withdrawn_consent_are_remembered():
    activity = Activity()
    activity.observe(StateChange("u", "not_interested", T, "a"))
    activity.observe(StateChange("u", "consent_withdrawn", T, detail=json.dumps(["personalization"])))
    visitor = activity.find_visitor("u")
    assert visitor.rejected == {activity.keys["a"]}
    assert visitor.consent.has_refused
    activity.observe(StateChange("u", "consent_granted", T + 1, detail=json.dumps(["personalization"])))
    assert visitor.consent.is_granted


def test_caps_count_impressions_and_served_items_only_where_a_slot_reports_none():
    activity, caps = Activity(), load_settings().decisions.caps
    served = StateChange("u", "served", T, slot="top", detail='["a"]')
    for _ in range(3):
        activity.observe(served)
    key = activity.keys["a"]
    assert count_since(activity.find_visitor("u").shown[key], T - DAY) == 3
    assert count_since(activity.find_visitor("u").shown[key], T) == 0
    assert (
        fatigue_penalty(activity.find_visitor("u"), key, T, caps) == caps.fatigue_penalty
    )  # the third one is beyond two
    activity.observe(StateChange("v", "served", T - 2 * DAY, slot="top", detail='["a"]', reacts_to="answer"))
    activity.observe(StateChange("v", "impression", T, "a", slot="top", campaign="c", reacts_to="answer"))
    activity.observe(StateChange("v", "served", T, slot="top", detail='["a"]'))
    assert len(activity.find_visitor("v").shown[key]) == 1  # the slot reports for itself now
    assert is_campaign_capped(activity.find_visitor("v"), "c", T, cap=1)


@pytest.mark.parametrize(
    "forged",
    [
        StateChange("x", "impression", T, "a", slot="top"),
        StateChange("x", "impression", T, "a", slot="top", reacts_to="invented"),
        StateChange("x", "impression", T, "a", slot="top", reacts_to="other"),
        StateChange("x", "impression", T, "a", slot="top", reacts_to="of-w"),
    ],
    ids=["without an answer", "of an unknown answer", "of an answer in another slot", "of an answer to another"],
)
def test_an_impression_that_belongs_to_no_answer_does_not_make_its_slot_report(forged):
    activity = Activity()
    activity.observe(StateChange("x", "served", T, slot="footer", detail='["a"]', reacts_to="other"))
    activity.observe(StateChange("w", "served", T, slot="top", detail='["a"]', reacts_to="of-w"))
    activity.observe(forged)
    assert activity.reporting_slots == set()
    assert activity.find_visitor("x").reporting_slots == set()
    activity.observe(StateChange("v", "served", T, slot="top", detail='["a"]', reacts_to="real"))
    assert len(activity.find_visitor("v").shown[activity.keys["a"]]) == 1
    activity.observe(StateChange("v", "impression", T, "a", slot="top", reacts_to="real"))
    assert activity.reporting_slots == {"top"}


def test_what_a_browser_reports_counts_for_its_own_answers_alone():
    activity = Activity()

    def served(person, at, answer):
        activity.observe(StateChange(person, "served", at, slot="top", detail='["a"]', reacts_to=answer))

    def times_shown(person):
        return activity.find_visitor(person).shown.get(activity.keys["a"], [])

    served("x", T, "of-x")
    report = StateChange("x", "impression", T + 1, "a", slot="top", reacts_to="of-x", authority="browser")
    activity.observe(report)
    assert times_shown("x") == [T + 1]  # once: the impression stands for what the answer counted
    served("x", T + 2, "next")
    assert times_shown("x") == [T + 1]
    served("v", T + 3, "of-v")
    assert times_shown("v") == [T + 3]
    activity.observe(StateChange("w", "served", T, slot="top", detail='["a"]', reacts_to="of-w"))
    activity.observe(StateChange("w", "impression", T, "a", slot="top", reacts_to="of-w", authority="signed"))
    served("v", T + 4, "last")
    assert times_shown("v") == [T + 3]


def test_answers_of_the_log_are_recognized_but_not_counted_again():
    activity = Activity()
    activity.observe(StateChange("v", ANSWERED, T, slot="top", reacts_to="real"))
    assert activity.find_visitor("v") is None
    activity.observe(StateChange("v", "impression", T, "a", slot="top", reacts_to="real"))
    assert activity.reporting_slots == {"top"}


def test_quiet_hours_may_span_midnight():
    profile = {"quiet_hours": {"from": 22, "to": 7}}
    assert [is_quiet_hour(profile, hour) for hour in (21.9, 22, 3, 6.9, 7)] == [False, True, True, True, False]
    assert not is_quiet_hour({}, 3)


def test_a_forgotten_person_leaves_the_memory():
    activity = Activity()
    activity.observe(opened("u", "a", T))
    activity.forget("u")
    assert activity.find_visitor("u") is None
    assert activity.visits == {}


def test_what_is_trending_is_found_from_the_last_answer_as_from_everything():
    generator = np.random.default_rng(3)
    activity, at = Activity(), 1_800_000_000.0
    followed, most = TrendingItems(activity), 0
    for batch in (1, 400, 30, 2_000, 1, 7):
        for _ in range(batch):
            at += float(generator.exponential(40.0))
            item = f"i{int(generator.zipf(1.3)) % 700}"
            activity.observe(StateChange(f"u{generator.integers(90)}", "page_view", at, item))
        keys = followed.keys().tolist()
        assert keys == TrendingItems(activity).keys().tolist()
        most = max(most, len(keys))
    assert most > max(count for _, count in POPULAR_COUNTS)


def browser_opened(user, item, at, **fields):
    return StateChange(user, "page_view", at, item, authority="browser", **fields)


def test_memory_is_bounded_in_items_that_browsers_make_up():
    activity = Activity(ActivityLimits(items_of_browsers=3))
    activity.observe(opened("ann", "of-the-site", T))
    for number in range(10):
        activity.observe(browser_opened(f"v{number}", f"junk-{number}", T + number))
        activity.observe(browser_opened(f"v{number}", "of-the-site", T + number))
    assert activity.items == ["of-the-site", "junk-0", "junk-1", "junk-2"]
    assert activity.hour.count(activity.keys["of-the-site"], T + 9) == 11
    activity.observe(opened("ann", "new-of-the-site", T + 20))
    activity.observe(browser_opened("v1", "new-of-the-site", T + 21))
    assert activity.hour.count(activity.keys["new-of-the-site"], T + 21) == 2


def test_memory_is_bounded_in_regions_and_slots_that_browsers_make_up():
    activity = Activity(ActivityLimits(scopes=5))
    for number in range(20):
        activity.observe(browser_opened(f"v{number}", "i", T + number, region=f"XX-{number}"))
    assert len(activity.scope_numbers) == 5
    for number in range(2 * SHOWN_ITEMS):
        activity.observe(StateChange("caller:x", "served", T + number, slot=f"slot-{number}", detail="[]"))
    slots = activity.find_visitor("caller:x").answered_slots
    assert len(slots) == SHOWN_ITEMS
    assert f"slot-{2 * SHOWN_ITEMS - 1}" in slots


def test_the_running_visit_is_the_one_that_training_folds():
    activity = Activity()
    for second, kind, element, value in (
        (0, "page_view", None, None),
        (8, "click", "plan", None),
        (9, "scroll", None, 40.0),
    ):
        activity.observe(StateChange("u1", kind, T + second, "a", device="mobile", element=element, value=value))
    activity.observe(StateChange("u1", "impression", T + 10, "a"))  # no action of the visitor
    running = RunningVisit()
    running.fold("page_view", T, None, "a", None, "mobile")
    running.fold("click", T + 8, "plan", "a", None, "mobile")
    running.fold("scroll", T + 9, None, "a", 40.0, "mobile")
    assert activity.find_running("u1", T + 60) == running
    assert activity.find_running("u1", T + 1810) is None
    activity.observe(StateChange("u1", "page_view", T + 4000, "a", device="mobile"))
    assert activity.find_running("u1", T + 4000).earlier_visits == 1


def test_who_signs_in_goes_on_with_the_visit_of_the_device():
    activity = Activity()
    activity.observe(StateChange("~d1", "page_view", T, "a"))
    activity.observe(StateChange("u1", "page_view", T + 5, "b", device_key="~d1"))
    assert activity.find_running("u1", T + 5).items == ["a", "b"]
    assert activity.find_running("~d1", T + 5) is None
    activity.forget("u1")
    assert activity.find_running("u1", T + 5) is None
