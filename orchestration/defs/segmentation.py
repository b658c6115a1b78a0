"""Assets of segmentation: the fitted model with its report, every user's segments, and the segments' profiles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from ml.home import Home
from ml.segmentation import Segmentation, load_segmentation
from ml.segmentation.audiences.rules import load_site_rules
from ml.segmentation.clusters.algorithms import NOISE
from ml.segmentation.clusters.identity import compute_migration
from ml.segmentation.clusters.validation import PredictiveValidity
from ml.segmentation.profiles.figures import plot_choice, plot_sizes, plot_traits, plot_user_map
from ml.segmentation.profiles.labels import FeatureLabels, name_currency
from ml.segmentation.profiles.profiles import build_profile_table
from ml.segmentation.profiles.report import ReportSupplement, write_report
from ml.segmentation.site_segmentation import (
    assign_user_segments,
    segment_site,
    select_consenting_users,
    validate_on_later_outcomes,
)
from ml.segmentation.user_removal import REPORT_FILE
from ml.sequences.signals.proposals import report_signals
from ml.settings.segmentation import SegmentationSettings
from orchestration.defs.metadata import figures_metadata, table_metadata
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.runtime.addresses import report_address
from orchestration.spark.segment_models import clustering_engine
from orchestration.warehouse.marts import USER_SEGMENTS, USERS, site_currency

GROUP = "segmentation"
HISTORY_MOMENTS = 8  # as-of tables of users, of a second each, from which the trust in little evidence is learned
HISTORY_USERS = 20_000  # in each of them
SESSIONS = """
    select user_id, started_at, local_started_at, page_views, duration_seconds, daypart, device_type, country,
        channel, funnel_stage
    from sessions
    where not is_bot and not is_internal
    order by user_id, started_at, session_id
"""
FEEDBACK = "select user_id, segment, agrees from segment_feedback order by occurred_at, feedback_id"


@dg.asset(
    deps=["users", "sessions", "segment_feedback", "training_users", "revenue_by_currency"],
    group_name=GROUP,
    kinds={"scikitlearn", "mlflow"},
    description=(
        "Segments learned from the users who consent to personalization. Features are selected and prepared; "
        "k-means, Gaussian mixtures, DBSCAN and HDBSCAN are compared by one rule; personas are described. "
        "Segments keep their number and name from run to run."
    ),
)
def segmentation_model(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Fit a segmentation; MLflow keeps the run and `models/segmentation` the model."""
    settings, folder = segmentation_settings(home, warehouse), segmentation_folder(home.home())
    tables = warehouse.get().tables()
    with clustering_engine(home.settings()) as engine:
        site = segment_site(
            warehouse.read(USERS),
            warehouse.read(SESSIONS),
            warehouse.read(FEEDBACK),
            settings,
            previous=load_segmentation(folder) if folder.exists() else None,
            before=warehouse.read(USER_SEGMENTS) if "user_segments" in tables else None,
            earlier=_read_history(warehouse, settings),
            engine=engine,
        )
    segmentation = site.segmentation
    segmentation.save(folder)
    figures = {
        "user_map": plot_user_map(segmentation.scores(site.users), site.segments, segmentation.profiles),
        "sizes": plot_sizes(segmentation.profiles),
    }
    if segmentation.candidates:
        figures["choice"] = plot_choice(segmentation.candidates)
        figures["traits"] = plot_traits(segmentation.profiles, FeatureLabels(settings.labels))
    with registry.get().start_run("segmentation", experiment=GROUP, description=segmentation.reason) as run:
        run.log_data("users", site.users)
        run.log_params(settings.choice.model_dump(mode="json"))
        run.set_tags({"engine": settings.engine})
        run.log_metrics(_collect_measures(segmentation))
        run.log_figures(figures)
        if segmentation.candidates:
            run.log_table(pa.Table.from_pylist(segmentation.document()["choice"]["table"]), "choice")
        run.log_artifacts(folder, "segmentation")
    return dg.MaterializeResult(
        metadata={
            "reason": segmentation.reason,
            "segments": len(segmentation.ids),
            "users": site.users.num_rows,
            "features": ", ".join(segmentation.preparation["features"]),
            "dropped": dg.MetadataValue.json(segmentation.preparation["dropped"]),
            "kept_variance": segmentation.preparation["kept_variance"],
            **figures_metadata(figures),
        }
    )


