"""Assets of experiments.

Each experiment of the definitions file is analysed with every materialization while it runs.
"""

from __future__ import annotations

from math import isfinite

import dagster as dg
import pyarrow as pa

from ml.experiments.analysis.analysis import ExperimentAnalysis, analyse_experiment
from ml.experiments.analysis.exposures import resolve_units
from ml.experiments.analysis.health import check_sample_ratio
from ml.experiments.report import plots
from ml.experiments.report.report import render_report
from ml.experiments.report.summary import summarize_analysis
from orchestration.defs.metadata import table_metadata
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.warehouse.experiment_tables import is_final, load_definitions, read_tables, report_folder

GROUP = "experiments"
SHOWN = [
    "metric",
    "variant",
    "role",
    "control_value",
    "control_units",
    "variant_value",
    "variant_units",
    "relative_effect",
    "relative_low",
    "relative_high",
    "corrected_p",
    "missing",
]


def build_experiment_asset(experiment_id: str, hypothesis: str) -> dg.AssetsDefinition:
    """Build the asset of an experiment."""

    @dg.asset(
        name=f"experiment_{experiment_id.replace('-', '_')}",
        deps=["exposures", "experiment_outcomes", "users"],
        group_name=GROUP,
        kinds={"statsmodels", "mlflow"},
        description=f"{hypothesis} Sample ratio, effects, guardrails, and the decision by the stated rule.",
        metadata={"experiment_id": experiment_id},
    )
    def analysed_experiment(
        home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
    ) -> dg.MaterializeResult[None]:
        settings = home.settings()
        definitions = load_definitions(home.home(), settings)
        tables = read_tables(warehouse.get(), experiment_id)
        state = {"as_of": tables.as_of.isoformat(), "exposures": tables.exposures.num_rows}
        folder = report_folder(home.home(), experiment_id)
        final = folder / "final"
        if tables.exposures.num_rows == 0:
            return dg.MaterializeResult(metadata={**state, "state": "no exposures yet"})
        if final.exists():
            return dg.MaterializeResult(metadata={**state, "state": f"ended: {final.read_text(encoding='utf-8')}"})
        analysis = analyse_experiment(
            definitions, experiment_id, tables.exposures, tables.outcomes, tables.as_of, settings.experiments
        )
        folder.mkdir(parents=True, exist_ok=True)
        report = folder / "report.html"
        page = render_report(analysis, settings.experiments.drift_alarm_p)
        report.write_text(page, encoding="utf-8")
        summary = summarize_analysis(analysis)
        _log_analysis(registry, analysis, page, summary, tables.exposures)
        if is_final(analysis.experiment, definitions, tables.as_of):
            # The result is final, so later runs keep this analysis.
            final.write_text(analysis.decision.verdict, encoding="utf-8")
        return dg.MaterializeResult(
            metadata={
                **state,
                "state": analysis.decision.verdict,
                "reasons": "; ".join(analysis.decision.reasons),
                "units": analysis.counts.units,
                "sample_ratio_p": analysis.ratio.p_value,
                "report": dg.MetadataValue.path(str(report)),
                "effects": table_metadata(summary.select(SHOWN)),
            }
        )

    return analysed_experiment


def build_experiment_check(experiment_id: str, asset: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
    """Build the check that shows a wrong sample ratio on the page of the experiment's asset."""

    @dg.asset_check(
        asset=asset,
        name="sample_ratio_is_as_planned",
        description="Units are split as the definition's shares say; otherwise no effect can be interpreted.",
    )
    def sample_ratio_is_as_planned(home: HomeResource, warehouse: WarehouseResource) -> dg.AssetCheckResult:
        settings = home.settings()
        experiment = load_definitions(home.home(), settings).get(experiment_id)
        units, _ = resolve_units(read_tables(warehouse.get(), experiment_id).exposures, experiment)
        ratio = check_sample_ratio(units, experiment, settings.experiments.srm_alarm_p)
        return dg.AssetCheckResult(
            passed=not ratio.alarm,
            metadata={
                "p_value": ratio.p_value,
                "observed": dg.MetadataValue.json(dict(zip(ratio.variants, ratio.observed, strict=True))),
                "expected": dg.MetadataValue.json(dict(zip(ratio.variants, ratio.expected, strict=True))),
            },
        )

    return sample_ratio_is_as_planned


@dg.definitions
def experiments() -> dg.Definitions:
    """Build an asset and a check for each experiment of the file, which is read at definition time."""
    home = HomeResource()
    definitions = load_definitions(home.home(), home.settings()).experiments
    assets = {key: build_experiment_asset(key, experiment.hypothesis) for key, experiment in definitions.items()}
    return dg.Definitions(
        assets=list(assets.values()),
        asset_checks=[build_experiment_check(key, asset) for key, asset in assets.items()],
    )


def _log_analysis(
    registry: RegistryResource, analysis: ExperimentAnalysis, page: str, summary: pa.Table, exposures: pa.Table
) -> None:
    """Log the analysis as a run of MLflow."""
    experiment = analysis.experiment
    with registry.get().start_run(
        experiment.id, experiment=GROUP, tags={"verdict": analysis.decision.verdict}
    ) as run:
        run.log_data("exposures", exposures)
        run.log_params(
            experiment.model_dump(mode="json", include={"primary_metric", "decision", "minimum_detectable_effect"})
        )
        run.log_metrics(_collect_measures(analysis))
        run.log_table(summary, "effects")
        run.log_text(page, "report.html")
        for detail in analysis.primary:
            figure = plots.plot_trajectory(analysis, detail)
            if figure is not None:
                run.log_figure(figure, f"trajectory_{detail.variant}")


def _collect_measures(analysis: ExperimentAnalysis) -> dict[str, float]:
    """Return the finite measures of the analysis for MLflow."""
    measures = {"units": float(analysis.counts.units), "sample_ratio_p": analysis.ratio.p_value}
    for result in analysis.results:
        measures[f"{result.metric}.{result.variant}.relative_effect"] = result.estimate.relative
    return {name: value for name, value in measures.items() if isfinite(value)}
