"""Segments of users as assets: the fitted model, every user's segment, and what sets the segments apart."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import dagster as dg
import pyarrow as pa
from matplotlib.figure import Figure

from ml.home import Home
from ml.segmentation import Segmentation, fit_segmentation, load_segmentation
from ml.segmentation.figures import choice_plot, sizes_plot, traits_plot, user_map
from ml.segmentation.identity import migration
from ml.segmentation.profiles import profile_table
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource

GROUP = "segmentation"


@dg.asset(
    deps=["users"],
    group_name=GROUP,
    kinds={"scikitlearn", "mlflow"},
    description=(
        "Segments learned from the users who consent to personalization: features selected and prepared, k-means, "
        "Gaussian mixtures, DBSCAN and HDBSCAN compared by one rule. Segments keep their number and name "
        "over runs."
    ),
)
def segmentation_model(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Fit, log to MLflow and keep under `models/segmentation`."""
    users = warehouse.read("users")
    folder = segmentation_folder(home.home())
    previous = load_segmentation(folder) if folder.exists() else None
    found = fit_segmentation(users, home.settings().segmentation, previous)
    found.save(folder)
    segments = found.assign(users).column("segment").to_numpy()
    figures = {
        "user_map": user_map(found.scores(users), segments, found.profiles),
        "choice": choice_plot(found.candidates),
        "sizes": sizes_plot(found.profiles),
        "traits": traits_plot(found.profiles),
    }
    with registry.get().start_run("segmentation", experiment=GROUP) as run:
        run.log_data("users", users)
        run.log_params(home.settings().segmentation.choice.model_dump(mode="json"))
        run.log_metrics(_measures(found))
        for name, figure in figures.items():
            run.log_figure(figure, name)
        run.log_table(pa.Table.from_pylist(found.document()["choice"]["table"]), "choice")
        run.log_artifacts(folder, "segmentation")
    return dg.MaterializeResult(
        metadata={
            "reason": found.reason,
            "segments": len(found.ids),
            "users": users.num_rows,
            "features": ", ".join(found.preparation["features"]),
            "dropped": dg.MetadataValue.json(found.preparation["dropped"]),
            "kept_variance": found.preparation["kept_variance"],
            **{name: _picture(figure) for name, figure in figures.items()},
        }
    )


@dg.asset(
    deps=[segmentation_model],
    group_name=GROUP,
    kinds={"duckdb"},
    description="One row per user: segment, name and the membership of every segment. Written beside dbt's marts.",
)
def user_segments(home: HomeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Assign every user and tell who moved since the last run."""
    found = load_segmentation(segmentation_folder(home.home()))
    fresh = found.assign(warehouse.read("users"))
    before = warehouse.read("user_segments") if "user_segments" in warehouse.get().tables() else fresh.slice(0, 0)
    moves = migration(before, fresh)
    warehouse.write("user_segments", fresh)
    warehouse.write("segment_migrations", moves)
    return dg.MaterializeResult(
        metadata={
            "users": fresh.num_rows,
            "without_segment": fresh.num_rows - sum(profile.size for profile in found.profiles),
            "migration": dg.MetadataValue.md(_markdown(moves)),
        }
    )


@dg.asset(
    deps=[segmentation_model],
    group_name=GROUP,
    kinds={"duckdb"},
    description=(
        "One row per segment: size, share, strongest traits and persona. Segments below the minimum size are left out."
    ),
)
def segment_profiles(home: HomeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Publish the profiles that are large enough."""
    found = load_segmentation(segmentation_folder(home.home()))
    table = profile_table(found.profiles, home.settings().segmentation.minimum_segment_size)
    warehouse.write("segment_profiles", table)
    return dg.MaterializeResult(
        metadata={
            "segments": table.num_rows,
            "profiles": dg.MetadataValue.md(_markdown(table.select(["segment", "name", "size", "share"]))),
        }
    )


@dg.asset_check(asset=user_segments, blocking=True, description="Each user of the mart has exactly one row.")
def every_user_has_one_segment(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Compare the users of the mart with those of the segments."""
    counted = warehouse.read(
        "select count(*) as users, count(s.user_id) as assigned, count(distinct s.user_id) as distinct_users "
        "from users left join user_segments as s using (user_id)"
    ).to_pylist()[0]
    return dg.AssetCheckResult(
        passed=bool(counted["users"] == counted["assigned"] == counted["distinct_users"]), metadata=counted
    )


def segmentation_folder(home: Home) -> Path:
    """Where the fitted segmentation of this home lies."""
    return home.models / "segmentation"


def _measures(found: Segmentation) -> dict[str, float]:
    """Numbers of the chosen division for MLflow."""
    measures = {
        "segments": float(len(found.ids)),
        "has_structure": float(found.has_structure),
        "smallest_share": min(profile.share for profile in found.profiles),
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
    return measures


def _picture(figure: Figure) -> dg.MarkdownMetadataValue:
    """A figure that Dagster's pages show."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return dg.MetadataValue.md(f"![figure](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})")


def _markdown(table: pa.Table) -> str:
    """A small table for Dagster's pages."""
    lines = [f"| {' | '.join(table.column_names)} |", "|" + "---|" * table.num_columns]
    for row in table.to_pylist():
        cells = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
