"""What the service reads: the published bundle, and the Bento that holds one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from ml.bundle import current_version
from ml.console.tables import FOLDER as CONSOLE
from ml.home import Home
from ml.monitoring.inputs.reference import FOLDER as REFERENCE
from ml.publishing import publication, publish
from ml.recommenders.models.zoo import load_recommender
from ml.recommenders.newcomers.welcome import FILE as WELCOME
from ml.settings import Settings
from ml.site.definition_files import SETTINGS, definition_file
from orchestration.bento import build_bento
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.runtime.shared_bundles import share_bundles
from orchestration.warehouse.console_tables import write_console_tables
from orchestration.warehouse.marts import INTERACTIONS, ITEMS, USER_SEGMENTS, USERS

if TYPE_CHECKING:
    from ml.registry.registry import ModelVersion, Registry

GROUP = "publishing"


@dg.asset(
    deps=[
        "champion_model",
        "visit_intent",
        "segment_profiles",
        "user_segments",
        "items",
        "interactions",
        "users",
        "sessions",
        "page_views",
        "funnels",
        "revenue_by_currency",
        "funnel_steps",
        "input_drift",
    ],
    group_name=GROUP,
    kinds={"parquet", "numpy", "lightgbm"},
    description=(
        "Everything the service answers from, in one folder: items, users with their segments, the champion's "
        "factors, seen and trending items, the blend of all sources, which is learned from what people opened "
        "next, and the tables of the console. It becomes current only once it is complete, and a running service "
        "then switches to it."
    ),
)
def published_bundle(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Read marts and champion, learn the blend, write the bundle, move CURRENT."""
    champion = registry.get().champion()
    tables = warehouse.get().tables()
    settings = home.settings()
    with tempfile.TemporaryDirectory() as folder:
        model = load_recommender(registry.get().download(champion, Path(folder) / "model")) if champion else None
        prepared = publication(
            users=warehouse.read(USERS),
            items=warehouse.read(ITEMS),
            interactions=warehouse.read(INTERACTIONS),
            segments=warehouse.read(USER_SEGMENTS) if "user_segments" in tables else None,
            recommender=model,
            model_version=str(champion.version) if champion else None,
            files={**_files(home.home(), settings), CONSOLE: _write_console(warehouse, settings, Path(folder))},
            details=_build_details(registry.get(), champion) if champion else {},
        )
        written, blend = publish(
            home.home(),
            prepared,
            settings.decisions.blend,
            Path(folder) / "blend",
            settings.serving.approximate_above_items,
            settings.warehouse.popularity_views_per_person,
        )
    size = sum(file.stat().st_size for file in written.rglob("*") if file.is_file())
    return dg.MaterializeResult(
        metadata={
            "version": written.name,
            "model_version": str(champion.version) if champion else "none",
            "mib": round(size / 2**20, 1),
            "blend": dg.MetadataValue.json(blend.figures),
        }
    )


@dg.asset(
    deps=[published_bundle],
    group_name=GROUP,
    kinds={"parquet", "numpy"},
    retry_policy=dg.RetryPolicy(max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL),
    description=(
        "The bundle in the object store that the setting storage.bundles names, from where services on other "
        "machines take it. Without the setting nothing is shared."
    ),
)
def shared_bundle(home: HomeResource) -> dg.MaterializeResult[None]:
    """Upload the current bundle and the challenger, and delete the others from the store."""
    shared = share_bundles(home.home(), home.settings())
    return dg.MaterializeResult(metadata={"versions": ", ".join(shared.names) if shared else "not shared"})


@dg.asset(
    deps=[published_bundle],
    group_name=GROUP,
    kinds={"bentoml"},
    description="The service with the published bundle inside. It starts without a checkout.",
)
def bento(home: HomeResource) -> dg.MaterializeResult[None]:
    """Build the Bento of the current bundle."""
    version = current_version(home.home().published)
    if version is None:
        raise dg.Failure("nothing is published: materialize published_bundle first")
    tag = build_bento(home.home(), home.home().published / version)
    return dg.MaterializeResult(metadata={"tag": tag, "serve": f"bentoml serve {tag}"})


def _write_console(warehouse: WarehouseResource, settings: Settings, folder: Path) -> Path:
    """Write the tables of the console into a folder of their own, and return it."""
    console = folder / CONSOLE
    console.mkdir()
    write_console_tables(warehouse.get(), settings, console)
    return console


def _build_details(registry: Registry, champion: ModelVersion) -> dict[str, Any]:
    """Where the champion comes from, and why it was promoted: the service tells it."""
    moves = [move for move in registry.promotions() if move.version == champion.version]
    promotion = (
        {
            "kind": moves[-1].kind,
            "reasons": list(moves[-1].reasons),
            "previous": moves[-1].previous,
            "promoted_at": moves[-1].promoted_at.isoformat(),
        }
        if moves
        else {}
    )
    return {"metrics": dict(champion.metrics), "run_id": champion.run_id, "promotion": promotion}


def _files(home: Home, settings: Settings) -> dict[str, Path]:
    """The definition files in force, and what was learned for the service, by their name in the bundle."""
    files = {
        "settings.yaml": definition_file(home, SETTINGS),
        "experiments.yaml": definition_file(home, settings.experiments.file),
        "rules.yaml": definition_file(home, settings.decisions.rules_file),
        **{name: home.models / name for name in ("segmentation", "intent", WELCOME, REFERENCE)},
    }
    return {name: path for name, path in files.items() if path.exists()}
