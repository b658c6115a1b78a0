"""Load experiments.yaml and check all of it; each fault is reported with its line and the legal values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

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
from ml.site.yaml_lines import LineNumbers, Location, YamlError, parse_yaml, read_yaml

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
    """A fault in the file.

    Attributes:
        line: line in the file, from 1.
        place: path of the field.
        message: what is wrong.
    """

    line: int
    place: str
    message: str


class ExperimentsFileError(TesseraError, ValueError):
    """The file is not valid; `faults` lists every reason."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        self.path = path
        self.faults = sorted(faults, key=lambda fault: fault.line)
        super().__init__(
            "\n".join(f"{path.name}:{fault.line}: {fault.place}: {fault.message}" for fault in self.faults)
        )


def load_experiments(path: Path, text: str | None = None) -> ExperimentDefinitions:
    """Load and check a file of experiments.

    The metric library is merged in; the file's own metrics take precedence.

    Args:
        path: The file.
        text: What the file is going to hold; None reads it.

    Raises:
        ExperimentsFileError: the file is not YAML or violates a rule; all faults are listed with their lines.
        FileNotFoundError: the file does not exist.
    """
    data, lines = read_definitions(path, text)
    definitions, faults = validate_definitions(data)
    if faults:
        raise ExperimentsFileError(path, [to_fault(location, message, lines) for location, message in faults])
    return definitions


def validate_definitions(data: Any) -> tuple[ExperimentDefinitions, list[tuple[Location, str]]]:
    """Return the typed form of a file's data, and the location and message of every fault.

    The definitions are empty if the data have no typed form.
    """
    try:
        definitions = ExperimentDefinitions.model_validate(
            _add_defaults(data) if isinstance(data, dict) else data or {}
        )
    except ValidationError as error:
        details = [(tuple(detail["loc"]), detail) for detail in error.errors()]
        return ExperimentDefinitions(), [(place, _describe_error(detail, place)) for place, detail in details]
    return definitions, list(find_inconsistencies(definitions))


def to_fault(location: Location, message: str, lines: LineNumbers) -> Fault:
    """Return a fault with its line."""
    return Fault(lines.find(location), _format_place(location), message)


@cache
def load_metric_library() -> Mapping[str, Any]:
    """Load the metrics that come with the product, by name."""
    data, _ = read_definitions(METRIC_LIBRARY)
    return ExperimentDefinitions.model_validate(data).metrics


def read_definitions(path: Path, text: str | None = None) -> tuple[Any, LineNumbers]:
    """Read the file, or a text that it is going to hold, and the lines of its fields."""
    try:
        return read_yaml(path) if text is None else parse_yaml(text)
    except YamlError as error:
        raise ExperimentsFileError(path, [Fault(error.line, "file", str(error))]) from None


def _add_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """Merge in the metric library, write ids into experiments and drop empty sections."""
    merged = dict(data)
    file_metrics = data.get("metrics") or {}
    merged["metrics"] = (
        {**load_metric_library(), **file_metrics} if isinstance(file_metrics, dict) else file_metrics
    )
    experiments = data.get("experiments")
    if isinstance(experiments, dict):
        merged["experiments"] = {
            key: {**body, "id": str(key)} if isinstance(body, dict) else body for key, body in experiments.items()
        }
    for section in ("layers", "holdouts", "experiments", "global_control"):
        if merged.get(section, ...) is None:
            del merged[section]
    return merged


def _format_place(location: Location) -> str:
    """Format a location as a dotted path."""
    return ".".join(str(part) for part in location) or "file"


def _describe_error(detail: Any, location: Location) -> str:
    """Describe a validation error with the bad value and the legal ones."""
    kind, value, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown field {location[-1]!r}; legal: {', '.join(_list_legal_fields(location))}"
    if kind == "literal_error":
        return f"{value!r} is not legal; legal: {context['expected']}"
    if kind == "union_tag_invalid":
        return f"{context['tag']!r} is not a kind of metric; legal: {', '.join(metric_kinds.METRIC_KINDS)}"
    if kind == "union_tag_not_found":
        return f"needs a kind; legal: {', '.join(metric_kinds.METRIC_KINDS)}"
    if kind == "missing":
        return "is required"
    if kind in ("timezone_aware", "datetime_from_date_parsing", "datetime_parsing"):
        return f"{value!r} is not a time with a time zone, such as 2026-11-01T00:00:00Z"
    return f"{detail['msg']}, not {value!r}"


def _list_legal_fields(location: Location) -> list[str]:
    """List the legal fields at a location."""
    for part in reversed(location[:-1]):
        model = _MODELS.get(str(part))
        if model is not None:
            names = [field.alias or name for name, field in model.model_fields.items()]
            return [name for name in names if name != "id"]
    return list(ExperimentDefinitions.model_fields)
