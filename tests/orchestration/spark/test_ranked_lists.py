"""Lists that Spark's executors rank are those of one process, also when an executor dies."""

import threading
import time
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pytest

from ml.errors import InvalidInputError
from ml.recommenders.exclusions import recommend_without
from orchestration.spark.ranked_lists import rank_on_spark
from tests.ml.recommenders.conftest import item_features, two_tastes, two_tastes_table, user_features  # noqa: F401
from tests.ml.recommenders.test_contract import fitted, name  # noqa: F401  fixtures

TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}
EXECUTOR = "CoarseGrainedExecutorBackend"
PAIRS = pa.table({"user_id": ["u1", "stranger"], "item_id": ["i3", "i4"]})
ITEMS = pa.table({"item_id": ["i0", "i1"]})


def assert_same(ranked: pa.Table, expected: pa.Table) -> None:
    """The same lists but for ties: products of matrices of other shapes may differ in their last bits."""
    for column in ("user_id", "rank"):
        assert ranked[column].to_pylist() == expected[column].to_pylist()
    np.testing.assert_allclose(ranked["score"], expected["score"], **TOLERANCE)
    got, right = (
        {(row["user_id"], row["item_id"]): row["score"] for row in table.to_pylist()}
        for table in (ranked, expected)
    )
    assert len(got) == len(right) == len(expected)
    last = {row["user_id"]: row["score"] for row in expected.to_pylist()}
    for pair in got.keys() | right.keys():
        score = got.get(pair, right.get(pair))
        np.testing.assert_allclose(score, right.get(pair, last[pair[0]]), **TOLERANCE, err_msg=str(pair))
        np.testing.assert_allclose(score, got.get(pair, last[pair[0]]), **TOLERANCE, err_msg=str(pair))


def test_every_model_ranks_as_in_one_process(cluster: Any, fitted: Any) -> None:  # noqa: F811
    users = pa.concat_arrays([fitted.user_ids_.values, pa.array(["stranger"])])
    ranked = rank_on_spark(cluster, fitted, users, 6, exclusions=PAIRS, task_users=13).toArrow()
    assert_same(ranked, recommend_without(fitted, users, 6, None, PAIRS).to_table())
    assert len(ranked) == 61 * 6


@pytest.mark.parametrize("name", ["als", "ease"], indirect=True)
def test_candidates_and_items_that_nobody_gets_are_kept(cluster: Any, fitted: Any) -> None:  # noqa: F811
    users, candidates = pa.array(["u3", "stranger", "u4"]), pa.array(["i1", "i2", "i39", "new"])
    ranked = rank_on_spark(cluster, fitted, users, 9, candidates, ITEMS).toArrow()
    assert_same(ranked, recommend_without(fitted, users, 9, candidates, ITEMS).to_table())
    assert "i1" not in ranked["item_id"].to_pylist()
    nobody = rank_on_spark(cluster, fitted, pa.array([], pa.string()), 9).toArrow()
    assert nobody.num_rows == 0
    with pytest.raises(InvalidInputError, match="1 users are named twice"):
        rank_on_spark(cluster, fitted, pa.array(["u1", "u1"]), 9)


@pytest.mark.parametrize("name", ["als"], indirect=True)
def test_a_killed_executor_costs_no_row(cluster: Any, fitted: Any) -> None:  # noqa: F811
    users = pa.array([f"u{number}" for number in range(3_000)])
    frame = rank_on_spark(cluster, fitted, users, 5, task_users=10)
    result: list[pa.Table] = []
    job = threading.Thread(target=lambda: result.append(frame.toArrow()))
    job.start()
    tracker = cluster.sparkContext.statusTracker()
    done = 0
    while not done:
        assert job.is_alive()
        done = sum(
            tracker.getStageInfo(stage).numCompletedTasks
            for stage in tracker.getActiveStageIds()
            if tracker.getStageInfo(stage)
        )
        time.sleep(0.01)
    victim = executors()[0]
    victim.kill()
    assert job.is_alive()
    assert done < 300  # tasks are left, some of them with the victim
    job.join()
    assert victim.pid not in {process.pid for process in executors()}
    assert_same(result[0], recommend_without(fitted, users, 5).to_table())


def executors() -> list[psutil.Process]:
    """Processes of the cluster's executors."""
    children = psutil.Process().children(recursive=True)
    return [process for process in children if any(EXECUTOR in word for word in command_of(process))]


def command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
