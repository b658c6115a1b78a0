from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from ml.segmentation.profiles.behaviour import SegmentBehaviour
from ml.segmentation.profiles.feedback import SegmentFeedback, count_feedback
from ml.segmentation.profiles.labels import FeatureLabels, describe_visit, name_currency
from ml.segmentation.profiles.personas import write_persona
from ml.segmentation.profiles.profiles import SegmentProfile, Trait
from ml.segmentation.profiles.vocabulary import WordShare
from ml.settings.segment_words import LabelSettings

LABELS = FeatureLabels(
    {
        "category_shares:*": LabelSettings(text="views of {key}", unit="share"),
        "click_rate": LabelSettings(text="clicks", unit="per_page"),
        "mean_*": LabelSettings(text="{key}", unit="px"),
        "depth": LabelSettings(text="depth of scrolling", unit="%"),
    }
)


def test_features_have_labels_and_units() -> None:
    assert LABELS.label("category_shares:home_and_garden") == "views of home and garden"
    assert LABELS.value("category_shares:sport", 0.617) == "62%"
    assert (LABELS.label("click_rate"), LABELS.value("click_rate", 0.314)) == ("clicks per 100 pages", "31")
    assert LABELS.value("mean_scroll_depth", 1234.5) == "1,234 px"
    assert LABELS.value("depth", 66.2) == "66%"
    assert (LABELS.label("f_1"), LABELS.value("f_1", 2.0)) == ("f 1", "2")


def test_money_is_in_the_currency_of_the_site_where_one_is_named() -> None:
    labels = {
        "spent": LabelSettings(text="money spent", unit="money"),
        "x_*": LabelSettings(text="{key}", unit="px"),
    }
    assert FeatureLabels(name_currency(labels, "CHF")).value("spent", 1234.5) == "1,234 CHF"
    assert FeatureLabels(name_currency(labels, "")).value("spent", 1234.5) == "1,234"
    assert FeatureLabels(labels).value("spent", 2.5) == "2.5"
    assert FeatureLabels(name_currency(labels, "CHF")).value("x_1", 12.0) == "12 px"


def test_a_persona_states_what_the_numbers_show() -> None:
    traits = (
        Trait("category_shares:sport", 0.62, 0.05, 2.5, is_certain=True),
        Trait("mean_scroll_depth", 41.0, 66.0, -0.9, is_certain=True),
        Trait("mean_price", 41.0, 66.0, -0.8, is_certain=False),
        Trait("click_rate", 0.5, 0.49, 0.1, is_certain=True),
    )
    assert write_persona(SegmentProfile(1, "Fans", 120, 0.15, traits, (), ()), LABELS) == (
        "120 people, 15% of all. More than others: views of sport 62% (others 5%). "
        "Less than others: mean scroll depth 41 px (others 66 px)."
    )


def test_a_persona_mentions_interests_visits_and_losses() -> None:
    behaviour = SegmentBehaviour(
        sessions=1000,
        funnel={"view": 1000, "cart": 100, "checkout": 40, "purchase": 30},
        mixes={"daypart": {"evening": 0.7}, "device_type": {"mobile": 0.9}},
        median_pages=4.0,
        median_minutes=2.25,
        weekly_users=(200, 200, 240, 240),
        typical=(),
    )
    interests = tuple(WordShare("tag_affinities", word, 0.5, 0.1) for word in ("running", "trail_shoes"))
    profile = SegmentProfile(1, "Fans", 120, 0.15, (), (), (), interests=interests, behaviour=behaviour)
    assert write_persona(profile, LABELS) == (
        "120 people, 15% of all; 20% more of them visit each week than before. "
        "They do not differ clearly from the others in any feature. "
        "They are interested in running and trail shoes more than others. "
        "Of their visits, 70% are in the evening and 90% are on a phone. "
        "A typical visit has 4 pages in 2.2 minutes. "
        "3.0% of visits end in a purchase; 60% of carts are abandoned before checkout."
    )


