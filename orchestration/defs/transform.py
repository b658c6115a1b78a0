"""The warehouse: each dbt model an asset, built from the event log and the catalogue."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from orchestration.dbt_project import dbt_project, prepared_manifest
from orchestration.defs.resources import WarehouseDbt, WarehouseResource


class WarehouseTranslator(DagsterDbtTranslator):
    """Models stand in the asset graph under their own names, in the group `warehouse`."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """A source's key is the asset that writes it, a model's key is its name."""
        written_by = dbt_resource_props.get("meta", {}).get("dagster", {}).get("asset_key")
        return dg.AssetKey(written_by or [dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Every model belongs to the stage `warehouse`."""
        return "warehouse"


@dbt_assets(
    manifest=prepared_manifest(),
    project=dbt_project(),
    dagster_dbt_translator=WarehouseTranslator(DagsterDbtTranslatorSettings(enable_asset_checks=True)),
)
def warehouse_models(
    context: dg.AssetExecutionContext, dbt: WarehouseDbt, warehouse: WarehouseResource
) -> Iterator[Any]:
    """dbt builds the models; its data tests become asset checks. The run holds the writer's lock meanwhile."""
    yield from dbt.build(context)
