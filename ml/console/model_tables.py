"""The tables of the page Models: what models promised, said and read, and what came."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from ml.console.published_table import PublishedTable

_TEXT, _COUNT, _DAY = pa.string(), pa.int64(), pa.date32()

MODEL_TABLES: Mapping[str, PublishedTable] = {
    "ranker_days": PublishedTable(
        "How well the ranker ranked what people opened next; one row per date and ranker.",
        {
            "date": (_DAY, "Date of the openings in the site's time zone."),
            "learned_until": (pa.timestamp("us"), "Time until which the ranker had learned, UTC."),
            "is_held_out": (pa.bool_(), "Whether the openings are those that calibrate the ranker."),
            "openings": (_COUNT, "Openings, a sample of all."),
            "expected_ndcg": (pa.float64(), "NDCG@10 that the probabilities of the ranker let expect."),
            "expected_ndcg_low": (pa.float64(), "Lower bound of its 95% interval."),
            "expected_ndcg_high": (pa.float64(), "Upper bound."),
            "ndcg": (pa.float64(), "NDCG@10 that came out."),
            "ndcg_low": (pa.float64(), "Lower bound of its 95% interval over people."),
            "ndcg_high": (pa.float64(), "Upper bound."),
            "expected_hit_share": (pa.float64(), "Expected share of openings among the first ten places."),
            "hit_share": (pa.float64(), "The share that came out."),
        },
    ),
    "intent_days": PublishedTable(
        "What the model of intent said of visits and what came of them; one row per date, model, target and "
        "number of actions.",
        {
            "date": (_DAY, "Date of the visits' start in the site's time zone."),
            "read_until": (pa.timestamp("us"), "Time of the newest action that the training read, UTC."),
            "is_held_out": (pa.bool_(), "Whether the visits are those that the training held out."),
            "target": (_TEXT, "`convert`, `leave` or `return`."),
            "actions": (_COUNT, "Actions of a visit after which the chance was estimated."),
            "visits": (_COUNT, "Visits with as many actions."),
            "mean_chance": (pa.float64(), "Mean of the chances."),
            "share": (pa.float64(), "Share of the visits for which it came true."),
            "difference_low": (pa.float64(), "Lower bound of the 95% interval of the share less the mean chance."),
            "difference_high": (pa.float64(), "Upper bound."),
            "calibration_error": (pa.float64(), "Mean distance of chance and share over ten bins of visits."),
            "calibration_error_floor": (
                pa.float64(),
                "The distance that chances which hold show on as few visits.",
            ),
            "brier": (pa.float64(), "Mean squared distance of the chances from what came."),
            "base_brier": (pa.float64(), "The same of the share of all visits in place of the chances."),
        },
    ),
    "model_delivery": PublishedTable(
        "What models promised and delivered; one row per version that answered somebody.",
        {
            "model_version": (_TEXT, "Version, as the answers name it."),
            "model": (_TEXT, "Name of the model; empty where the registry does not have it."),
            "first_answer_at": (pa.timestamp("us"), "Time of its first answer, UTC."),
            "last_answer_at": (pa.timestamp("us"), "Time of its last answer, UTC."),
            "promised": (pa.float64(), "The measure of the gate, on the past; null where none is recorded."),
            "promised_low": (pa.float64(), "Lower bound of its 95% interval."),
            "promised_high": (pa.float64(), "Upper bound."),
            "people": (_COUNT, "People whom it answered."),
            "answers": (_COUNT, "Its answers."),
            "clicked_share": (pa.float64(), "Share of them that were clicked."),
            "clicked_share_low": (pa.float64(), "Lower bound of its 95% interval over people."),
            "clicked_share_high": (pa.float64(), "Upper bound."),
        },
    ),
    "input_drift": PublishedTable(
        "The newest week of each column that the model reads against its training; one row per column.",
        {
            "frame": (_TEXT, "What the rows of the column are."),
            "column_name": (_TEXT, "Name of the column."),
            "psi": (pa.float64(), "Population stability index; null where values are not compared."),
            "p": (pa.float64(), "p-value of the difference, false discoveries controlled."),
            "missing_then": (pa.float64(), "Share of missing values before the training."),
            "missing_now": (pa.float64(), "Share in the newest week."),
            "unseen_now": (pa.float64(), "Share of values that the training did not have."),
            "state": (_TEXT, "`quiet`, `drifted` or `lost`."),
            "verdict": (_TEXT, "In words."),
        },
    ),
    "candidates": PublishedTable(
        "The models that the last comparison measured on later events; one row per configuration.",
        {
            "model": (_TEXT, "Name of the model."),
            "configuration": (_TEXT, "Its parameters as JSON."),
            "measure": (_TEXT, "Name of the measure that decides."),
            "value": (pa.float64(), "The measure."),
            "people": (_COUNT, "People on whom it was measured."),
            "gain": (_TEXT, "Gain over the baseline with its 95% interval."),
            "seconds": (pa.float64(), "Seconds that training and ranking took."),
        },
    ),
}
