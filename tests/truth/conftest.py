"""The simulated site of the session, its events as data frames, and the truth that was planted in them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ml.events.log import EventLog
from ml.home import Home
from orchestration.warehouse.warehouse import Warehouse
from tests.truth.visits import cut_visits


@pytest.fixture(scope="session")
def events(materialized_home: Home) -> pd.DataFrame:
    """Every event once, in the order of time, with `person`: the user, or the device on which no user was seen."""
    log = EventLog(materialized_home)
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
    # Visits without a login on a device of several users belong to nobody for sure.
    shared = set(users.index[users["nunique"] > 1])
    frame["is_doubtful"] = frame["anonymous_id"].isin(shared)
    return frame.sort_values(["at", "event_id"], ignore_index=True)


@pytest.fixture(scope="session")
def certain(events: pd.DataFrame, truth) -> pd.DataFrame:
    """The events of people who use no shared device and are no bots, with the `visit` that each belongs to."""
    planted = truth("users")
    bots = set(planted.loc[planted["is_bot"], "user_id"])
    doubtful = set(events.loc[events["is_doubtful"], "person"]) | bots
    return cut_visits(events[~events["person"].isin(doubtful)])


@pytest.fixture(scope="session")
def mart(materialized_home: Home):
    """Read a mart as a data frame."""
    warehouse = Warehouse(materialized_home.warehouse)
    return lambda query: warehouse.read(query).to_pandas()


@pytest.fixture(scope="session")
def truth(materialized_home: Home):
    """Read a table of the planted truth as a data frame."""
    folder: Path = materialized_home.truth
    return lambda name: pd.read_parquet(folder / f"{name}.parquet")


@pytest.fixture(scope="session")
def granted(events: pd.DataFrame) -> set[str]:
    """People with an event that carried the purpose."""
    carries = events["consent"].apply(
        lambda purposes: purposes is not None and "personalization" in list(purposes)
    )
    return set(events.loc[carries, "person"])


@pytest.fixture(scope="session")
def never_consented(events: pd.DataFrame, granted: set[str]) -> set[str]:
    """People none of whose events ever carried the purpose."""
    doubtful = set(events.loc[events["is_doubtful"], "person"])
    return set(events["person"]) - granted - doubtful
