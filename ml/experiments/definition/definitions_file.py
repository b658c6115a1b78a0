"""experiments.yaml, checked whole at load: every fault with its line, the bad value and the legal ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ml.errors import TesseraError
from ml.experiments.definition import metrics as metric_kinds
from ml.experiments.definition.consistency import find_inconsistencies
from ml.experiments.definition.definition import (
    DecisionRule,
    Experiment,
    ExperimentDefinitions,
    GlobalControl,
    GuardrailMetric,
    Holdout,
    Layer,
    RampStep,
    Variant,
)
from ml.site.yaml_lines import DuplicateKeyError, Lines, Location, read_yaml

METRIC_LIBRARY = Path(__file__).with_name("metrics.yaml")

_MODELS: Mapping[str, type[BaseModel]] = {
    "experiments": Experiment,
    "variants": Variant,
    "ramp": RampStep,
    "guardrails": GuardrailMetric,
    "decision": DecisionRule,
    "layers": Layer,
    "holdouts": Holdout,
    "global_control": GlobalControl,
    "proportion": metric_kinds.ProportionMetric,
    "mean": metric_kinds.MeanMetric,
    "revenue": metric_kinds.RevenueMetric,
    "ratio": metric_kinds.RatioMetric,
    "funnel": metric_kinds.FunnelMetric,
    "retention": metric_kinds.RetentionMetric,
    "quantile": metric_kinds.QuantileMetric,
}


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the file."""

    line: int
    place: str
    message: str


class ExperimentsFileError(TesseraError, ValueError):
    """The file does not hold; `faults` has every reason."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        self.path = path
        self.faults = sorted(faults, key=lambda fault: fault.line)
        super().__init__(
            "\n".join(f"{path.name}:{fault.line}: {fault.place}: {fault.message}" for fault in self.faults)
        )


def load_experiments(path: Path) -> ExperimentDefinitions:
    """Read and check the file of experiments; the metric library is merged in below the file's own metrics.

    Raises
    ------
    ExperimentsFileError
        The file is not YAML, or breaks a rule; all faults are listed with their lines.
    FileNotFoundError
        There is no such file.
    """
    data, lines = _read(path)
    if isinstance(data, dict):
        data = _with_defaults(data)
    try:
        experiments = ExperimentDefinitions.model_validate(data or {})
    except ValidationError as error:
        raise ExperimentsFileError(path, list(_faults(error, lines))) from None
    faults = [
        Fault(lines.find(location), _place(location), message)
        for location, message in find_inconsistencies(experiments)
    ]
    if faults:
        raise ExperimentsFileError(path, faults)
    return experiments


@cache
def load_metric_library() -> Mapping[str, Any]:
    """Return the metrics that come with the project, by name."""
    data, lines = _read(METRIC_LIBRARY)
    try:
        return ExperimentDefinitions.model_validate(data).metrics
    except ValidationError as error:
        raise ExperimentsFileError(METRIC_LIBRARY, list(_faults(error, lines))) from None


def _read(path: Path) -> tuple[Any, Lines]:
    try:
        return read_yaml(path)
    except DuplicateKeyError as error:
        raise ExperimentsFileError(path, [Fault(error.line, "file", str(error))]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ExperimentsFileError(path, [Fault(line, "file", f"not YAML: {error.problem}")]) from None


def _with_defaults(data: dict[str, Any]) -> dict[str, Any]:
    merged = dict(data)
    own = data.get("metrics") or {}
    merged["metrics"] = {**load_metric_library(), **own} if isinstance(own, dict) else own
    experiments = data.get("experiments")
    if isinstance(experiments, dict):
        merged["experiments"] = {
            key: {**body, "id": str(key)} if isinstance(body, dict) else body for key, body in experiments.items()
        }
    for section in ("layers", "holdouts", "experiments", "global_control"):
        if merged.get(section, ...) is None:
            del merged[section]
    return merged


def _faults(error: ValidationError, lines: Lines) -> Iterator[Fault]:
    for detail in error.errors():
        location: Location = tuple(detail["loc"])
        yield Fault(lines.find(location), _place(location), _message(detail, location))


def _place(location: Location) -> str:
    return ".".join(str(part) for part in location) or "file"


def _message(detail: Any, location: Location) -> str:
    kind, value, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown field {location[-1]!r}; legal: {', '.join(_legal_fields(location))}"
    if kind == "literal_error":
        return f"{value!r} is not legal; one of {context['expected']}"
    if kind == "union_tag_invalid":
        return f"{context['tag']!r} is not a kind of metric; one of {', '.join(metric_kinds.METRIC_KINDS)}"
    if kind == "union_tag_not_found":
        return f"needs a kind: one of {', '.join(metric_kinds.METRIC_KINDS)}"
    if kind == "missing":
        return "is required"
    if kind in ("timezone_aware", "datetime_from_date_parsing", "datetime_parsing"):
        return f"{value!r} is not a time with a zone, such as 2026-11-01T00:00:00Z"
    return f"{detail['msg']}, not {value!r}"


def _legal_fields(location: Location) -> list[str]:
    for part in reversed(location[:-1]):
        model = _MODELS.get(str(part))
        if model is not None:
            names = [field.alias or name for name, field in model.model_fields.items()]
            return [name for name in names if name != "id"]
    return list(ExperimentDefinitions.model_fields)
