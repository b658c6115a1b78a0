"""A small bundle with the tables of the console, whose figures are known: two days, three people, two pages."""

import dataclasses
import datetime as dt
from itertools import combinations

import pyarrow as pa

from ml.console.tables import (
    CONSOLE_TABLES,
    LEFT,
    NO_PAGE,
    OTHER,
    START,
    VARYING,
    write_console_table,
)
from ml.settings import load_site_settings
from tests.serving.bundles import publish

FIRST, LAST = dt.date(2026, 5, 30), dt.date(2026, 5, 31)
SCRIPT = '<script>document.title = "taken"</script>'
BY = {"segment": SCRIPT, "device": "mobile", "country": "DE", "channel": "=search"}


def publish_with_console(home, folder, parts=None, **changes):
    """Publish the bundle; `changes` replaces the rows of tables by name, and `parts` what else is published."""
    folder.mkdir()
    for name, rows in (console_rows() | changes).items():
        write_console_table(folder, name, pa.Table.from_pylist(rows, schema=CONSOLE_TABLES[name].schema))
    details = {"promotion": promotion(), "metrics": {"ndcg_at_10": 0.25, "worst": float("nan")}}
    return publish(home.published, files={"console": folder}, details=details, **(parts or {}))


def publish_site(home, folder, config, settings):
    """Publish the bundle for a site with a folder of its own, and return the configuration of its service."""
    site = folder / "site"
    site.mkdir()
    (site / "settings.yaml").write_text(settings)
    home = dataclasses.replace(home, site=site)
    publish_with_console(home, folder / "tables")
    return dataclasses.replace(config, home=home, settings=load_site_settings(home).settings)


def promotion():
    return {
        "kind": "improvement",
        "reasons": [SCRIPT],
        "previous": "2",
        "promoted_at": "2026-05-01T22:30:00+00:00",
    }


