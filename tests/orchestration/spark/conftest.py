"""One Spark cluster for the tests of this folder: two executors of their own processes."""

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ml.settings.engines import SparkSettings
from orchestration.spark.session import JAVA_OPTIONS

CLUSTER = "local-cluster[2,1,2048]"
OPTIONS = {
    "spark.executor.memory": "1g",
    "spark.sql.shuffle.partitions": "2",
    "spark.driver.extraJavaOptions": f"{JAVA_OPTIONS} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": f"{JAVA_OPTIONS} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
MISSING = [
    name
    for name, installed in (
        ("the extra spark", importlib.util.find_spec("pyspark")),
        ("Java", shutil.which("java")),
    )
    if not installed
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs Spark where it is missing."""
    if MISSING:
        skip = pytest.mark.skip(reason=f"{' and '.join(MISSING)} missing: `make extras`")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(skip)


@pytest.fixture(scope="package")
def cluster() -> Iterator[Any]:
    """A session whose two executors are processes of one core each."""
    from orchestration.spark.session import spark_session

    with spark_session(SparkSettings(master=CLUSTER, options=OPTIONS)) as session:
        yield session
