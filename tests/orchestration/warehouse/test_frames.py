"""The frames of a real warehouse: as of now they are the marts, as of a moment they hold nothing later."""

import datetime as dt

from ml.home import Home
from orchestration.warehouse.frames import frames_as_of
from orchestration.warehouse.warehouse import Warehouse


def test_the_frames_as_of_the_newest_session_are_the_marts(materialized_home: Home) -> None:
    read = Warehouse(materialized_home.warehouse).read
    newest: dt.datetime = read("select max(ended_at) as ended_at from sessions")["ended_at"][0].as_py()
    now, by_moment = frames_as_of(read), frames_as_of(read, newest)
    assert len(now.interactions) > 1_000
    assert by_moment.interactions.equals(now.interactions)
    assert by_moment.users.equals(now.users)
    assert by_moment.items.equals(now.items)
    assert len(now.new_items) == len(by_moment.new_items) == 0


def test_the_frames_as_of_a_moment_end_with_it(materialized_home: Home) -> None:
    read = Warehouse(materialized_home.warehouse).read
    newest: dt.datetime = read("select max(ended_at) as ended_at from sessions")["ended_at"][0].as_py()
    moment = newest - dt.timedelta(days=5)
    then, now = frames_as_of(read, moment), frames_as_of(read)
    assert max(then.interactions["last_at"].to_pylist()) <= moment
    assert max(then.users["last_seen_at"].to_pylist()) <= moment
    assert max(time for time in then.items["published_at"].to_pylist() if time is not None) <= moment
    assert min(then.new_items["published_at"].to_pylist()) > moment
    assert {*then.items["item_id"].to_pylist(), *then.new_items["item_id"].to_pylist()} == set(
        now.items["item_id"].to_pylist()
    )
    assert set(then.new_items.column_names) <= set(then.items.column_names)
