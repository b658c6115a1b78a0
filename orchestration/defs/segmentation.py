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
from ml.segmentation.profiles.labels import FeatureLabels
from ml.segmentation.profiles.profiles import build_profile_table
from ml.segmentation.profiles.report import ReportSupplement, write_report
from ml.segmentation.site_segmentation import assign_user_segments, segment_site, validate_on_later_outcomes
from ml.segmentation.user_removal import REPORT_FILE
from ml.settings.segmentation import SegmentationSettings
from orchestration.defs.metadata import figure_metadata, table_metadata
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.warehouse.marts import USER_SEGMENTS, USERS

GROUP = "segmentation"
HISTORY_MOMENTS = 8  # as-of tables of users, of a second each, from which the trust in little evidence is learned
HISTORY_USERS = 20_000  # in each of them
SESSIONS = """
    with pages as (
        select page_views.session_key,
            count(case when items.price is not null then 1 end) as product_pages,
            count(case when page_views.item_id is not null and items.price is null then 1 end) as content_pages,
            count(case when page_views.item_id is null then 1 end) as other_pages
        from page_views
        inner join sessions on page_views.session_key = sessions.session_key
        left join items on page_views.item_id = items.item_id
        where sessions.converted_at is null or page_views.viewed_at < sessions.converted_at
        group by page_views.session_key
    )
    select user_id, started_at, local_started_at, page_views, duration_seconds, daypart, device_type, country,
        channel, funnel_stage, is_converted, signals_before_conversion, product_pages, content_pages, other_pages
    from sessions left join pages on sessions.session_key = pages.session_key
    where not is_bot and not is_internal
    order by user_id, started_at, session_id
"""
FEEDBACK = "select user_id, segment, agrees from segment_feedback order by occurred_at, feedback_id"


@dg.asset(
    deps=["users", "sessions", "page_views", "items", "segment_feedback", "training_users", "user_days"],
    group_name=GROUP,
    kinds={"scikitlearn", "mlflow"},
    description=(
        "Segments learned from the users who consent to personalization: features selected and prepared, k-means, "
        "Gaussian mixtures, DBSCAN and HDBSCAN compared by one rule, personas described, validated on the last "
        "month. Segments keep their number and name from run to run."
    ),
)
def segmentation_model(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Fit, validate and report a segmentation; MLflow keeps the run and `models/segmentation` the model."""
    settings, folder = home.settings().segmentation, segmentation_folder(home.home())
    tables = warehouse.get().tables()
    site = segment_site(
        warehouse.read(USERS),
        warehouse.read(SESSIONS),
        warehouse.read(FEEDBACK),
        settings,
        previous=load_segmentation(folder) if folder.exists() else None,
        before=warehouse.read(USER_SEGMENTS) if "user_segments" in tables else None,
        earlier=_read_history(warehouse, settings),
    )
    segmentation = site.segmentation
    validity = _validate(segmentation, warehouse, settings)
    report = home.home().reports / "segmentation" / REPORT_FILE
    write_report(report, segmentation, site.users, settings, ReportSupplement(site.moves, validity))
    segmentation.save(folder)
    figures = {
        "user_map": plot_user_map(segmentation.scores(site.users), site.segments, segmentation.profiles),
        "sizes": plot_sizes(segmentation.profiles),
    }
    if segmentation.candidates:
        figures["choice"] = plot_choice(segmentation.candidates)
        figures["traits"] = plot_traits(segmentation.profiles, FeatureLabels(settings.labels))
    with registry.get().start_run("segmentation", experiment=GROUP) as run:
        run.log_data("users", site.users)
        run.log_params(settings.choice.model_dump(mode="json"))
        run.log_metrics(_collect_measures(segmentation, validity))
        for name, figure in figures.items():
            run.log_figure(figure, name)
        if segmentation.candidates:
            run.log_table(pa.Table.from_pylist(segmentation.document()["choice"]["table"]), "choice")
        run.log_artifacts(folder, "segmentation")
        run.log_artifacts(report.parent, "report")
    return dg.MaterializeResult(
        metadata={
            "reason": segmentation.reason,
            "segments": len(segmentation.ids),
            "users": site.users.num_rows,
            "report": dg.MetadataValue.url(report.as_uri()),
            "features": ", ".join(segmentation.preparation["features"]),
            "dropped": dg.MetadataValue.json(segmentation.preparation["dropped"]),
            "kept_variance": segmentation.preparation["kept_variance"],
            "predicts": table_metadata(_build_validity_table(validity), ".3f"),
            **{name: figure_metadata(figure) for name, figure in figures.items()},
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
    before = warehouse.read(USER_SEGMENTS) if "user_segments" in warehouse.get().tables() else segments
    moves = compute_migration(before, segments)
    warehouse.write("user_segments", segments)
    warehouse.write("segment_migrations", moves)
    return dg.MaterializeResult(
        metadata={
            "users": segments.num_rows,
            "without_segment": int(pc.sum(pc.equal(segments["segment"], NOISE)).as_py() or 0),
            "migration": table_metadata(moves, ".3f"),
        }
    )


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


def _collect_measures(segmentation: Segmentation, validity: Sequence[PredictiveValidity]) -> dict[str, float]:
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
    return measures | {f"explained_{entry.outcome}": entry.explained for entry in validity}


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
