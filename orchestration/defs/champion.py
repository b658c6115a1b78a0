"""The model that is served as an asset: what the gate lets through, which some people get first."""

import datetime as dt
import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from ml.evaluation.bootstrap import mean_interval
from ml.evaluation.gate import Contender, Verdict, elect
from ml.home import make_folder
from ml.monitoring.inputs.drift_table import plot_profiles
from ml.monitoring.inputs.reference import FOLDER as REFERENCE
from ml.monitoring.inputs.reference import Reference
from ml.monitoring.journal import TRIED, Journal
from ml.recommenders.base import Recommender
from ml.recommenders.models.zoo import load_recommender
from ml.recommenders.newcomers.welcome import FILE as WELCOME
from ml.recommenders.newcomers.welcome import Welcome
from ml.recommenders.selection.ablation import sure_gain
from ml.recommenders.selection.cold_start import curves_plot, curves_table, measured_curves, sure_curve
from ml.recommenders.selection.compare import Configuration, contenders_from_tables
from ml.recommenders.selection.frames import FIRST_VISIT_COLUMNS, TrainingFrames
from ml.recommenders.selection.training import champion_configuration, guardrails_of, trained
from ml.recommenders.training_data import TrainingData
from ml.registry.run import Run
from ml.segmentation import load_segmentation
from ml.settings import Settings
from orchestration.defs.recommendation import GROUP, candidate_models, describe_run, frame_splits, to_json
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.defs.segmentation import segmentation_folder
from orchestration.runtime.canary_end import CANARY_FOLDER
from orchestration.runtime.instance import FROM_SCRATCH
from orchestration.spark.training import training_engine
from orchestration.warehouse.canary_people import count_answered_people
from orchestration.warehouse.input_windows import read_reference

if TYPE_CHECKING:
    from ml.registry.registry import ModelVersion
    from ml.registry.trials import CanaryTrial, CanaryTrials

NOTE = "The chosen configuration, fitted on everything. Its figures are those of the candidate."


@dataclass(frozen=True)
class _Chosen:
    """A configuration that is fitted: its name, what the gate measured, and the folder of its welcome."""

    model: str
    configuration: Mapping[str, Any]
    metrics: Mapping[str, float]
    folder: Path


