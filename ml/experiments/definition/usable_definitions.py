"""Load experiments.yaml without the experiments that have a fault, so that the others go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.experiments.definition.definition import ExperimentDefinitions
from ml.experiments.definition.definitions_file import (
    ExperimentsFileError,
    read_definitions,
    to_fault,
    validate_definitions,
)
from ml.site.yaml_lines import LineNumbers, Location


@dataclass(frozen=True)
class UsableDefinitions:
    """The definitions without faults.

    Attributes:
        definitions: the experiments that can be analysed.
        left_out: why each of the others cannot, by its key in the file.
    """

    definitions: ExperimentDefinitions
    left_out: Mapping[str, str]


def load_usable_experiments(path: Path) -> UsableDefinitions:
    """Load a file of experiments without those that have a fault, or that name a metric with a fault.

    Raises:
        ExperimentsFileError: the file is not YAML, or has a fault outside of its experiments and metrics.
        FileNotFoundError: the file does not exist.
    """
    data, lines = read_definitions(path)
    left_out: dict[str, str] = {}
    while True:
        definitions, faults = validate_definitions(data)
        if not faults:
            return UsableDefinitions(definitions, left_out)
        if not all(_is_in_file(data, location) for location, _ in faults):
            raise ExperimentsFileError(path, [to_fault(location, text, lines) for location, text in faults])
        reasons = _explain_by_experiment(data, faults, path, lines)
        left_out.update({key: "; ".join(texts) for key, texts in reasons.items()})
        broken = {location[1] for location, _ in faults if location[0] == "metrics"}
        data = {
            **data,
            "experiments": {key: body for key, body in _section(data, "experiments") if str(key) not in reasons},
            "metrics": {key: body for key, body in _section(data, "metrics") if key not in broken},
        }


def _explain_by_experiment(
    data: Any, faults: list[tuple[Location, str]], path: Path, lines: LineNumbers
) -> dict[str, list[str]]:
    """Return the faults of each experiment, those of the metrics that it names included."""
    reasons: dict[str, list[str]] = {}
    for location, message in faults:
        fault = to_fault(location, message, lines)
        text = f"{path.name}:{fault.line}: {fault.place}: {message}"
        if location[0] == "experiments":
            reasons.setdefault(str(location[1]), []).append(text)
            continue
        for key, body in _section(data, "experiments"):
            if location[1] in _named_metrics(body):
                reasons.setdefault(str(key), []).append(text)
    return reasons


def _is_in_file(data: Any, location: Location) -> bool:
    """Return whether a fault belongs to an experiment or a metric of the file."""
    if len(location) < 2 or location[0] not in ("experiments", "metrics"):
        return False
    return str(location[1]) in {str(key) for key, _ in _section(data, str(location[0]))}


def _section(data: Any, name: str) -> list[tuple[Any, Any]]:
    """Return the entries of a section."""
    return list((data.get(name) or {}).items())


def _named_metrics(body: Any) -> set[Any]:
    """Return the names of the metrics in the body of an experiment, which may be of any form."""
    if not isinstance(body, dict):
        return set()
    guardrails = body.get("guardrails")
    names = [body.get("primary_metric"), *(body.get("secondary_metrics") or ())]
    names += [entry.get("metric") for entry in guardrails or () if isinstance(entry, dict)]
    return {name for name in names if isinstance(name, str)}
