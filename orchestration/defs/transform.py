"""The warehouse: each dbt model an asset, built from the event log and the catalogue."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject, dbt_assets

from orchestration.defs.resources import BUILD, HomeResource, WarehouseDbt, WarehouseResource
from orchestration.warehouse.check_descriptions import describe_data_test
from orchestration.warehouse.dbt_project import MARTS_GROUP, WAREHOUSE_GROUPS, dbt_project, prepared_manifest

AFTER_SEGMENTATION = "after_segmentation"


class WarehouseTranslator(DagsterDbtTranslator):
    """Models stand in the asset graph under their own names, in the group of their layer or stage."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """A source's key is the asset that writes it, a model's key is its name."""
        written_by = dbt_resource_props.get("meta", {}).get("dagster", {}).get("asset_key")
        return dg.AssetKey(written_by or [dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Staging and intermediate models are groups; what needs segments belongs to the stage that makes them."""
        if AFTER_SEGMENTATION in dbt_resource_props.get("tags", []):
            return "segmentation"
        layer = str(dbt_resource_props["fqn"][1])
        return layer if layer in WAREHOUSE_GROUPS else MARTS_GROUP

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """The check of a data test, with a description."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=describe_data_test(manifest["nodes"][unique_id]))


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
def segmented_marts(
    context: dg.AssetExecutionContext, dbt: WarehouseDbt, warehouse: WarehouseResource
) -> Iterator[Any]:
    """The second selection: what reads `user_segments`, which segmentation writes beside the marts."""
    yield from dbt.run(BUILD, context)
