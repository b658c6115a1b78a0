"""The simulated site of the session, its events as data frames, and the truth that was planted in them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ml.home import Home
from orchestration.warehouse.warehouse import Warehouse
from tests.truth.event_frame import find_granted, find_never_consented, read_event_frame
from tests.truth.visits import cut_visits


@pytest.fixture(scope="session")
def events(materialized_home: Home) -> pd.DataFrame:
    """The events of the site; see `read_event_frame`."""
    return read_event_frame(materialized_home)


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
    return find_granted(events)


@pytest.fixture(scope="session")
def never_consented(events: pd.DataFrame) -> set[str]:
    """People none of whose events ever carried the purpose."""
    return find_never_consented(events)
