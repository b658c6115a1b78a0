import datetime as dt

import pyarrow.parquet as pq
import pytest

from ml.events.dead_letters import DeadLetters
from ml.events.log import EventLog
from ml.home import Home
from ml.sources.catalogue import Catalogue
from ml.sources.simulator import Site, read_recorded_site, simulate_into_folder, simulate_into_home
from ml.sources.simulator.writing import prefetched

START = dt.date(2026, 3, 1)


def date(day):
    return START + dt.timedelta(days=day)


@pytest.fixture
def site(small_settings):
    return Site(small_settings, 4, START)


def test_events_items_dead_letters_and_truth_reach_the_home(site, tmp_path):
    home = Home(tmp_path)
    done = simulate_into_home(home, site, date(0), date(6))
    log = EventLog(home)
    assert sum(part.rows for part in log.parts()) == done.events > 3_000
    assert [part.path.split("/")[0] for part in log.parts()] == [f"received_date={date(day)}" for day in range(6)]
    assert len(DeadLetters(home).read()) == sum(done.rejected.values()) > 0
    assert Catalogue(home).read()["item_id"].to_pylist() == sorted(site.catalogue(0, 6)["item_id"].to_pylist())
    assert {file.stem for file in home.truth.glob("*.parquet")} == {
        "users", "items", "signals", "experiments", "contents", "changes", "devices",
        "passers_by", "orders", "visits",
    }  # fmt: skip


def test_rejected_rows_came_on_the_simulated_days_as_the_events_did(site, tmp_path):
    home = Home(tmp_path)
    done = simulate_into_home(home, site, date(0), date(6))
    letters = DeadLetters(home)
    days = {file.parent.name: len(letters.read_file(file)) for file in letters.files()}
    assert set(days) <= {f"received_date={date(day)}" for day in range(6)}
    assert len(days) > 1
    assert sum(days.values()) == sum(done.rejected.values())


def test_the_same_days_twice_change_nothing(site, tmp_path):
    home = Home(tmp_path)
    first = simulate_into_home(home, site, date(0), date(2))
    again = simulate_into_home(home, site, date(0), date(2))
    assert not first.already_there
    assert again.already_there
    assert sum(part.rows for part in EventLog(home).parts()) == first.events
    assert len(Catalogue(home).read()) == first.items


def test_a_site_goes_on_from_what_the_home_remembers(site, tmp_path):
    home, whole = Home(tmp_path / "steps"), Home(tmp_path / "whole")
    simulate_into_home(home, site, date(0), date(3))
    remembered, until = read_recorded_site(home)
    assert until == date(3)
    simulate_into_home(home, remembered, until, date(5))
    simulate_into_home(whole, site, date(0), date(5))
    ids = [
        sorted(i for batch in EventLog(h).read(columns=["event_id"]) for i in batch["event_id"].to_pylist())
        for h in (home, whole)
    ]
    assert ids[0] == ids[1]
    assert Catalogue(home).read().equals(Catalogue(whole).read())
    for name in ("users", "items", "devices"):
        assert pq.read_table(home.truth / f"{name}.parquet").equals(pq.read_table(whole.truth / f"{name}.parquet"))


def test_a_home_without_a_site_remembers_none(tmp_path):
    assert read_recorded_site(Home(tmp_path)) is None


def test_a_simulation_that_is_stopped_leaves_nothing_behind(site, tmp_path):
    home = Home(tmp_path)

    def stop(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_into_home(home, site, date(0), date(6), stop)
    assert EventLog(home).parts() == []
    assert read_recorded_site(home) is None
    assert simulate_into_home(home, site, date(0), date(1)).events > 0


def test_plain_files_hold_the_events_as_sent(site, tmp_path):
    done = simulate_into_folder(tmp_path, site, date(0), date(3))
    table = pq.read_table(tmp_path / "events")
    assert len(table) == done.events == sum(len(part) for part in site.events(0, 3))
    assert len(pq.read_table(tmp_path / "items.parquet")) == done.items == 240 + 3 * 10
    assert pq.read_table(tmp_path / "truth" / "users.parquet").num_rows > 300


def test_an_error_of_the_second_thread_reaches_the_caller():
    def broken():
        yield "first"
        raise ValueError("on the way")

    taken = prefetched(broken(), ahead=1)
    assert next(taken) == "first"
    with pytest.raises(ValueError, match="on the way"):
        next(taken)
