"""Sheets of the page Models: candidates, days of ranker and intent, promise and delivery, inputs, and trials."""

from __future__ import annotations

from math import isnan
from typing import Any

from ml.monitoring.journal import PROMOTED, ROLLED_BACK, TRIED, Journal
from serving.console.current_bundle import CurrentBundle
from serving.console.localized_texts import Numeral, say
from serving.console.page_parts import Cell, Sheet, chart_bars
from serving.start import ServiceConfig

DAYS_SHOWN = 120
INTENT_DAYS_SHOWN = 60
CHARTED_ACTIONS = 3  # most visits have as many
TRIALS_SHOWN = 50
_TRIAL = {TRIED: "begun", PROMOTED: "promoted", ROLLED_BACK: "rolled back"}


def candidates_sheet(bundle: CurrentBundle) -> Sheet:
    """Build the sheet of the models that the last comparison measured."""
    listed = bundle.tables.read("candidates").to_pylist()
    measure = _measure_name(listed[0]["measure"]) if listed else "Measure"
    rows: list[list[Cell]] = [
        [row["model"], _rounded(row["value"]), row["gain"], row["people"], _rounded(row["seconds"], 1)]
        for row in listed
    ]
    return Sheet(
        "candidates",
        "Candidates",
        ["Model", measure, "Gain over the baseline", "People", "Seconds"],
        rows,
        "Measured on later events that the models did not see. Gains with their 95% intervals over people.",
        is_half=True,
        empty="No models were compared yet; `tessera materialize` trains and compares the candidates.",
    )


def ranker_days_sheet(bundle: CurrentBundle) -> Sheet:
    """Build the sheet of the ranker's days: the NDCG that came out, and the one that was to be expected."""
    rows: list[list[Cell]] = []
    for row in bundle.tables.read("ranker_days").to_pylist()[-DAYS_SHOWN:]:
        rows.append(
            [
                str(row["date"]),
                _rounded(row["ndcg"]),
                _interval(row, "ndcg"),
                _rounded(row["expected_ndcg"]),
                _interval(row, "expected_ndcg"),
                _percent(row["hit_share"]),
                _percent(row["expected_hit_share"]),
                row["openings"],
                bundle.format_moment(row["learned_until"]),
            ]
        )
    chart = {
        "kind": "line",
        "x": [row[0] for row in rows],
        "series": [
            {"name": "NDCG@10", "values": [row[1] for row in rows]},
            {"name": say("Expected"), "values": [row[3] for row in rows]},
        ],
    }
    return Sheet(
        "ranker-days",
        "Ranking by day",
        [
            "Date", "NDCG@10", "95% interval", "Expected", "95% interval of it", "Among ten %", "Expected %",
            "Openings", "Learned until",
        ],
        rows,
        "How high the ranker placed what people opened next. Expected is what its own probabilities say before"
        " anybody opens anything. It assumes that they hold: a day below the interval says that people now choose"
        " otherwise. Days before a ranker was published calibrated it and expect nothing.",
        chart if rows else None,
        empty="No ranker was learned yet: it needs as many openings as `decisions.blend.minimum_questions` says.",
    )  # fmt: skip


def intent_days_sheets(bundle: CurrentBundle) -> list[Sheet]:
    """Build a sheet for each chance of a visit: what the model said by day, and what happened."""
    listed = bundle.tables.read("intent_days").to_pylist()
    convert, leave, come_back = (_intent_days(listed, target) for target in ("convert", "leave", "return"))
    columns = [
        "Date", "Actions so far", "Chance %", "Came true %", "Difference %, 95% interval", "Calibration error",
        "By luck alone", "Brier skill %", "Visits", "Learned until",
    ]  # fmt: skip
    note = (
        "What the intent model said of visits, on average, and the share of them for which it came true. The"
        " published model is judged by the visits since its training; days before it are those that a training"
        " held out. If the interval of the difference leaves out 0, the chances are too high or too low. The"
        " calibration error is the distance over ten groups by chance, beside the one that luck alone brings; the"
        " Brier skill says how much closer the chances come than the share of the day. The chart shows them after"
        " 3 actions."
    )
    empty = (
        "No day was judged yet: it needs a target that was learned, and 30 visits of a day with at least 3 actions"
        " of which it is clear what came of them."
    )

    def rows(days: list[dict[str, Any]]) -> list[list[Cell]]:
        return [
            [
                str(row["date"]),
                row["actions"],
                _percent(row["mean_chance"]),
                _percent(row["share"]),
                _interval(row, "difference", 100),
                _rounded(row["calibration_error"]),
                _rounded(row["calibration_error_floor"]),
                _percent(1 - row["brier"] / row["base_brier"]) if row["base_brier"] else None,
                row["visits"],
                bundle.format_moment(row["read_until"]),
            ]
            for row in days
        ]

    return [
        Sheet(
            "intent-convert", "Chance to convert: said and happened", columns, rows(convert), note,
            _chart_intent(convert), empty=empty,
        ),
        Sheet(
            "intent-leave", "Chance to leave: said and happened", columns, rows(leave), note,
            _chart_intent(leave), empty=empty,
        ),
        Sheet(
            "intent-return", "Chance to return: said and happened", columns, rows(come_back), note,
            _chart_intent(come_back), empty=empty,
        ),
    ]  # fmt: skip


