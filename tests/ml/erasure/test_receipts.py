"""Receipts of erasures stay whole however their writer ends."""

import datetime as dt

import pytest

from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import ErasureReceipts
from ml.home import Home

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


def test_between_the_two_files_of_an_erasure_and_after_a_kill_there_the_others_go_on(
    tmp_path, monkeypatch
) -> None:
    receipts = ErasureReceipts(Home(tmp_path))
    before = receipts.open(PersonIds(("ann",)), NOW)["receipt_id"]
    write, written = ErasureReceipts._write, []

    def die_after_the_first(path, content) -> None:
        write(path, content)
        written.append(path)
        assert set(ErasureReceipts(Home(tmp_path)).pending("event log")) == {before}
        raise KeyboardInterrupt

    monkeypatch.setattr(ErasureReceipts, "_write", staticmethod(die_after_the_first))
    with pytest.raises(KeyboardInterrupt):
        receipts.open(PersonIds(("bob",)), NOW)
    monkeypatch.setattr(ErasureReceipts, "_write", staticmethod(write))
    assert len(written) == 1
    again = ErasureReceipts(Home(tmp_path))
    assert set(again.pending()) == set(again.pending("event log")) == {before}
    again.record_removed(before, "event log", 1)
    after = again.open(PersonIds(("bob",)), NOW)["receipt_id"]
    assert set(again.pending("event log")) == {before, after}
