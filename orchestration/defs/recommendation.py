"""Recommenders as assets: candidates measured on the past, and the champion that the gate lets through."""

import json
from collections.abc import Mapping
from functools import partial

import dagster as dg
import pyarrow as pa

from ml.evaluation.bootstrap import Interval, mean_interval
from ml.evaluation.figures import comparison_plot
from ml.evaluation.ranking_metrics import figures_by_group
from ml.evaluation.splits import EmptySplitError, NothingLikedError
from ml.recommenders.models.lightfm import LightFMHybrid
from ml.recommenders.selection.ablation import SCHEMA as ABLATION
from ml.recommenders.selection.ablation import ablation, ablation_plot
from ml.recommenders.selection.compare import (
    Candidate,
    Configuration,
    compare,
    comparison_table,
    scores_table,
)
from ml.recommenders.selection.composition import composition_plot
from ml.recommenders.selection.training import (
    FrameSplits,
    champion_configuration,
    planned_configurations,
)
from ml.recommenders.validation import ValidationWindow
from ml.registry.run import Run
from ml.registry.views import CANDIDATES, candidates_view
from ml.segmentation import load_segmentation
from ml.settings import Settings
from orchestration.defs.metadata import figure_metadata
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.defs.segmentation import segmentation_folder
from orchestration.parameter_search import JOURNAL, log_search
from orchestration.spark.training import training_engine
from orchestration.warehouse.frames import FRAMES, MARTS, frames_as_of
from orchestration.warehouse.table_comments import described_tables

GROUP = "recommendation"
CONFIGURATION = pa.field("configuration", pa.string())
CANDIDATE_NOTE = "One configuration, fitted on what was known at the split and measured on what people did next."
IS_LIKED = "somebody_likes_what_is_held_back"
NO_CANDIDATES = pa.schema(
    [
        ("model", pa.string()),
        CONFIGURATION,
        ("users", pa.int64()),
        ("seconds", pa.float64()),
        ("gain", pa.string()),
    ]
)
NO_SCORES = pa.schema([CONFIGURATION, ("user_id", pa.string()), ("value", pa.float64())])
ABLATIONS = ABLATION.insert(0, CONFIGURATION)