def _intent_days(listed: list[dict[str, Any]], target: str) -> list[dict[str, Any]]:
    """Return the newest days of a target by number of actions, judged by later visits where there are some."""
    best = {
        (row["date"], row["actions"]): row
        for row in sorted(listed, key=lambda row: (not row["is_held_out"], row["read_until"]))
        if row["target"] == target
    }
    dates = sorted({date for date, _ in best})[-INTENT_DAYS_SHOWN:]
    return [best[key] for key in sorted(best) if key[0] in dates]


def _chart_intent(days: list[dict[str, Any]]) -> dict[str, Any] | None:
    charted = [row for row in days if row["actions"] == CHARTED_ACTIONS]
    if not charted:
        return None
    return {
        "kind": "line",
        "x": [str(row["date"]) for row in charted],
        "series": [
            {"name": say("Chance %"), "values": [_percent(row["mean_chance"]) for row in charted]},
            {"name": say("Came true %"), "values": [_percent(row["share"]) for row in charted]},
        ],
    }


def delivery_sheet(bundle: CurrentBundle) -> Sheet:
    """Build the sheet of what versions promised and delivered, the newest first."""
    rows: list[list[Cell]] = [
        [
            row["model_version"],
            row["model"] or "",
            _rounded(row["promised"]),
            _interval(row, "promised"),
            _percent(row["clicked_share"]),
            _interval(row, "clicked_share", 100),
            row["people"],
            row["answers"],
            bundle.format_moment(row["first_answer_at"]) if row["first_answer_at"] else "",
        ]
        for row in bundle.tables.read("model_delivery").to_pylist()[::-1]
    ]
    return Sheet(
        "delivery",
        "Promise and delivery",
        [
            "Version", "Model", "Promised", "95% interval", "Answers clicked %", "95% interval of it", "People",
            "Answers", "Since",
        ],
        rows,
        "What each version promised is the measure of the gate on the past; what it delivered is the share of its"
        " answers that were clicked. Versions that answered at different times met different people and items.",
        empty="No version has answered anybody yet.",
    )  # fmt: skip


def inputs_sheet(bundle: CurrentBundle) -> Sheet:
    """Build the sheet of the model's inputs in the newest week against its training, the most changed first."""
    listed = bundle.tables.read("input_drift").to_pylist()
    listed.sort(key=lambda row: (row["psi"] is None, -(row["psi"] or 0.0)))
    rows: list[list[Cell]] = [
        [
            f"{row['frame']}.{row['column_name']}",
            _rounded(row["psi"], 3),
            _rounded(row["p"], 4),
            _percent(row["missing_then"]),
            _percent(row["missing_now"]),
            _percent(row["unseen_now"]),
            row["verdict"],
        ]
        for row in listed
    ]
    return Sheet(
        "inputs",
        "Inputs against the training",
        ["Column", "PSI", "p", "Missing then %", "Missing now %", "Unseen now %", "Verdict"],
        rows,
        "The newest week of every column that the model reads against the weeks before its training. PSI, the"
        " population stability index, says how large a difference is, p how sure: an alarm needs both.",
        chart_bars(rows, {"PSI": 1}) | {"whole": False} if rows else None,
        empty="Nothing was compared yet: it begins with the run after the first publication.",
    )


def trials_sheet(config: ServiceConfig, bundle: CurrentBundle, models: dict[str, Any] | None) -> Sheet:
    """Build the sheet of the models that were tried on some people first.

    Args:
        config: Where the journal lies.
        bundle: The current bundle.
        models: What the service says of its models; None where it does not answer.
    """
    tried = (models or {}).get("canary")
    now: list[list[Cell]] = (
        [
            [
                say("now"),
                say("answers some people"),
                say(
                    "Model version {version}, bundle {bundle}",
                    version=str(tried["model_version"]),
                    bundle=tried["bundle"],
                ),
            ]
        ]
        if tried
        else []
    )
    entries = [entry for entry in Journal(config.home).entries()[::-1] if entry.what in _TRIAL][:TRIALS_SHOWN]
    rows: list[list[Cell]] = [
        [bundle.format_moment(entry.at), _TRIAL[entry.what], entry.text] for entry in entries
    ]
    return Sheet(
        "trials",
        "Models on trial",
        ["When", "What", "Why"],
        now + rows,
        "A model of another configuration answers some of the people first, until it is promoted or rolled back.",
        empty="No model was tried on some people first yet.",
    )


def _measure_name(measure: str) -> str:
    name, _, k = measure.rpartition("_at_")
    return f"{name.upper()}@{k}"


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None or isnan(value) else round(value, digits)


def _percent(share: float | None) -> float | None:
    return _rounded(None if share is None else 100 * share, 1)


def _interval(row: dict[str, Any], name: str, factor: float = 1) -> str:
    """The interval of a figure as text; empty where there is none."""
    low, high = _rounded(row[f"{name}_low"]), _rounded(row[f"{name}_high"])
    if low is None or high is None:
        return ""
    return say("{low} to {high}", low=Numeral(f"{factor * low:.3g}"), high=Numeral(f"{factor * high:.3g}"))
