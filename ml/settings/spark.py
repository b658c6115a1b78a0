"""Settings of the section `spark`: the cluster on which models are trained and lists are ranked."""

from typing import Literal

from ml.settings.section import Section, knob

Engine = Literal["local", "spark"]
"""Where a stage of the pipeline does its work: in its own process, or on Spark."""


class SparkSettings(Section):
    """Where Spark runs, for the stages whose `engine` is `spark`."""

    master: str = knob(
        "local[*]",
        "Cluster in Spark's own notation, such as spark://host:7077, yarn or k8s://https://host; local[*] is this"
        " machine with all its cores.",
        min_length=1,
    )
    options: dict[str, str] = knob(
        {},
        "Further options of Spark by their names, such as `spark.executor.memory` or `spark.driver.memory`;"
        " `spark.pyspark.python` names the Python of the executors, in which Tessera is installed too.",
    )