@dg.asset(
    deps=[candidate_models, "canary"],
    group_name=GROUP,
    kinds={"lightfm", "mlflow"},
    description=(
        "The recommender that is served. The best candidate replaces the champion only if it beats the "
        "champion's configuration by more than noise and breaks no guardrail; otherwise the champion is refreshed."
        " Where the service answers enough people, a new configuration answers some of them first, see `canary`."
    ),
)
def champion_model(
    context: dg.AssetExecutionContext, home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Decide, fit the chosen configuration on everything, register it, and move the alias if the gate says so."""
    from ml.registry.trials import CanaryTrials  # noqa: PLC0415  MLflow takes seconds to load

    settings, now = home.settings(), dt.datetime.now(dt.UTC)
    trials = CanaryTrials(registry.get())
    trial, champion = trials.running(), registry.get().champion()
    contenders = contenders_from_tables(warehouse.read("candidate_models"), warehouse.read("candidate_scores"))
    if not contenders:
        return dg.MaterializeResult(metadata={"verdict": "kept", "reasons": "there is no candidate"})
    resting = _resting(trials, trial, contenders, now, settings)
    chosen, verdict = _elect(contenders, champion, resting, settings)
    context.log.info("%s: %s", verdict.kind, "; ".join(verdict.reasons))
    metadata: dict[str, dg.MetadataValue | str | float] = {
        "verdict": verdict.kind,
        "reasons": dg.MetadataValue.md("\n".join(f"- {reason}" for reason in verdict.reasons)),
        "model": chosen.name,
    }
    if verdict.promote:
        frames = frame_splits(home, warehouse).now
        for_canary = home.home().models / CANARY_FOLDER
        metrics = _with_interval(chosen, settings.evaluation.deciding_metric)
        fit = _Fitting(context, home, warehouse, registry, frames)
        planned = _planned_people(warehouse, settings, now) if verdict.kind == "improvement" else 0
        if planned * settings.canary.share >= settings.canary.least_people:
            version = fit.version(_Chosen(chosen.name, chosen.configuration, metrics, for_canary))
            trials.start(
                version.version,
                chosen.name,
                chosen.configuration,
                verdict.reasons,
                _finite(metrics),
                planned,
                now,
            )
            text = f"{chosen.name} (version {version.version}) answers {settings.canary.share:.0%} of the people"
            Journal(home.home()).note(TRIED, version.version, f"{text}: {verdict.reasons[0]}.", now)
            metadata["tried"] = text
        else:
            goes_on = champion if verdict.kind == "refresh" else None
            of_champion = _Chosen(chosen.name, chosen.configuration, metrics, home.home().models)
            version = fit.version(of_champion, goes_on)
            registry.get().promote(version.version, kind=verdict.kind, reasons=verdict.reasons)
        if trial is not None:
            of_trial = _Chosen(trial.model, trial.configuration, trial.metrics, for_canary)
            trials.renew(trial, fit.version(of_trial, registry.get().version(trial.version)).version)
        metadata["version"] = str(version.version)
    metadata |= {name: float(value) for name, value in chosen.metrics.items() if not math.isnan(value)}
    return dg.MaterializeResult(metadata=metadata)


def _elect(
    contenders: list[Contender],
    champion: "ModelVersion | None",
    resting: list[tuple[Mapping[str, Any], str]],
    settings: Settings,
) -> tuple[Contender, Verdict]:
    rules = settings.evaluation
    return elect(
        contenders,
        champion_configuration(champion.params) if champion else None,
        settings.recommenders.baseline,
        guardrails_of(rules),
        metric=rules.deciding_metric,
        least_gain=rules.least_gain,
        confidence=rules.confidence,
        seed=rules.seed,
        resting=resting,
    )


def _resting(
    trials: "CanaryTrials",
    trial: "CanaryTrial | None",
    contenders: list[Contender],
    now: dt.datetime,
    settings: Settings,
) -> list[tuple[Mapping[str, Any], str]]:
    """The configurations that may not replace the champion now: all while one is tried, else those rolled back."""
    from ml.registry.trials import Outcome  # noqa: PLC0415  MLflow takes seconds to load

    if trial is not None:
        why = f"version {trial.version} is being tried since {trial.started_at:%Y-%m-%d}"
        return [(contender.configuration, why) for contender in contenders]
    rest = dt.timedelta(days=settings.canary.rest_days)
    return [
        (
            ended.configuration,
            f"it was rolled back on {ended.ended_at:%Y-%m-%d} and rests until {ended.ended_at + rest:%Y-%m-%d}",
        )
        for ended in trials.ended()
        if ended.outcome is Outcome.ROLLED_BACK and ended.ended_at is not None and now - ended.ended_at < rest
    ]


def _with_interval(chosen: Contender, metric: str) -> dict[str, float]:
    """The figures of a contender, with the bounds of the one that decides."""
    interval = mean_interval(chosen.per_user)
    return {**chosen.metrics, f"{metric}_low": interval.low, f"{metric}_high": interval.high}


def _planned_people(warehouse: WarehouseResource, settings: Settings, now: dt.datetime) -> int:
    """People whom a trial of the longest duration would see, by those whom models answered lately."""
    return count_answered_people(warehouse.read, now - dt.timedelta(days=settings.canary.most_days))


class _Fitting:
    """Fits configurations on everything and registers them."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        home: HomeResource,
        warehouse: WarehouseResource,
        registry: RegistryResource,
        frames: TrainingFrames,
    ) -> None:
        self.warehouse, self.registry, self.frames = warehouse, registry, frames
        self.settings, self.home = home.settings(), home.home()
        self.ablations = warehouse.read("feature_ablations")
        self.from_scratch = FROM_SCRATCH in context.run.tags
        self.data = frames.training_data(self.settings.recommenders)

    def version(self, chosen: _Chosen, former: "ModelVersion | None" = None) -> "ModelVersion":
        """Fit a configuration, going on from a former version of it if there is one, and register it."""
        configuration = Configuration.from_dict(chosen.configuration)
        epochs = self.settings.recommenders.update_epochs
        registry = self.registry.get()
        with (
            training_engine(self.settings) as engine,
            tempfile.TemporaryDirectory(prefix="tessera-champion-") as folder,
            registry.start_run(f"champion {chosen.model}", description=describe_run(NOTE, chosen.metrics)) as run,
        ):
            before = None
            if former is not None and epochs > 0 and not self.from_scratch:
                before = load_recommender(registry.download(former, Path(folder) / "before"))
            recommender = trained(configuration, self.data, before, epochs, engine)
            run.set_tags({"engine": self.settings.recommenders.engine})
            if recommender is before and former is not None:
                run.log_params({"goes_on_from_version": former.version})
            run.log_params({"configuration": json.dumps(dict(chosen.configuration), sort_keys=True)})
            run.log_metrics(chosen.metrics)
            run.log_data("interactions", self.frames.interactions)
            welcome = _welcome(run, recommender, configuration, self.data, self.ablations, self.settings)
            make_folder(chosen.folder)
            welcome.save(chosen.folder / WELCOME)
            segmentation = load_segmentation(segmentation_folder(self.home))
            reference = read_reference(self.warehouse.read, recommender, segmentation, self.settings)
            _log_reference(run, reference, chosen.folder)
            recommender.save(Path(folder) / "recommender")
            return registry.register(run, Path(folder) / "recommender")


def _log_reference(run: Run, reference: Reference, folder: Path) -> None:
    """Keep the profile of what the model was trained on for the bundle, and show it in the run."""
    reference.save(folder / REFERENCE)
    run.log_artifacts(folder / REFERENCE, REFERENCE)
    run.log_figure(plot_profiles(reference.columns), REFERENCE)


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if math.isfinite(value)}


def _welcome(
    run: Run,
    recommender: Recommender,
    chosen: Configuration,
    data: TrainingData,
    ablations: pa.Table,
    settings: Settings,
) -> Welcome:
    """Questions for newcomers and how fast the champion learns of them; the curves go to the run."""
    settled = Configuration(chosen.model, recommender.settled_params())
    curves = measured_curves(
        settled, data, settings.recommenders.cold_start.most_users, settings.evaluation.seed, FIRST_VISIT_COLUMNS
    )
    if curves:
        run.log_figure(curves_plot(curves, settings.evaluation.k), "cold_start")
        run.log_table(curves_table(curves), "cold_start")
    country = sure_gain(ablations.filter(pc.equal(ablations["configuration"], to_json(chosen))), "user country")
    consent = {"location": country} if country is not None else {}
    return Welcome.prepare(recommender, data, sure_curve(curves.get("fold-in", {})), consent)
