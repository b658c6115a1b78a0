"""Each experiment of the definitions file as an asset: analysed with every materialization while it runs."""

from __future__ import annotations

from math import isfinite
from typing import Any

import dagster as dg
import pyarrow as pa

from ml.experiments.analysis.analysis import ExperimentAnalysis, analyse_experiment
from ml.experiments.analysis.exposures import resolve_units
from ml.experiments.analysis.health import check_sample_ratio
from ml.experiments.report import plots
from ml.experiments.report.report import render_report
from ml.experiments.report.summary import summarize_analysis
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.warehouse.experiment_tables import is_due, load_definitions, read_tables, report_folder

GROUP = "experiments"
SHOWN = [
    "metric",
    "variant",
    "role",
    "control_value",
    "relative_effect",
    "relative_low",
    "relative_high",
    "corrected_p",
]


def experiment_asset(experiment_id: str, hypothesis: str) -> dg.AssetsDefinition:
    """The asset of one experiment."""

    @dg.asset(
        name=f"experiment_{experiment_id.replace('-', '_')}",
        deps=["exposures", "experiment_outcomes", "users"],
        group_name=GROUP,
        kinds={"statsmodels", "mlflow"},
        description=f"{hypothesis} Sample ratio, effects, guardrails, and the decision by the rule stated before.",
        metadata={"experiment_id": experiment_id},
    )
    def analysed_experiment(
        home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
    ) -> dg.MaterializeResult[None]:
        settings = home.settings()
        experiments = load_definitions(home.home(), settings)
        tables = read_tables(warehouse.get(), experiment_id)
        state = {"as_of": tables.as_of.isoformat(), "exposures": tables.exposures.num_rows}
        folder = report_folder(home.home(), experiment_id)
        final = folder / "final"
        if tables.exposures.num_rows == 0:
            return dg.MaterializeResult(metadata={**state, "state": "no exposures yet"})
        if final.exists():
            return dg.MaterializeResult(metadata={**state, "state": f"ended: {final.read_text(encoding='utf-8')}"})
        found = analyse_experiment(
            experiments, experiment_id, tables.exposures, tables.outcomes, tables.as_of, settings.experiments
        )
        folder.mkdir(parents=True, exist_ok=True)
        report = folder / "report.html"
        page = render_report(found, settings.experiments.drift_alarm_p)
        report.write_text(page, encoding="utf-8")
        summary = summarize_analysis(found)
        _log(registry, found, page, summary, tables.exposures)
        if not is_due(found.experiment, experiments, tables.as_of):
            # Nothing can change any more: later runs keep this analysis.
            final.write_text(found.decision.verdict, encoding="utf-8")
        return dg.MaterializeResult(
            metadata={
                **state,
                "state": found.decision.verdict,
                "reasons": "; ".join(found.decision.reasons),
                "units": found.counts.units,
                "sample_ratio_p": found.ratio.p_value,
                "report": dg.MetadataValue.path(str(report)),
                "effects": dg.MetadataValue.md(_markdown(summary.select(SHOWN))),
            }
        )

    return analysed_experiment


def experiment_check(experiment_id: str, asset: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
    """The check that a broken experiment shows on its asset's page."""

    @dg.asset_check(
        asset=asset,
        name="sample_ratio_is_as_planned",
        description="Units split over the variants as the definition's shares say; else no effect can be read.",
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
    """One asset and one check for each experiment of the file, read when the definitions are loaded."""
    home = HomeResource()
    found = load_definitions(home.home(), home.settings()).experiments
    assets = {key: experiment_asset(key, experiment.hypothesis) for key, experiment in found.items()}
    return dg.Definitions(
        assets=list(assets.values()),
        asset_checks=[experiment_check(key, asset) for key, asset in assets.items()],
    )


def _log(
    registry: RegistryResource, found: ExperimentAnalysis, page: str, summary: pa.Table, exposures: pa.Table
) -> None:
    experiment = found.experiment
    with registry.get().start_run(
        experiment.id, experiment=GROUP, tags={"verdict": found.decision.verdict}
    ) as run:
        run.log_data("exposures", exposures)
        run.log_params(
            experiment.model_dump(mode="json", include={"primary_metric", "decision", "minimum_detectable_effect"})
        )
        run.log_metrics(_measures(found))
        run.log_table(summary, "effects")
        run.log_text(page, "report.html")
        for detail in found.primary:
            figure = plots.plot_trajectory(found, detail)
            if figure is not None:
                run.log_figure(figure, f"trajectory_{detail.variant}")


def _measures(found: ExperimentAnalysis) -> dict[str, float]:
    measures = {"units": float(found.counts.units), "sample_ratio_p": found.ratio.p_value}
    for result in found.results:
        measures[f"{result.metric}.{result.variant}.relative_effect"] = result.estimate.relative
    return {name: value for name, value in measures.items() if isfinite(value)}


def _markdown(table: pa.Table) -> str:
    names = table.column_names
    rows = [f"| {' | '.join(_cell(row[name]) for name in names)} |" for row in table.to_pylist()]
    return "\n".join([f"| {' | '.join(names)} |", f"|{'---|' * len(names)}", *rows])


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