@dg.asset(
    deps=[*MARTS, *FRAMES, "segmentation_model", "user_segments"],
    group_name=GROUP,
    kinds={"lightfm", "mlflow"},
    description=(
        "Every configured recommender, the popularity baseline and the champion's configuration: fitted on what "
        "was known at the split, measured on what came next, each a run in MLflow. One row per candidate."
    ),
    check_specs=[
        dg.AssetCheckSpec(
            IS_LIKED,
            asset="candidate_models",
            description="What is held back to judge the candidates by holds something that somebody likes.",
        )
    ],
)
def candidate_models(
    context: dg.AssetExecutionContext, home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # with one, Dagster takes it for one of the two outputs
    """Fit, measure, log, and write the tables `candidate_models` and `candidate_scores`."""
    settings = home.settings()
    splits = frame_splits(home, warehouse)
    try:
        test_split = splits.test_split
    except EmptySplitError as error:
        # A champion stays while people only reject; that it has lost what it was trained on is a fault.
        if registry.get().champion() and not isinstance(error, NothingLikedError):
            raise
        return _without_candidates(warehouse, error)
    segment_of = _segments_then(home, splits)
    champion = registry.get().champion()
    plan = planned_configurations(
        settings.recommenders, champion_configuration(champion.params) if champion else None
    )
    rules = settings.evaluation
    candidates: list[Candidate] = []
    reports: list[pa.Table] = []
    with (
        training_engine(settings) as engine,
        registry.get().start_run("candidates") as parent,
    ):
        parent.set_tags({"engine": settings.recommenders.engine})
        parent.log_data("interactions", splits.now.interactions)
        if settings.recommenders.search.work:
            trials = log_search(
                registry.get(),
                ValidationWindow.of(splits.validation_split, seed=rules.seed),
                models=settings.recommenders.search.models,
                file=home.home().models / JOURNAL,
                work=settings.recommenders.search.work,
                seed=rules.seed,
                parent=parent,
                log=context.log.info,
            )
            if trials[0].configuration not in plan:
                plan.append(trials[0].configuration)
        for candidate in compare(
            plan,
            test_split,
            rules.k,
            metric=rules.metric,
            most_users=rules.most_users,
            segments=segment_of,
            seed=rules.seed,
            diversity=settings.decisions.diversity,
            engine=engine,
            log=context.log.info,
        ):
            candidates.append(candidate)
            metrics = {**candidate.contender(rules.metric).metrics, "seconds": candidate.seconds}
            with registry.get().start_run(
                candidate.configuration.model, parent=parent, description=describe_run(CANDIDATE_NOTE, metrics)
            ) as run:
                run.log_data("interactions", splits.then.interactions)
                run.log_params(candidate.configuration.as_dict())
                run.log_metrics(metrics)
                run.log_table(
                    figures_by_group(candidate.measured, rules.metric, test_split.train.interactions, segment_of),
                    "groups",
                )
                _log_composition(run, candidate, rules.k)
                reports.append(_log_ablation(run, candidate.configuration, splits, settings))
        table = comparison_table(candidates, rules.metric, settings.recommenders.baseline)
        plot = comparison_plot(_intervals(candidates, rules.metric), rules.deciding_metric)
        parent.log_table(table, "comparison")
        parent.log_figure(plot, "comparison")
        parent.log_image(plot, CANDIDATES)
        registry.get().save_view(
            GROUP,
            CANDIDATES,
            candidates_view(
                rules.deciding_metric,
                [f"recall_at_{rules.k}", "coverage", "novelty", "seconds"],
                [candidate.configuration.as_dict() for candidate in candidates],
            ),
        )
    warehouse.write("candidate_models", table)
    warehouse.write("candidate_scores", scores_table(candidates, rules.metric))
    warehouse.write("feature_ablations", pa.concat_tables(reports))
    return dg.MaterializeResult(
        metadata={
            "candidates": len(candidates),
            # Numbers of a name that lasts are what Dagster's pages plot over time.
            **{
                f"{rules.deciding_metric} of {candidate.configuration.model}": candidate.contender(
                    rules.metric
                ).metrics[rules.deciding_metric]
                for candidate in reversed(candidates)
            },
            "test_users": len(candidates[0].measured.users),
            "comparison": dg.MetadataValue.md(table.to_pandas().to_markdown(index=False, floatfmt=".4f")),
            "plot": figure_metadata(plot),
            "warnings": dg.MetadataValue.json(list(test_split.warnings)),
        },
        check_results=[dg.AssetCheckResult(check_name=IS_LIKED, passed=True)],
    )


def _without_candidates(warehouse: WarehouseResource, reason: EmptySplitError) -> dg.MaterializeResult[None]:
    """Leave the tables of candidates empty: a site without items has segments and experiments all the same."""
    need = "people who consent to personalization and react to items (`item_id`) at different times"
    if isinstance(reason, NothingLikedError):
        need = "something that somebody likes after the split"
    warehouse.write("candidate_models", NO_CANDIDATES.empty_table())
    warehouse.write("candidate_scores", NO_SCORES.empty_table())
    warehouse.write("feature_ablations", ABLATIONS.empty_table())
    warning = dg.AssetCheckResult(
        check_name=IS_LIKED,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"no recommender was trained, as a model needs {need}: {reason}",
    )
    return dg.MaterializeResult(metadata={"candidates": 0, "reason": str(reason)}, check_results=[warning])


def describe_run(note: str, metrics: Mapping[str, float]) -> str:
    """Return a description of a run, with what each of its metrics means."""
    columns = described_tables()["candidate_models"]
    meanings = {name: columns.describe(name) for name in metrics}
    return "\n".join([note, "", *(f"- `{name}`: {text}" for name, text in meanings.items() if text)])


def frame_splits(home: HomeResource, warehouse: WarehouseResource) -> FrameSplits:
    """The frames of the warehouse, divided as the settings say."""
    settings = home.settings()
    return FrameSplits(partial(frames_as_of, warehouse.read), settings.evaluation, settings.recommenders)


def _segments_then(home: HomeResource, splits: FrameSplits) -> dict[str, str]:
    """Segment of each user by what was known at the split; users without a segment are left out."""
    segmentation = load_segmentation(segmentation_folder(home.home()))
    assigned = segmentation.assign(splits.then.users)
    names = zip(assigned["user_id"].to_pylist(), assigned["name"].to_pylist(), strict=True)
    return {user: name for user, name in names if name is not None}


def _log_composition(run: Run, candidate: Candidate, k: int) -> None:
    """What more varied lists would cost, and what the service's own cost."""
    if candidate.composition is not None and len(candidate.composition):
        run.log_table(candidate.composition, "composition")
        run.log_figure(composition_plot(candidate.composition, k), "composition")


def _log_ablation(run: Run, configuration: Configuration, splits: FrameSplits, settings: Settings) -> pa.Table:
    """What each family of features is worth to a hybrid, in its run too; empty for other models."""
    model = configuration.make()
    if not isinstance(model, LightFMHybrid):
        return ABLATIONS.empty_table()
    knobs, seed = settings.recommenders.ablation, settings.evaluation.seed
    try:
        sample = splits.validation_split.sample_users(knobs.most_users, seed)
        table = ablation(model.params(), sample, epochs=knobs.epochs, seed=seed)
    except EmptySplitError as error:
        run.set_tags({"ablation": f"not measured, since {error}"})
        return ABLATIONS.empty_table()
    if len(table) > 1:
        run.log_table(table, "ablation")
        run.log_figure(ablation_plot(table), "ablation")
        rows = table.to_pylist()[1:]
        for row in rows:
            name = f"gain_of_{row['without'].replace(' ', '_')}"
            run.log_metrics({name: row["gain"], f"{name}_low": row["gain_low"], f"{name}_high": row["gain_high"]})
            run.set_tags({name: row["reading"]})
    return table.add_column(0, CONFIGURATION, [[to_json(configuration)] * len(table)])


def to_json(configuration: Configuration) -> str:
    """A configuration as the key of tables."""
    return json.dumps(configuration.as_dict(), sort_keys=True)


def _intervals(candidates: list[Candidate], metric: str) -> dict[str, Interval]:
    return {
        candidate.configuration.model: mean_interval(candidate.measured.per_user[metric])
        for candidate in candidates
    }
