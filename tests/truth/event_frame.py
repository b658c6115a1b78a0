"""The events of a home as a data frame, and who of its people ever consented to personalization."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq

from ml.events.log import EventLog
from ml.home import Home


def read_event_frame(home: Home) -> pd.DataFrame:
    """Return every event once, in the order of time.

    `person` is the user, or the device on which no user was seen. `is_doubtful` marks events of devices of several
    users: a visit without a login on such a device belongs to nobody for sure.
    """
    log = EventLog(home)
    frames = [pq.read_table(log.path(part)).to_pandas() for part in log.parts() if part.rows]
    frame = pd.concat(frames).sort_values(["received_at", "event_id"]).drop_duplicates("event_id")
    frame["at"] = pd.to_datetime(frame["occurred_at"]).dt.tz_convert(None)
    users = (
        frame.dropna(subset=["anonymous_id", "user_id"])
        .groupby("anonymous_id")["user_id"]
        .agg(["nunique", "first"])
    )
    owner = frame["anonymous_id"].map(users.loc[users["nunique"] == 1, "first"])
    frame["person"] = frame["user_id"].fillna(owner).fillna(frame["anonymous_id"])
    shared = set(users.index[users["nunique"] > 1])
    frame["is_doubtful"] = frame["anonymous_id"].isin(shared)
    return frame.sort_values(["at", "event_id"], ignore_index=True)


def find_granted(events: pd.DataFrame) -> set[str]:
    """Return the people with an event that carried the purpose."""
    carries = events["consent"].apply(
        lambda purposes: purposes is not None and "personalization" in list(purposes)
    )
    return set(events.loc[carries, "person"])


def find_never_consented(events: pd.DataFrame) -> set[str]:
    """Return the people none of whose events ever carried the purpose."""
    doubtful = set(events.loc[events["is_doubtful"], "person"])
    return set(events["person"]) - find_granted(events) - doubtful
