"""Segments of users as assets: the fitted model with its report, every user's segments, and the profiles."""

from __future__ import annotations

import base64
import datetime as dt
import io
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure

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
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.warehouse.marts import USER_SEGMENTS, USERS

GROUP = "segmentation"
SESSIONS = """
    select user_id, started_at, local_started_at, page_views, duration_seconds, daypart, device_type, country,
        channel, funnel_stage, is_converted, signals_before_conversion
    from sessions where not is_bot and not is_internal
    order by user_id, started_at, session_id
"""
FEEDBACK = "select user_id, segment, agrees from segment_feedback order by occurred_at, feedback_id"


@dg.asset(
    deps=["users", "sessions", "segment_feedback", "training_users", "user_days"],
    group_name=GROUP,
    kinds={"scikitlearn", "mlflow"},
    description=(
        "Segments learned from the users who consent to personalization: features selected and prepared, k-means, "
        "Gaussian mixtures, DBSCAN and HDBSCAN compared by one rule, personas told, validated on the last month. "
        "Segments keep their number and name over runs."
    ),
)
def segmentation_model(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Fit, validate, report; MLflow keeps the run, `models/segmentation` the model."""
    settings, folder = home.settings().segmentation, segmentation_folder(home.home())
    tables = warehouse.get().tables()
    site = segment_site(
        warehouse.read(USERS),
        warehouse.read(SESSIONS),
        warehouse.read(FEEDBACK),
        settings,
        previous=load_segmentation(folder) if folder.exists() else None,
        before=warehouse.read(USER_SEGMENTS) if "user_segments" in tables else None,
    )
    found = site.segmentation
    validity = _validity(found, warehouse, settings)
    report = home.home().reports / "segmentation" / REPORT_FILE
    write_report(report, found, site.users, settings, ReportSupplement(site.moves, validity))
    found.save(folder)
    figures = {
        "user_map": plot_user_map(found.scores(site.users), site.segments, found.profiles),
        "sizes": plot_sizes(found.profiles),
    }
    if found.candidates:
        figures["choice"] = plot_choice(found.candidates)
        figures["traits"] = plot_traits(found.profiles, FeatureLabels(settings.labels))
    with registry.get().start_run("segmentation", experiment=GROUP) as run:
        run.log_data("users", site.users)
        run.log_params(settings.choice.model_dump(mode="json"))
        run.log_metrics(_measures(found, validity))
        for name, figure in figures.items():
            run.log_figure(figure, name)
        if found.candidates:
            run.log_table(pa.Table.from_pylist(found.document()["choice"]["table"]), "choice")
        run.log_artifacts(folder, "segmentation")
        run.log_artifacts(report.parent, "report")
    return dg.MaterializeResult(
        metadata={
            "reason": found.reason,
            "segments": len(found.ids),
            "users": site.users.num_rows,
            "report": dg.MetadataValue.url(report.as_uri()),
            "features": ", ".join(found.preparation["features"]),
            "dropped": dg.MetadataValue.json(found.preparation["dropped"]),
            "kept_variance": found.preparation["kept_variance"],
            "predicts": dg.MetadataValue.md(_validity_table(validity)),
            **{name: _picture(figure) for name, figure in figures.items()},
        }
    )


@dg.asset(
    deps=[segmentation_model],
    group_name=GROUP,
    kinds={"duckdb"},
    description=(
        "One row per consenting user: segment, name and memberships, and the segments by rule (engagement, "
        "daypart, RFM, funnel, device, place, own). Written beside dbt's marts; `segment_migrations` tells moves."
    ),
)
def user_segments(home: HomeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Assign every user and tell who moved since the last run."""
    found = load_segmentation(segmentation_folder(home.home()))
    rules = load_site_rules(home.home(), home.settings().segmentation.rules_file)
    fresh = assign_user_segments(found, warehouse.read(USERS), rules)
    before = warehouse.read(USER_SEGMENTS) if "user_segments" in warehouse.get().tables() else fresh
    moves = compute_migration(before, fresh)
    warehouse.write("user_segments", fresh)
    warehouse.write("segment_migrations", moves)
    return dg.MaterializeResult(
        metadata={
            "users": fresh.num_rows,
            "without_segment": int(pc.sum(pc.equal(fresh["segment"], NOISE)).as_py() or 0),
            "migration": dg.MetadataValue.md(_markdown(moves)),
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
    """Publish the profiles that are large enough."""
    found = load_segmentation(segmentation_folder(home.home()))
    table = build_profile_table(found.profiles)
    warehouse.write("segment_profiles", table)
    return dg.MaterializeResult(
        metadata={
            "segments": table.num_rows,
            "profiles": dg.MetadataValue.md(_markdown(table.select(["segment", "name", "size", "persona"]))),
        }
    )


@dg.asset_check(
    asset=user_segments,
    blocking=True,
    description="Each consenting user has exactly one row, and nobody else has one.",
)
def every_user_has_one_segment(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Compare the users of the mart with those of the segments."""
    counted = warehouse.read(
        "select count(u.user_id) as users, count(s.user_id) as assigned,"
        " count(distinct s.user_id) as distinct_users"
        " from (from users where has_personalization_consent) as u full join user_segments as s"
        " on u.user_id = s.user_id"
    ).to_pylist()[0]
    return dg.AssetCheckResult(
        passed=bool(counted["users"] == counted["assigned"] == counted["distinct_users"]), metadata=counted
    )


def segmentation_folder(home: Home) -> Path:
    """Where the fitted segmentation of this home lies."""
    return home.models / "segmentation"


def _validity(
    found: Segmentation, warehouse: WarehouseResource, settings: SegmentationSettings
) -> Sequence[PredictiveValidity]:
    """Today's segments of last month's users against what they did since; nothing if the log is shorter."""
    span = warehouse.read(
        "select min(first_seen_at) as first_at, max(last_seen_at) as last_at from users"
    ).to_pylist()[0]
    month = dt.timedelta(days=settings.validation_days)
    if span["last_at"] is None or span["last_at"] - span["first_at"] < 2 * month:
        return []
    then = span["last_at"] - month
    outcomes = warehouse.read(
        "select user_id, sum(sessions) as sessions, sum(engaged_seconds) as engaged_seconds,"
        " sum(purchases) as purchases"
        f" from user_days where date > date '{then:%Y-%m-%d}' group by user_id order by user_id"
    )
    users_then = warehouse.read(f"select * from training_users(timestamp '{then}') order by user_id")
    return validate_on_later_outcomes(found, users_then, outcomes, settings)


def _measures(found: Segmentation, validity: Sequence[PredictiveValidity]) -> dict[str, float]:
    """Numbers of the chosen division for MLflow."""
    measures = {
        "segments": float(len(found.ids)),
        "has_structure": float(found.has_structure),
        "described_share": sum(profile.share for profile in found.profiles),
        "kept_variance": float(found.preparation["kept_variance"]),
    }
    for candidate in found.candidates:
        if candidate.chosen:
            measures |= {
                "silhouette": candidate.silhouette,
                "davies_bouldin": candidate.davies_bouldin,
                "calinski_harabasz": candidate.calinski_harabasz,
                "bootstrap_stability": candidate.bootstrap_stability,
            }
    return measures | {f"explained_{entry.outcome}": entry.explained for entry in validity}


def _picture(figure: Figure) -> dg.MarkdownMetadataValue:
    """A figure that Dagster's pages show."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return dg.MetadataValue.md(f"![figure](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})")


def _validity_table(validity: Sequence[PredictiveValidity]) -> str:
    """What the segments explain of the following month, beside random segments."""
    return _markdown(
        pa.table(
            {
                "outcome": [entry.outcome for entry in validity],
                "explained": [entry.explained for entry in validity],
                "by random segments": [entry.by_chance for entry in validity],
                "p": [entry.p_value for entry in validity],
            }
        )
    )


def _markdown(table: pa.Table) -> str:
    """A small table for Dagster's pages."""
    lines = [f"| {' | '.join(table.column_names)} |", "|" + "---|" * table.num_columns]
    for row in table.to_pylist():
        cells = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