@dg.asset(
    deps=[segmentation_model],
    group_name=GROUP,
    kinds={"duckdb"},
    description=(
        "One row per consenting user: segment, name and memberships, and the segments by rule (engagement, "
        "daypart, RFM, funnel, device, place, own). Written next to dbt's marts, with `segment_migrations`."
    ),
)
def user_segments(home: HomeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Assign every user to segments, and count the users who moved since the previous run."""
    segmentation = load_segmentation(segmentation_folder(home.home()))
    rules = load_site_rules(home.home(), home.settings().segmentation.rules_file)
    segments = assign_user_segments(segmentation, warehouse.read(USERS), rules)
    is_first_run = "user_segments" not in warehouse.get().tables()
    moves = compute_migration(segments if is_first_run else warehouse.read(USER_SEGMENTS), segments)
    if is_first_run:
        moves = moves.slice(0, 0)
    warehouse.write("user_segments", segments)
    warehouse.write("segment_migrations", moves)
    return dg.MaterializeResult(
        metadata={
            "users": segments.num_rows,
            "without_segment": int(pc.sum(pc.equal(segments["segment"], NOISE)).as_py() or 0),
            **_sizes_by_segment(segments),
            "migration": table_metadata(moves, ".3f"),
        }
    )


def _sizes_by_segment(segments: pa.Table) -> dict[str, int]:
    """The people of each segment under its number, which lasts from run to run, so that Dagster plots them."""
    counted = pc.value_counts(segments["segment"].combine_chunks()).to_pylist()
    sizes = {entry["values"]: entry["counts"] for entry in counted if entry["values"] not in (None, NOISE)}
    return {f"users of segment {number}": sizes[number] for number in sorted(sizes)}


@dg.asset(
    deps=[segmentation_model],
    group_name=GROUP,
    kinds={"duckdb"},
    description=(
        "One row per segment: size, share, persona, strongest traits and words. "
        "Segments below the minimum size are left out."
    ),
)
def segment_profiles(home: HomeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Publish the profiles of segments that are large enough."""
    segmentation = load_segmentation(segmentation_folder(home.home()))
    table = build_profile_table(segmentation.profiles)
    warehouse.write("segment_profiles", table)
    return dg.MaterializeResult(
        metadata={
            "segments": table.num_rows,
            "profiles": table_metadata(table.select(["segment", "name", "size", "persona"])),
        }
    )


@dg.asset(
    deps=[
        *(segmentation_model, user_segments),
        *("users", "training_users", "user_days", "conversion_signals", "revenue_by_currency"),
    ],
    group_name=GROUP,
    kinds={"matplotlib", "mlflow"},
    description=(
        "The report for marketers, one HTML file: who the segments are, which actions go with conversion "
        "according to the table `signals`, who changed segment, and how well the segments predict."
    ),
)
def segment_report(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Validate the segments on the last month and write the report; MLflow keeps a copy."""
    settings = home.settings()
    segmentation = load_segmentation(segmentation_folder(home.home()))
    validity = _validate(segmentation, warehouse, settings.segmentation)
    supplement = ReportSupplement(
        warehouse.read("from segment_migrations"),
        validity,
        goal=settings.sequences.goal,
        signals=report_signals(warehouse.read("from signals")),
    )
    file = home.home().reports / "segmentation" / REPORT_FILE
    users = select_consenting_users(warehouse.read(USERS))
    write_report(file, segmentation, users, segmentation_settings(home, warehouse), supplement)
    with registry.get().start_run("segment_report", experiment=GROUP) as run:
        run.log_metrics({f"explained_{entry.outcome}": entry.explained for entry in validity})
        run.log_artifacts(file.parent, "report")
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.url(report_address(home.home(), settings.ports, file)),
            "predicts": table_metadata(_build_validity_table(validity), ".3f"),
        }
    )


@dg.asset_check(
    asset=user_segments,
    blocking=True,
    description="Each consenting user has exactly one row, and no other user has a row.",
)
def every_user_has_one_segment(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Compare the consenting users of the mart with the users of `user_segments`."""
    counts = warehouse.read(
        "select count(u.user_id) as users, count(s.user_id) as assigned,"
        " count(distinct s.user_id) as distinct_users"
        " from (from users where has_personalization_consent) as u full join user_segments as s"
        " on u.user_id = s.user_id"
    ).to_pylist()[0]
    return dg.AssetCheckResult(
        passed=bool(counts["users"] == counts["assigned"] == counts["distinct_users"]), metadata=counts
    )


def segmentation_folder(home: Home) -> Path:
    """Return the folder of the fitted segmentation of this home."""
    return home.models / "segmentation"


def _read_history(warehouse: WarehouseResource, settings: SegmentationSettings) -> list[pa.Table]:
    """Read the users as of `HISTORY_MOMENTS` evenly spaced times, if the warehouse counts evidence about them."""
    span = _read_span(warehouse)
    if not settings.evidence.column or span is None:
        return []
    first, last = span
    step = (last - first) / (HISTORY_MOMENTS + 1)
    if step < dt.timedelta(hours=1):
        return []
    return [
        warehouse.read(
            f"select * from training_users(timestamp '{first + number * step}')"
            f" where {settings.evidence.column} > 0 order by md5(user_id) limit {HISTORY_USERS}"
        )
        for number in range(1, HISTORY_MOMENTS + 1)
    ]


def _read_span(warehouse: WarehouseResource) -> tuple[dt.datetime, dt.datetime] | None:
    """Return when the first and the last event about a user happened, None without users."""
    span = warehouse.read(
        "select min(first_seen_at) as first_at, max(last_seen_at) as last_at from users"
    ).to_pylist()[0]
    return None if span["last_at"] is None else (span["first_at"], span["last_at"])


def segmentation_settings(home: HomeResource, warehouse: WarehouseResource) -> SegmentationSettings:
    """The settings of segmentation, with the currency of the site as the unit of money."""
    settings = home.settings()
    expression = site_currency(settings.warehouse, warehouse.get().tables())
    (currency,) = warehouse.read(f"select {expression} as currency")["currency"].to_pylist()
    labels = name_currency(settings.segmentation.labels, currency)
    return settings.segmentation.model_copy(update={"labels": labels})


def _validate(
    segmentation: Segmentation, warehouse: WarehouseResource, settings: SegmentationSettings
) -> Sequence[PredictiveValidity]:
    """Validate segments learned a month ago by what the users did since; empty if the history is too short."""
    span, month = _read_span(warehouse), dt.timedelta(days=settings.validation_days)
    if span is None or span[1] - span[0] < 2 * month:
        return []
    then = span[1] - month
    outcomes = warehouse.read(
        "select user_id, sum(sessions) as sessions, sum(engaged_seconds) as engaged_seconds,"
        " sum(purchases) as purchases"
        f" from user_days where date > date '{then:%Y-%m-%d}' group by user_id order by user_id"
    )
    users_then = warehouse.read(f"select * from training_users(timestamp '{then}') order by user_id")
    return validate_on_later_outcomes(segmentation, users_then, outcomes, settings)


def _collect_measures(segmentation: Segmentation) -> dict[str, float]:
    """Return the measures of the chosen division for MLflow."""
    measures = {
        "segments": float(len(segmentation.ids)),
        "has_structure": float(segmentation.has_structure),
        "described_share": sum(profile.share for profile in segmentation.profiles),
        "kept_variance": float(segmentation.preparation["kept_variance"]),
    }
    for candidate in segmentation.candidates:
        if candidate.chosen:
            measures |= {
                "silhouette": candidate.silhouette,
                "davies_bouldin": candidate.davies_bouldin,
                "calinski_harabasz": candidate.calinski_harabasz,
                "bootstrap_stability": candidate.bootstrap_stability,
            }
    return measures


def _build_validity_table(validity: Sequence[PredictiveValidity]) -> pa.Table:
    """Return how much of the following month the segments explain, with random segments for comparison."""
    return pa.table(
        {
            "outcome": [entry.outcome for entry in validity],
            "explained": [entry.explained for entry in validity],
            "by random segments": [entry.by_chance for entry in validity],
            "p": [entry.p_value for entry in validity],
        }
    )
