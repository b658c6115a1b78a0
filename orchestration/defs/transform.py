"""The warehouse: each dbt model an asset, built from the event log and the catalogue."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from orchestration.defs.resources import BUILD, HomeResource, WarehouseDbt, WarehouseResource
from orchestration.warehouse.dbt_project import dbt_project, prepared_manifest

AFTER_SEGMENTATION = "after_segmentation"


class WarehouseTranslator(DagsterDbtTranslator):
    """Models stand in the asset graph under their own names, in the group of the stage that builds them."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """A source's key is the asset that writes it, a model's key is its name."""
        written_by = dbt_resource_props.get("meta", {}).get("dagster", {}).get("asset_key")
        return dg.AssetKey(written_by or [dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Models that need segments belong to the stage that makes them, all others to `warehouse`."""
        return "segmentation" if AFTER_SEGMENTATION in dbt_resource_props.get("tags", []) else "warehouse"


TRANSLATOR = WarehouseTranslator(DagsterDbtTranslatorSettings(enable_asset_checks=True))
HOME = HomeResource().home()
MANIFEST, PROJECT = prepared_manifest(HOME), dbt_project(HOME)


@dbt_assets(
    manifest=MANIFEST,
    project=PROJECT,
    dagster_dbt_translator=TRANSLATOR,
    exclude=f"tag:{AFTER_SEGMENTATION}",
)
def warehouse_models(
    context: dg.AssetExecutionContext, dbt: WarehouseDbt, warehouse: WarehouseResource
) -> Iterator[Any]:
    """Build the models with dbt; its data tests become asset checks. The run holds the writer's lock."""
    yield from dbt.build(context)


@dbt_assets(
    manifest=MANIFEST,
    project=PROJECT,
    dagster_dbt_translator=TRANSLATOR,
    select=f"tag:{AFTER_SEGMENTATION}",
)
def models_by_segment(
    context: dg.AssetExecutionContext, dbt: WarehouseDbt, warehouse: WarehouseResource
) -> Iterator[Any]:
    """The second selection: what reads `user_segments`, which segmentation writes beside the marts."""
    yield from dbt.cli(BUILD, context=context).stream()
