"""Top 10 of a million users and 100,000 items by two executors of Spark, against one process with one thread.

Spark ranks for half of the users first, and is measured once it is warm. On a machine that does other work too,
the CPU time says more than the clock: two executors cannot take less than half of it. The memory is that of the
largest Python process of an executor, after half of the users and after all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pyarrow as pa
from figure import Figure, in_own_process
from scipy import sparse

from ml.dataset.ids import Ids
from ml.recommenders.models.als import ImplicitALS
from ml.settings.engines import SparkSettings

USERS, ITEMS, FACTORS, SEEN, K = 1_000_000, 100_000, 64, 10, 10
CLUSTER = SparkSettings(master="local-cluster[2,1,2048]", options={"spark.executor.memory": "1g"})
WORKER = "pyspark.daemon"


def measure(size: float) -> Iterator[Figure]:
    users = int(USERS * size)
    lines, alone_cpu, alone_seconds = in_own_process(rank_alone, users).result
    equal, cluster_cpu, seconds, mib, half_mib = in_own_process(rank_on_cluster, users).result
    if equal != lines:
        raise AssertionError(f"sum over the lists: {equal} on Spark, {lines} in one process")
    name, rival = f"spark_ranking {users:,} x {ITEMS:,}", "one process"
    for what, value, unit, against, rival_value in (
        ("", seconds, "s", rival, alone_seconds),
        (": CPU time of each of two cores", cluster_cpu / 2, "s", rival, alone_cpu),
        (": Python process of an executor", mib, "MiB", "half of the users", half_mib),
    ):
        yield Figure(f"{name}{what}", value, unit, against, rival_value, value / rival_value, users)


def model(users: int) -> ImplicitALS:
    """Random factors, so that no item is the best for everybody, and ten items that each user has had."""
    random = np.random.default_rng(0)
    recommender = ImplicitALS(n_factors=FACTORS)
    seen = random.integers(0, ITEMS, users * SEEN).astype(np.int32)
    recommender.set_state(
        {
            "user_ids_": Ids(pa.array([f"u{number}" for number in range(users)])),
            "item_ids_": Ids(pa.array([f"i{number}" for number in range(ITEMS)])),
            "seen_": sparse.csr_matrix(
                (np.ones(len(seen), np.int8), seen, np.arange(0, len(seen) + 1, SEEN)), (users, ITEMS)
            ),
            "item_counts_": np.ones(ITEMS, np.float32),
            "known_users_": np.ones(users, bool),
            "user_factors_": random.normal(0, 1, (users, FACTORS)).astype(np.float32),
            "item_factors_": random.normal(0, 1, (ITEMS, FACTORS)).astype(np.float32),
            "unknown_user_": np.zeros(FACTORS, np.float32),
            "fold_in_weight_": 1.0,
            "fold_in_regularization_": 1.0,
        }
    )
    return recommender


def rank_alone(users: int) -> tuple[tuple[int, int], float, float]:
    """What the lists add up to, and the CPU seconds and the seconds of the ranking."""
    recommender = model(users)
    before, start = time.process_time(), time.perf_counter()
    table = recommender.recommend(recommender.user_ids_.values, K, threads=1).to_table()
    return sums(table), time.process_time() - before, time.perf_counter() - start


def rank_on_cluster(users: int) -> tuple[tuple[int, int], float, float, float, float]:
    """The sums, CPU seconds of all processes, seconds, and MiB of a worker after all users and after half."""
    from orchestration.spark.ranked_lists import rank_on_spark
    from orchestration.spark.session import spark_session

    recommender = model(users)
    ids = recommender.user_ids_.values
    with spark_session(CLUSTER) as session:
        largest, over = [0.0], threading.Event()
        watch = threading.Thread(target=follow, args=(largest, over))
        watch.start()
        rank_on_spark(session, recommender, ids[: users // 2], K).toArrow()
        half_mib, before, start = largest[0], spent(), time.perf_counter()
        table = rank_on_spark(session, recommender, ids, K).toArrow()
        seconds, cpu_seconds = time.perf_counter() - start, spent() - before
        over.set()
        watch.join()
    return sums(table), cpu_seconds, seconds, largest[0], half_mib


def spent() -> float:
    """CPU seconds of this process and of all below it, the executors among them."""
    here = psutil.Process()
    return sum(cpu(process) for process in (here, *here.children(recursive=True)))


def follow(largest: list[float], over: threading.Event) -> None:
    """Keep the largest memory of a Python process of an executor, without the files that it has mapped."""
    while not over.wait(0.5):
        for process in psutil.Process().children(recursive=True):
            try:
                if any(WORKER in word for word in process.cmdline()):
                    memory = process.memory_info()
                    largest[0] = max(largest[0], (memory.rss - memory.shared) / 2**20)
            except psutil.NoSuchProcess:
                continue


def cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system + times.children_user + times.children_system


def sums(table: pa.Table) -> tuple[int, int]:
    """Rows, and a sum that changes with each item and place."""
    items = np.char.replace(np.asarray(table["item_id"].to_numpy(), dtype="U8"), "i", "").astype(np.int64)
    return len(table), int((items * table["rank"].to_numpy()).sum())
