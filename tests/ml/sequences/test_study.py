"""The study of a handful of visits, figure by figure, and of sites with next to nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from ml.sequences import figures
from ml.sequences.attribution.table import PATH_ATTRIBUTION
from ml.sequences.paths.table import PATHS
from ml.sequences.study import PathStudy, study_paths
from ml.sequences.visits import SiteVisits
from ml.settings.sequences import SequenceSettings

START = dt.datetime(2026, 3, 2, 9)
SETTINGS = SequenceSettings(minimum_people=2, resamples=20)
VISITS = pa.schema(
    [
        ("session_key", pa.uint64()),
        ("user_id", pa.string()),
        ("started_at", pa.timestamp("us")),
        ("local_started_at", pa.timestamp("us")),
        ("device_type", pa.string()),
        ("channel", pa.string()),
        ("campaign", pa.string()),
        ("page_views", pa.int64()),
        ("conversions", pa.int64()),
        ("revenue", pa.float64()),
        ("segment", pa.string()),
    ]
)
VIEWS = pa.schema(
    [
        ("session_key", pa.uint64()),
        ("page_key", pa.string()),
        ("item_id", pa.string()),
        ("dwell_seconds", pa.float64()),
        ("category", pa.string()),
        ("is_product", pa.bool_()),
    ]
)


def site_of(*visits: dict[str, Any]) -> SiteVisits:
    """Visits an hour apart; `pages` are the pages that they saw before the goal."""
    rows, views = [], []
    for number, visit in enumerate(visits):
        started_at = START + dt.timedelta(hours=number)
        blank = dict.fromkeys(VISITS.names) | {
            "session_key": 2**63 + number,
            "channel": "direct",
            "conversions": 0,
        }
        pages = visit.get("pages", [])
        row = blank | {"started_at": started_at, "local_started_at": started_at, "page_views": len(pages)}
        rows.append(row | {name: value for name, value in visit.items() if name != "pages"})
        views += [
            {
                "session_key": 2**63 + number,
                "page_key": f"https://s.example/{page}",
                "dwell_seconds": 10.0 * (place + 1),
                "is_product": False,
            }
            for place, page in enumerate(pages)
        ]
    return SiteVisits.of(pa.Table.from_pylist(rows, VISITS), pa.Table.from_pylist(views, VIEWS))


def study_of(*visits: dict[str, Any]) -> PathStudy:
    return study_paths(site_of(*visits), SETTINGS, seed=0)


SHOP = (
    {"user_id": "ann", "pages": ["shoes", "cart"], "conversions": 2, "revenue": 50.0, "channel": "email"},
    {"user_id": "bob", "pages": ["shoes"], "channel": "email", "campaign": "may"},
    {"user_id": "cid", "pages": ["shoes", "cart"], "channel": "search"},
    {"user_id": "dan", "pages": ["cart"], "conversions": 1, "revenue": 20.0, "channel": "search"},
    {"user_id": "dan", "conversions": 1, "revenue": 5.0},
)


def test_a_place_has_the_visits_views_exits_and_dwell_that_one_counts():
    rows = {row["state"]: row for row in study_of(*SHOP).paths.to_pylist() if row["level"] == "page_type"}
    counted = {
        state: (row["visits"], row["people"], row["views"], row["exits"], row["dwell_seconds"])
        for state, row in rows.items()
    }
    assert counted == {
        "shoes page": (3, 3, 3, 1, pytest.approx(10.0)),
        "cart page": (3, 3, 3, 1, pytest.approx((20 + 20 + 10) / 3)),
    }
    # Two of three visits at the cart convert; who left would have done so had they stayed, as all did who stayed.
    assert rows["cart page"]["lost_conversions"] == pytest.approx(1.0, abs=0.2)
    for row in rows.values():
        assert row["conversion_chance_low"] <= row["conversion_chance"] <= row["conversion_chance_high"]


def test_conversions_are_credited_with_their_revenue():
    rows = [row for row in study_of(*SHOP).attribution.to_pylist() if row["method"] == "last"]
    credited = {
        (row["dimension"], row["touch"]): (row["conversions"], row["revenue"], row["people"]) for row in rows
    }
    assert credited == {
        ("channel", "email"): (2.0, 50.0, 2),
        ("channel", "search"): (1.0, 20.0, 2),
        # Dan's second conversion came from a server: the visit has no page view, and no channel.
        ("channel", "(none)"): (1.0, 5.0, None),
        ("campaign", "(other)"): (0.0, 0.0, 1),
        ("campaign", "(none)"): (4.0, 75.0, None),
    }


def test_a_visit_that_the_site_itself_began_is_no_touch():
    study = study_of(
        {"user_id": "ann", "pages": ["a"], "channel": "email"},
        {"user_id": "ann", "pages": ["a"], "channel": "internal", "conversions": 1},
        {"user_id": "bob", "pages": ["a"], "channel": "email"},
    )
    rows = study.attribution.to_pylist()
    assert {row["touch"] for row in rows if row["dimension"] == "channel"} == {"email"}


def test_no_row_is_about_fewer_people_than_the_least():
    alone = [{"user_id": f"u{n}", "pages": [f"p{n}", "home"], "channel": f"c{n}"} for n in range(6)]
    study = study_of(*alone, {"user_id": "u0", "pages": ["home"], "conversions": 1, "channel": "c0"})
    assert min(study.paths.column("people").to_pylist()) >= 2
    assert {person for person in study.attribution.column("people").to_pylist()} <= {6, None}


@pytest.mark.parametrize("visits", [(), ({"user_id": "ann"},), ({"user_id": "ann", "pages": ["a"]},)])
def test_a_site_with_next_to_nothing_has_tables_all_the_same(visits):
    study = study_of(*visits)
    assert (study.paths.schema, study.attribution.schema) == (PATHS, PATH_ATTRIBUTION)
    assert study.attribution.num_rows == 0


def test_a_visit_without_a_person_of_the_table_is_left_out():
    site = site_of(*SHOP)
    assert len(site.visit_rows) == 4
    assert site.views.num_rows == 6


def test_every_plot_is_drawn_of_a_small_site_and_of_one_without_conversions():
    for visits in (SHOP, [visit | {"conversions": 0} for visit in SHOP]):
        study = study_of(*visits)
        drawn = [
            figures.plot_transitions(study.levels["category"]),
            figures.plot_ways(study.levels["page_type"]),
            figures.plot_removal(study.paths, "category"),
        ]
        for figure in drawn:
            figure.canvas.draw()
            assert figure.axes[0].has_data()
        credits_of = figures.plot_credits(study.attribution, "channel")
        assert len(credits_of.axes[0].containers) == (6 if study.attribution.num_rows else 0)
        assert figures.plot_differences(study.levels, study.comparisons) is None