@pytest.mark.parametrize(
    ("pages", "minutes", "text"),
    [
        (1.0, 0.0, "1 page"),  # one event has no length
        (1.0, None, "1 page"),
        (2.0, 1 / 60, "2 pages in 1 second"),
        (3.0, 0.5, "3 pages in 30 seconds"),
        (4.0, 2.25, "4 pages in 2.2 minutes"),
    ],
)
def test_a_visit_without_a_measured_length_names_none(pages: float, minutes: float | None, text: str) -> None:
    assert describe_visit(pages, minutes) == text


def behaviour(**changes: object) -> SegmentBehaviour:
    parts = {
        "sessions": 100, "funnel": {}, "mixes": {}, "median_pages": None, "median_minutes": None,
        "weekly_users": (), "typical": (),
    }  # fmt: skip
    return SegmentBehaviour(**{**parts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weeks", "trend"),
    [
        ((10, 10, 12, 12), None),  # 20 and 24 people: a difference of chance
        ((200, 200, 240, 240), 0.2),  # 400 and 480, two standard errors of 30 apart
        ((200, 200, 205, 205), 0.0),
        ((50, 10, 10), None),  # too few weeks
    ],
)
def test_a_trend_is_stated_only_if_it_is_more_than_chance(weeks: tuple[int, ...], trend: float | None) -> None:
    assert behaviour(weekly_users=weeks).trend == (None if trend is None else pytest.approx(trend))


def test_a_habit_is_what_most_visits_have_and_no_trait_has_said() -> None:
    mixes = {"daypart": {"evening": 0.24, "noon": 0.22}, "device_type": {"desktop": 0.86}}
    profile = SegmentProfile(1, "Some", 120, 0.15, (), (), (), behaviour=behaviour(mixes=mixes))
    assert "Of their visits, 86% are on a desktop." in write_persona(profile, LABELS)
    assert "evening" not in write_persona(profile, LABELS)
    traits = (Trait("device_shares:desktop", 0.9, 0.5, 1.0, is_certain=True),)
    said = write_persona(replace(profile, traits=traits), LABELS)
    assert "desktop 0.9 (others 0.5)" in said
    assert "86%" not in said


def test_a_site_without_checkouts_does_not_lose_carts_before_them() -> None:
    sold = behaviour(funnel={"view": 100, "cart": 40, "checkout": 10, "purchase": 10})
    persona = write_persona(SegmentProfile(1, "Fans", 120, 1.0, (), (), (), behaviour=sold), LABELS)
    assert persona == "120 people, 100% of all. 10.0% of visits end in a purchase; 75% of carts are abandoned."


def test_everybody_is_not_compared_with_others() -> None:
    interests = (WordShare("category_affinities", "sport", 0.5, 0.0),)
    whole = SegmentProfile(1, "Everyone", 120, 1.0, (Trait("f", 1.0, 1.0, 0.0),), (), (), interests=interests)
    assert write_persona(whole, LABELS) == "120 people, 100% of all. They are interested in sport most."


def test_the_latest_statement_of_a_user_about_a_segment_counts() -> None:
    assignments = pa.table({"user_id": ["a", "b"], "segment": [1, 2], "name": ["Readers", "Buyers"]})
    feedback = pa.table(
        {
            "user_id": ["a", "b", "a", "c", "b", "d"],
            "segment": ["1", "Readers", None, "no segment", "2", None],
            "agrees": [True, True, False, True, None, True],
        }
    )
    assert count_feedback(feedback, assignments) == {1: SegmentFeedback(agree=1, disagree=1)}


def test_a_statement_without_a_segment_is_not_about_a_segment_that_the_user_came_to_later() -> None:
    assignments = pa.table({"user_id": ["a", "b"], "segment": [1, 2], "name": ["Readers", "Buyers"]})
    before = pa.table({"user_id": ["a", "b"], "segment": [2, 2], "name": ["Buyers", "Buyers"]})
    feedback = pa.table({"user_id": ["a", "b"], "segment": pa.nulls(2, pa.string()), "agrees": [False, True]})
    assert count_feedback(feedback, assignments, before) == {2: SegmentFeedback(agree=1)}
    assert count_feedback(feedback, assignments, before.slice(0, 0)) == {}
