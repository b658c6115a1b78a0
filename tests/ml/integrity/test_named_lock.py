from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from ml.integrity.named_lock import LockedError, NamedLock, only_writer


def test_two_threads_of_a_process_never_write_at_the_same_time(tmp_path: Path) -> None:
    start, end = Barrier(2), Barrier(2)

    def write() -> str:
        start.wait()
        try:
            with only_writer(tmp_path / "warehouse.duckdb", "replay"):
                end.wait()
        except LockedError as error:
            end.wait()
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as threads:
        said = sorted(threads.map(lambda _: write(), range(2)))
    assert said[0] == ""
    assert "is held by replay (process" in said[1]


def test_a_run_keeps_a_writer_of_its_own_process_out_and_lets_its_steps_in(tmp_path: Path) -> None:
    lock = NamedLock(tmp_path / "warehouse.lock")
    lock.acquire("a run")
    lock.acquire("a step of it")
    with (
        pytest.raises(LockedError, match="is held by a run"),
        only_writer(tmp_path / "warehouse.duckdb", "replay"),
    ):
        raise AssertionError("two writers at once")
    lock.release()
    lock.release()
    assert lock.holder() is None
