"""Assets of experiments.

Each experiment of the definitions file is analysed with every materialization while it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path

import dagster as dg
import pyarrow as pa

from ml.experiments.analysis.analysis import ExperimentAnalysis, analyse_experiment
from ml.experiments.analysis.exposures import resolve_units
from ml.experiments.analysis.health import check_sample_ratio
from ml.experiments.definition.definition import ExperimentDefinitions
from ml.experiments.definition.definitions_file import ExperimentsFileError
from ml.experiments.definition.usable_definitions import UsableDefinitions
from ml.experiments.report import plots
from ml.experiments.report.report import render_report
from ml.experiments.report.results_file import FILE as RESULTS
from ml.experiments.report.results_file import write_results
from ml.experiments.report.summary import summarize_analysis
from orchestration.defs.metadata import table_metadata
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.runtime.addresses import report_address
from orchestration.warehouse.experiment_tables import (
    fingerprint_analysis,
    is_final,
    load_usable_definitions,
    read_tables,
    report_folder,
)

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
        definitions = load_usable_definitions(home.home(), settings).definitions
        tables = read_tables(warehouse.get(), experiment_id)
        state = {"as_of": tables.as_of.isoformat(), "exposures": tables.exposures.num_rows}
        folder = report_folder(home.home(), experiment_id)
        final = folder / "final"
        if tables.exposures.num_rows == 0:
            return dg.MaterializeResult(metadata={**state, "state": "no exposures yet"})
        fingerprint = fingerprint_analysis(warehouse.get(), definitions.get(experiment_id), definitions, settings)
        verdict = _read_final(final, fingerprint)
        if verdict is not None and (folder / RESULTS).exists():
            return dg.MaterializeResult(metadata={**state, "state": f"ended: {verdict}"})
        analysis = analyse_experiment(
            definitions, experiment_id, tables.exposures, tables.outcomes, tables.as_of, settings.experiments
        )
        folder.mkdir(parents=True, exist_ok=True)
        report = folder / "report.html"
        page = render_report(analysis, settings.experiments.drift_alarm_p)
        report.write_text(page, encoding="utf-8")
        summary = summarize_analysis(analysis)
        write_results(folder, analysis, summary)
        _log_analysis(registry, analysis, page, summary, tables.exposures)
        if is_final(analysis.experiment, definitions, tables.as_of):
            # Later runs keep this analysis as long as nothing that it depends on changes.
            final.write_text(f"{analysis.decision.verdict}\n{fingerprint}\n", encoding="utf-8")
        return dg.MaterializeResult(
            metadata={
                **state,
                "state": analysis.decision.verdict,
                "reasons": "; ".join(analysis.decision.reasons),
                "units": analysis.counts.units,
                "sample_ratio_p": analysis.ratio.p_value,
                "report": dg.MetadataValue.url(report_address(home.home(), settings.ports, report)),
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
        experiment = load_usable_definitions(home.home(), settings).definitions.get(experiment_id)
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
    """Build an asset and a check for each experiment of the file, which is read at definition time.

    Experiments with a fault are left out, and an asset of their own says why.
    """
    home = HomeResource()
    try:
        usable = load_usable_definitions(home.home(), home.settings())
    except ExperimentsFileError as error:
        usable = UsableDefinitions(ExperimentDefinitions(), {"every experiment": str(error)})
    assets = {
        key: build_experiment_asset(key, experiment.hypothesis)
        for key, experiment in usable.definitions.experiments.items()
    }
    return dg.Definitions(
        assets=[*assets.values(), *([build_left_out_asset(usable.left_out)] if usable.left_out else [])],
        asset_checks=[build_experiment_check(key, asset) for key, asset in assets.items()],
    )


def build_left_out_asset(left_out: Mapping[str, str]) -> dg.AssetsDefinition:
    """Build the asset that names the experiments that are not analysed, with the reason for each."""

    @dg.asset(
        name="experiments_left_out",
        group_name=GROUP,
        kinds={"yaml"},
        description="Experiments that are not analysed, because their definition has a fault.",
    )
    def experiments_left_out() -> dg.MaterializeResult[None]:
        for key, reason in left_out.items():
            dg.get_dagster_logger().warning("%s is left out of the analyses: %s", key, reason)
        return dg.MaterializeResult(metadata=left_out)

    return experiments_left_out


def _read_final(file: Path, fingerprint: str) -> str | None:
    """Return the verdict of the final analysis of this fingerprint, None if there is none."""
    if not file.exists():
        return None
    verdict, _, kept = file.read_text(encoding="utf-8").partition("\n")
    return verdict if kept.strip() == fingerprint else None


def _log_analysis(
    registry: RegistryResource, analysis: ExperimentAnalysis, page: str, summary: pa.Table, exposures: pa.Table
) -> None:
    """Log the analysis as a run of MLflow."""
    experiment = analysis.experiment
    with registry.get().start_run(
        f"{experiment.id} {analysis.as_of:%Y-%m-%d}",
        experiment=GROUP,
        tags={"verdict": analysis.decision.verdict},
        description=f"{experiment.hypothesis} {'; '.join(analysis.decision.reasons)}",
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
