"""What the service reads: the published bundle, and the Bento that holds one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa

from ml.bundle import Publication, find_current, make_canary
from ml.console.tables import FOLDER as CONSOLE
from ml.decisions.ranker.blend import BlendVersionError, RankingBlend
from ml.decisions.ranker.ranked_days import DayJudge, judge_held, merge_days
from ml.decisions.ranker.training import TrainedBlend
from ml.experiments.definition.definitions_file import ExperimentsFileError, load_metric_library
from ml.home import Home
from ml.local_clock import find_zone
from ml.monitoring.inputs.reference import FOLDER as REFERENCE
from ml.publishing import learn_blend, publication, publish
from ml.recommenders.models.zoo import load_recommender
from ml.recommenders.newcomers.welcome import FILE as WELCOME
from ml.settings import Settings
from ml.site.definition_files import SETTINGS, definition_file
from orchestration.bento import build_bento
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.runtime.canary_end import CANARY_FOLDER
from orchestration.runtime.shared_bundles import share_bundles
from orchestration.warehouse.console_tables import write_console_tables
from orchestration.warehouse.experiment_tables import load_usable_definitions
from orchestration.warehouse.marts import INTERACTIONS, ITEMS, USER_SEGMENTS, USERS

if TYPE_CHECKING:
    from ml.registry.registry import ModelVersion, Registry
    from ml.registry.trials import CanaryTrial

GROUP = "publishing"
RANKER_DAYS = "ranker_days"


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
        "user_days",
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
        "then switches to it. While a new model is tried, a second bundle with that model is published beside it."
    ),
)
def published_bundle(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Read marts and champion, learn the blend, write the bundle, move CURRENT; before it, those of the canary."""
    from ml.registry.trials import CanaryTrials  # noqa: PLC0415  MLflow takes seconds to load

    champion, trial = registry.get().champion(), CanaryTrials(registry.get()).running()
    metadata: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder, settings = Path(name), home.settings()
        zone = find_zone(settings.warehouse.site_timezone)
        bundle = _prepare(home, warehouse, registry, champion, folder / "champion")
        judge = _published_judge(home.home(), zone)
        trained = bundle.learn(judge)
        held = judge_held(trained.blend, trained.held, zone) if trained.blend.ranker else None
        _write_days(warehouse, [table for table in (judge.rows() if judge else None, held) if table is not None])
        console = _write_console(home.home(), warehouse, settings, folder)
        if trial is not None:
            version = registry.get().version(trial.version)
            tried = _prepare(home, warehouse, registry, version, folder / "canary", is_canary=True)
            written = tried.write(tried.learn().blend, console, _trial_details(trial, version))
            metadata["canary"] = f"{written.name}, model version {trial.version}"
        else:
            make_canary(home.home().published, None)
        details = _build_details(registry.get(), champion) if champion else {}
        written = bundle.write(trained.blend, console, details)
    size = sum(file.stat().st_size for file in written.rglob("*") if file.is_file())
    return dg.MaterializeResult(
        metadata={
            "version": written.name,
            "model_version": str(champion.version) if champion else "none",
            "mib": round(size / 2**20, 1),
            "blend": dg.MetadataValue.json(trained.blend.figures),
            **metadata,
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
    bundle = find_current([home.home().published])
    if bundle is None:
        raise dg.Failure("nothing is published: materialize published_bundle first")
    tag = build_bento(home.home(), bundle)
    return dg.MaterializeResult(metadata={"tag": tag, "serve": f"bentoml serve {tag}"})


@dataclass(frozen=True)
class _Bundle:
    """A bundle in the making.

    Attributes:
        home, settings: Where it is published, and the settings in force.
        prepared: What is published beside the blend.
        folder: For what is written before it becomes part of the bundle.
        is_canary: Whether it is tried beside the current one.
    """

    home: Home
    settings: Settings
    prepared: Publication
    folder: Path
    is_canary: bool

    def learn(self, judge: DayJudge | None = None) -> TrainedBlend:
        """Learn the blend of all sources."""
        counted = self.settings.warehouse.popularity_views_per_person
        return learn_blend(self.home, self.prepared, self.settings.decisions.blend, counted, judge)

    def write(self, blend: RankingBlend, console: Path, details: dict[str, Any]) -> Path:
        """Write the bundle with the tables of the console, and return its folder."""
        files = {**_files(self.home, self.settings, is_canary=self.is_canary), CONSOLE: console}
        return publish(
            self.home,
            replace(self.prepared, files=files, details=details),
            blend,
            self.folder / "blend",
            self.settings.serving.approximate_above_items,
            is_canary=self.is_canary,
        )


def _prepare(
    home: HomeResource,
    warehouse: WarehouseResource,
    registry: RegistryResource,
    version: ModelVersion | None,
    folder: Path,
    *,
    is_canary: bool = False,
) -> _Bundle:
    """Collect what a bundle with a model of the registry, or without one, publishes."""
    folder.mkdir()
    tables = warehouse.get().tables()
    model = load_recommender(registry.get().download(version, folder / "model")) if version else None
    prepared = publication(
        users=warehouse.read(USERS),
        items=warehouse.read(ITEMS),
        interactions=warehouse.read(INTERACTIONS),
        segments=warehouse.read(USER_SEGMENTS) if "user_segments" in tables else None,
        recommender=model,
        model_version=str(version.version) if version else None,
        files={},
        details={},
    )
    return _Bundle(home.home(), home.settings(), prepared, folder, is_canary)


def _published_judge(home: Home, zone: ZoneInfo) -> DayJudge | None:
    """Make the judge of the ranker that answers now; None where nothing is published, or not by this version."""
    bundle = find_current([home.published])
    if bundle is None or not (bundle / "blend").exists():
        return None
    try:
        return DayJudge.of_published(RankingBlend.load(bundle / "blend"), zone)
    except BlendVersionError:
        return None


def _write_days(warehouse: WarehouseResource, tables: list[pa.Table]) -> None:
    """Add to the table of the ranker's days."""
    before = warehouse.read(RANKER_DAYS) if RANKER_DAYS in warehouse.get().tables() else None
    warehouse.write(RANKER_DAYS, merge_days(before, tables))


def _write_console(home: Home, warehouse: WarehouseResource, settings: Settings, folder: Path) -> Path:
    """Write the tables of the console into a folder of their own, and return it."""
    console = folder / CONSOLE
    console.mkdir()
    try:
        metrics = load_usable_definitions(home, settings).definitions.metrics
    except (ExperimentsFileError, FileNotFoundError):
        metrics = load_metric_library()  # the page Experiments shows the fault of the site's file
    write_console_tables(warehouse.get(), settings, console, metrics)
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


def _trial_details(trial: CanaryTrial, version: ModelVersion) -> dict[str, Any]:
    """Where a new model that answers some of the people comes from, and why it does."""
    why = {"kind": "canary", "reasons": list(trial.reasons), "promoted_at": trial.started_at.isoformat()}
    return {"metrics": dict(trial.metrics), "run_id": version.run_id, "promotion": why}


def _files(home: Home, settings: Settings, *, is_canary: bool) -> dict[str, Path]:
    """The definition files in force, and what was learned for the service, by their name in the bundle."""
    with_model = home.models / CANARY_FOLDER if is_canary else home.models
    files = {
        "settings.yaml": definition_file(home, SETTINGS),
        "experiments.yaml": definition_file(home, settings.experiments.file),
        "rules.yaml": definition_file(home, settings.decisions.rules_file),
        **{name: home.models / name for name in ("segmentation", "intent")},
        **{name: with_model / name for name in (WELCOME, REFERENCE)},
    }
    return {name: path for name, path in files.items() if path.exists()}
