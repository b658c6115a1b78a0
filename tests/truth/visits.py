"""Visits cut by hand: a person on a device, until half an hour of silence or another campaign."""

from __future__ import annotations

import pandas as pd

SILENCE = pd.Timedelta(minutes=30)


def cut_visits(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events with `visit`, the number of the visit, and `started_at`, the time of its first event."""
    ordered = events.sort_values(["person", "anonymous_id", "at", "event_id"], ignore_index=True)
    same = (ordered["person"] == ordered["person"].shift()) & (
        ordered["anonymous_id"].fillna("") == ordered["anonymous_id"].shift().fillna("")
    )
    begins = ~same | (ordered["at"] - ordered["at"].shift() > SILENCE)
    ordered["visit"] = begins.cumsum()
    ordered["started_at"] = ordered.groupby("visit")["at"].transform("min")
    return ordered
