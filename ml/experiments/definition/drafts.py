"""Write new definitions into experiments.yaml and keep what it contains, including comments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ml.errors import TesseraError
from ml.experiments.definition.definition import ExperimentDefinitions
from ml.experiments.definition.definitions_file import ExperimentsFileError, load_experiments


class ExperimentExistsError(TesseraError, ValueError):
    """The file already defines an experiment with this id."""


def add_experiment(path: Path, experiment_id: str, body: dict[str, Any]) -> ExperimentDefinitions:
    """Append an experiment to the `experiments:` of a file, which is created if it does not exist.

    The file is checked with the addition. If the check fails, the file is left as it was.

    Args:
        path: the file of definitions.
        experiment_id: id of the new experiment.
        body: definition of the new experiment.

    Raises:
        ExperimentExistsError: the id is in use.
        ExperimentsFileError: the file or the new definition is not valid.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else "version: 1\n"
    if path.exists() and experiment_id in load_experiments(path).experiments:
        raise ExperimentExistsError(f"{path.name} already defines the experiment {experiment_id!r}")
    entry = yaml.safe_dump({experiment_id: body}, sort_keys=False, allow_unicode=True, width=100)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_insert_entry(before, entry), encoding="utf-8")
    try:
        return load_experiments(path)
    except ExperimentsFileError:
        if before == "version: 1\n":
            path.unlink()
        else:
            path.write_text(before, encoding="utf-8")
        raise


def _insert_entry(text: str, entry: str) -> str:
    """Insert an entry at the end of the mapping `experiments:`."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    lines = text.splitlines()
    indented = ["  " + line for line in entry.splitlines()]
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value != "experiments":
            continue
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            margin = " " * value.value[0][0].start_mark.column
            end = value.end_mark.line
            while end > 0 and not lines[end - 1].strip():
                end -= 1
            block = ["", *(margin + line for line in entry.splitlines())]
            return "\n".join([*lines[:end], *block, *lines[end:]]) + "\n"
        # An empty `experiments:` or `experiments: {}` is replaced.
        start = key.start_mark.line
        stop = max(value.end_mark.line, start) + (1 if value.end_mark.column else 0)
        return "\n".join([*lines[:start], "experiments:", *indented, *lines[max(stop, start + 1) :]]) + "\n"
    return "\n".join([*lines, "", "experiments:", *indented]) + "\n"
