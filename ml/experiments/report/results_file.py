"""The results of an analysis as a file beside its report, for the console."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ml.errors import DamagedFileError
from ml.home import replace_file

if TYPE_CHECKING:
    from ml.experiments.analysis.analysis import ExperimentAnalysis

FILE = "results.json"


@dataclass(frozen=True)
class ExperimentResults:
    """What an analysis found; it names nobody.

    Attributes:
        experiment_id: Id of the experiment.
        hypothesis: Its hypothesis.
        starts_at: Its start, UTC, ISO 8601.
        ends_at: Its end.
        as_of: Time up to which outcomes are known.
        primary_metric: Name of its primary metric.
        verdict: The decision in a word.
        reasons: The reasons in words.
        units: Units that were analysed.
        sample_ratio_p: P-value of the split that was planned.
        has_wrong_ratio: Whether that is too low for any effect to be interpreted.
        effects: The rows of `summarize_analysis`.
    """

    experiment_id: str
    hypothesis: str
    starts_at: str
    ends_at: str
    as_of: str
    primary_metric: str
    verdict: str
    reasons: list[str]
    units: int
    sample_ratio_p: float
    has_wrong_ratio: bool
    effects: list[dict[str, Any]]


def write_results(folder: Path, analysis: ExperimentAnalysis, summary: pa.Table) -> None:
    """Write the results of an analysis as `results.json` of a folder.

    Args:
        folder: The folder.
        analysis: The analysis.
        summary: What `summarize_analysis` says of it.
    """
    experiment = analysis.experiment
    results = ExperimentResults(
        experiment_id=experiment.id,
        hypothesis=experiment.hypothesis,
        starts_at=experiment.starts_at.isoformat(),
        ends_at=experiment.ends_at.isoformat(),
        as_of=analysis.as_of.isoformat(),
        primary_metric=experiment.primary_metric,
        verdict=analysis.decision.verdict,
        reasons=list(analysis.decision.reasons),
        units=analysis.counts.units,
        sample_ratio_p=float(analysis.ratio.p_value),
        has_wrong_ratio=bool(analysis.ratio.alarm),
        effects=summary.to_pylist(),
    )
    replace_file(folder / FILE, json.dumps(asdict(results), ensure_ascii=False, indent=1).encode())


def read_results(reports: Path) -> list[ExperimentResults]:
    """Read the results of all experiments that were analysed, the newest start first.

    Args:
        reports: The folder `experiments` of the reports.

    Raises:
        DamagedFileError: A file holds no results.
    """
    results = []
    for file in sorted(reports.glob(f"*/{FILE}")):
        try:
            results.append(ExperimentResults(**json.loads(file.read_text(encoding="utf-8"))))
        except (ValueError, TypeError) as error:
            raise DamagedFileError(
                file, "these are no results of an experiment", "delete it; `tessera materialize` makes it anew"
            ) from error
    return sorted(results, key=lambda each: each.starts_at, reverse=True)