def console_rows():
    """Three visits of three people on the last day, one on the day before."""

    def visits(date, count, people):
        return {
            "date": date, **BY, "visits": count, "page_views": 2 * count, "bounces": 1, "conversions": 1,
            "purchases": 1, "revenue": 9.5, "measured_visits": count, "engaged_milliseconds": 30_000 * count,
            "visits_people": people, "visits_visits": count, "conversions_visits": 1,
            "conversions_conversions": 1, "bounces_visits": 1, "bounces_bounces": 1,
        }  # fmt: skip

    def moves(step, page, next_page, count):
        return {
            "date": LAST, "step": step, "page": page, "next_page": next_page, **BY, "moves": count, "bounces": 0,
            "dwells": 0, "dwell_milliseconds": 0,
        }  # fmt: skip

    return {
        "about": [
            {
                "timezone": "Europe/Berlin", "currency": "EUR", "first_date": FIRST, "last_date": LAST,
                "last_event_at": dt.datetime(2026, 5, 31, 21, 30), "fewest_people": 20,
            }
        ],
        "visits": [visits(FIRST, 1, 1), visits(LAST, 3, 3)],
        "campaigns": [
            {"campaign": campaign, "source": source} | visits(LAST, 1, 1)
            for campaign, source in ((SCRIPT, "mail"), ("", "mail"), ("", ""))
        ],
        "visitors": [
            {
                "counted_by": ",".join(counted_by), "date": date, "previous_date": previous, "segment": SCRIPT,
                **{name: BY[name] if name in counted_by else "" for name in VARYING},
                "visitors": people,
            }
            for size in range(len(VARYING) + 1)
            for counted_by in combinations(VARYING, size)
            for date, previous, people in ((FIRST, None, 1), (LAST, None, 2), (LAST, FIRST, 1))
        ],
        "dayparts": [{"date": LAST, "weekday": 7, "hour": 9, **BY, "visits": 3, "conversions": 1}],
        "moves": [
            moves(0, START, 1, 2), moves(0, START, OTHER, 1), moves(1, 1, 2, 2), moves(1, OTHER, LEFT, 1),
            moves(2, 2, LEFT, 2),
        ],
        "pages": [
            {"page": 1, "page_key": "/start", "title": SCRIPT}, {"page": 2, "page_key": "=1+1", "title": ""},
        ],
        "page_actions": [
            {"date": LAST, "page": page, "action": action, **BY, "times": times, "visits": 1}
            for page, action, times in (
                (1, "click", 9), (1, "dead_click", 2), (1, "rage_click", 1), (OTHER, "dead_click", 1),
                (2, "scroll", 4), (NO_PAGE, SCRIPT, 5),
            )
        ],
        "items": [
            {
                "date": LAST, "item_id": "i1", "title": SCRIPT, **BY, "views": 4, "dwells": 2,
                "dwell_milliseconds": 5_000, "scrolled_views": 2, "scrolled_percent": 150.0, "add_to_carts": 1,
                "purchases": 1,
            }
        ],
        "signals": [
            {
                "signal": "click:zoom", "then_signal": then, "comparison": comparison, "segment": segment,
                "visits": 40, "people": 30, "converted_with": 0.2, "raw_lift": 0.6, "lift": 0.5, "lift_low": 0.1,
                "lift_high": 0.9, "is_discovery": is_discovery,
            }
            for comparison, then, segment, is_discovery in (
                ("happened", "", "all", True), ("followed", "hover:reviews", SCRIPT, True),
                ("dose", "", "all", False),
            )
        ],
        "funnels": [
            {"funnel": "purchase", "step_number": number, "step": step, "date": LAST, **BY, "entered": count}
            for number, step, count in ((1, "page_view", 3), (2, "purchase", 1))
        ],
        "funnel_steps": [
            {"funnel": funnel, "place": place, "step": step, "is_sent": number is not None, "step_number": number}
            for funnel, place, step, number in (
                ("form", 1, "form_start", None), ("form", 2, "form_submit", None), ("purchase", 1, "page_view", 1),
                ("purchase", 2, "checkout", None), ("purchase", 3, "purchase", 2),
            )
        ],
        "visit_steps": [
            {
                "person": person, "visit": visit, "date": LAST, "at_microseconds": 1_000_000 * second,
                "event_type": kind, "page": page, "element": element,
            }
            for person, visit, second, kind, page, element in (
                (1, 1, 0, "page_view", "/start", ""), (1, 1, 5, "click", "/start", SCRIPT),
                (1, 1, 9, "purchase", "/start", ""), (2, 2, 0, "page_view", "/start", ""),
                (2, 3, 7_200, "purchase", "", ""), (3, 4, 0, "page_view", SCRIPT, ""),
            )
        ],
        "retention": [
            {"cohort_week": dt.date(2026, 5, 25), "week_number": 0, "segment": SCRIPT, "active_people": 3}
        ],
        "experiment_baselines": [
            {
                "metric": "conversion",
                "definition": '{"kind":"proportion","measure":"purchases","window_days":14}',
                "fault": "", "mean": 0.1, "variance": 0.09, "explained": 0.0, "people": 4_000, "window_days": 14,
                "starts_on": dt.date(2026, 4, 6), "arrivals": [400] * 56,
            },
            {
                "metric": "clicks_per_user",
                "definition": '{"kind":"mean","measure":"clicks","window_days":7}', "fault": "", "mean": 10.0,
                "variance": 25.0, "explained": 0.5, "people": 4_000, "window_days": 7,
                "starts_on": dt.date(2026, 4, 6), "arrivals": [300] * 42 + [200] * 14,
            },
            {
                "metric": SCRIPT, "definition": '{"kind":"mean","measure":"likes"}',
                "fault": "the metric never varied",
            },
        ],
        "ranker_days": [
            {
                "date": date, "learned_until": dt.datetime(2026, 5, 29, 22, 30), "is_held_out": expected is None,
                "openings": 40, "expected_ndcg": expected, "expected_ndcg_low": expected and 0.2,
                "expected_ndcg_high": expected and 0.4, "ndcg": 0.25, "ndcg_low": 0.15, "ndcg_high": 0.35,
                "expected_hit_share": expected, "hit_share": 0.5,
            }
            for date, expected in ((FIRST, None), (LAST, 0.3))
        ],
        "intent_days": [
            {
                "date": date, "read_until": dt.datetime(2026, 5, 29, 22, 30), "is_held_out": date == FIRST,
                "target": target, "actions": actions, "visits": 40, "mean_chance": chance, "share": 0.25,
                "difference_low": 0.15 - chance, "difference_high": 0.35 - chance, "calibration_error": 0.05,
                "calibration_error_floor": 0.04, "brier": 0.15, "base_brier": base_brier,
            }
            for target, chance, base_brier in (("convert", 0.2, 0.0), ("leave", 0.4, 0.1875))
            for date in (FIRST, LAST)
            for actions in (3, 5, 10)
        ],
        "model_delivery": [
            {
                "model_version": SCRIPT, "model": "ease", "first_answer_at": dt.datetime(2026, 5, 30, 8),
                "last_answer_at": dt.datetime(2026, 5, 31, 8), "promised": promised, "promised_low": promised,
                "promised_high": promised, "people": 3, "answers": 4, "clicked_share": 0.25,
                "clicked_share_low": 0.1, "clicked_share_high": 0.4,
            }
            for promised in (None, 0.2)
        ],
        "input_drift": [
            {
                "frame": "users", "column_name": name, "psi": psi, "p": 0.01, "missing_then": 0.0,
                "missing_now": 0.5, "unseen_now": 0.0, "state": "quiet", "verdict": SCRIPT,
            }
            for name, psi in (("country", 0.1), ("device_type", 0.3), ("user_id", None))
        ],
        "candidates": [
            {
                "model": model, "configuration": SCRIPT, "measure": "ndcg_at_10", "value": value, "people": 9,
                "gain": SCRIPT, "seconds": 1.25,
            }
            for model, value in (("ease", 0.25), ("popularity", 0.1))
        ],
        "segments": [
            {"segment": SCRIPT, "persona": SCRIPT, "people": 3, "share": 1.0, "shares_before": [0.5]}
        ],
    }  # fmt: skip
