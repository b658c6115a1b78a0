"""The table of what models promised and what they delivered, as an asset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from ml.experiments.rankers.delivery import ModelPromise, delivery_table, plot_delivery
from ml.recommenders.selection.training import champion_configuration
from orchestration.defs.metadata import figure_metadata, table_metadata
from orchestration.defs.monitoring import GROUP
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.warehouse.canary_people import read_answered_people

if TYPE_CHECKING:
    from ml.registry.registry import Registry


@dg.asset(
    deps=["answers", "canary"],
    group_name=GROUP,
    kinds={"python", "mlflow"},
    description=(
        "What each version of the model promised on the past, by the metric of the gate, and the share of its"
        " answers that were then clicked, both with intervals. One row per version that answered somebody."
    ),
)
def model_delivery(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Count the answers of each version, look up what it promised, and write the table."""
    rules = home.settings().evaluation
    metric = rules.deciding_metric
    people = read_answered_people(warehouse.read)
    versions = people["model_version"].unique().to_pylist()
    table = delivery_table(people, _promises(registry.get(), versions, metric))
    warehouse.write("model_delivery", table)
    return dg.MaterializeResult(
        metadata={
            "versions": len(table),
            "delivery": table_metadata(table, ".3g"),
            "plot": figure_metadata(plot_delivery(table, metric)),
        }
    )


def _promises(registry: Registry, versions: list[str], metric: str) -> dict[str, ModelPromise]:
    """Look up the versions that the registry has."""
    from ml.registry.registry import NoSuchVersionError  # noqa: PLC0415  MLflow takes seconds to load

    promises = {}
    for name in versions:
        try:
            version = registry.version(int(name))
        except (ValueError, NoSuchVersionError):
            continue
        bounds = [version.metrics.get(f"{metric}{bound}", float("nan")) for bound in ("", "_low", "_high")]
        promises[name] = ModelPromise(champion_configuration(version.params)["model"], *bounds)
    return promises
