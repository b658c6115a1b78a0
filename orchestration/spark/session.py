"""The Spark session of a run: on the cluster that the settings name, or on all cores of this machine."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ml.errors import MissingExtraError, TesseraError
from ml.settings.engines import SparkSettings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JAVA_OPTIONS = "-Xss4m"  # Spark reads the plan of a long iteration by recursion, for which 1 MiB is too little
DEFAULTS = {
    "spark.driver.extraJavaOptions": JAVA_OPTIONS,
    "spark.executor.extraJavaOptions": JAVA_OPTIONS,
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
WORKER_PYTHON, CHECKPOINTS = "spark.pyspark.python", "spark.checkpoint.dir"


class SparkStartError(TesseraError):
    """Spark is installed and did not start; the message says what it needs."""


@contextmanager
def spark_session(settings: SparkSettings) -> Iterator[SparkSession]:
    """Lend a session, and stop it afterwards unless it had been there before.

    Executors run Python as `spark.pyspark.python` names it, and the Python of this process where it does not. Long
    iterations are cut at checkpoints, which lie where `spark.checkpoint.dir` says, and on this machine where Spark
    itself runs on it.

    Args:
        settings: The section `spark` of the settings.

    Raises:
        MissingExtraError: Spark is not installed.
        SparkStartError: It did not start.
    """
    try:
        import pyspark  # noqa: PLC0415
        from pyspark import SparkFiles  # noqa: PLC0415
        from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415  (Spark is an extra)
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("engine: spark needs Spark: pip install 'tessera[spark]'") from None
    before = SparkSession.getActiveSession()
    try:
        builder = SparkSession.builder.master(settings.master).appName("tessera")
        session = before or builder.config(map={**DEFAULTS, **settings.options}).getOrCreate()
    except PySparkRuntimeError as error:
        raise SparkStartError(
            f"Spark did not start on {settings.master}: it needs Java 17 or newer on the path or in JAVA_HOME, "
            f"and a master that it can reach. It said: {str(error).splitlines()[0]}"
        ) from error
    session.sparkContext.pythonExec = session.conf.get(WORKER_PYTHON, sys.executable)
    if before is None:
        session.sparkContext.setLogLevel("ERROR")
        if settings.master.startswith("local") and CHECKPOINTS not in settings.options:
            session.sparkContext.setCheckpointDir(SparkFiles.getRootDirectory())
    try:
        yield session
    finally:
        if before is None:
            leftovers = Path(pyspark.__file__).parent / "work" / session.sparkContext.applicationId
            session.stop()
            if settings.master.startswith("local-cluster"):  # its workers keep what executors were sent
                shutil.rmtree(leftovers, ignore_errors=True)
