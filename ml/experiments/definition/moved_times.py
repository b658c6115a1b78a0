"""Moves the times of an experiment in the text of experiments.yaml, and keeps what else stands there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import yaml

from ml.errors import TesseraError
from ml.experiments.definition.definition import Experiment

EXPERIMENTS, STARTS, ENDS, RAMP, FROM = "experiments", "starts_at", "ends_at", "ramp", "from"


class FixedTimeError(TesseraError, ValueError):
    """A time of an experiment cannot be moved; the message says why."""


def start_at(text: str, experiment: Experiment, moment: dt.datetime) -> str:
    """Return the text with an experiment that begins at another time and lasts as long as before.

    Its end and the steps of its ramp move along.

    Args:
        text: The file of the definitions.
        experiment: The experiment, as the text defines it.
        moment: Its new start, aware.

    Raises:
        FixedTimeError: A time of the experiment does not stand in its own definition.
    """
    shift = moment - experiment.starts_at
    body = _find_body(text, experiment.id)
    moved = {STARTS: experiment.starts_at, ENDS: experiment.ends_at}
    edits = [(_time_of(body, name, experiment.id), time + shift) for name, time in moved.items()]
    steps = _child(body, RAMP)
    if experiment.ramp:
        if not isinstance(steps, yaml.SequenceNode) or len(steps.value) != len(experiment.ramp):
            raise _fixed(experiment.id, RAMP)
        nodes = (_time_of(node, FROM, experiment.id) for node in steps.value)
        edits += [(node, step.starts_at + shift) for node, step in zip(nodes, experiment.ramp, strict=True)]
    return _replace(text, edits, body, experiment.id)


def stop_at(text: str, experiment: Experiment, moment: dt.datetime) -> str:
    """Return the text with an experiment that ends at another time. What was measured until then stays.

    Args:
        text: The file of the definitions.
        experiment: The experiment, as the text defines it.
        moment: Its new end, aware.

    Raises:
        FixedTimeError: The end of the experiment does not stand in its own definition.
    """
    body = _find_body(text, experiment.id)
    return _replace(text, [(_time_of(body, ENDS, experiment.id), moment)], body, experiment.id)


def _find_body(text: str, experiment_id: str) -> yaml.MappingNode:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    body = _child(_child(root, EXPERIMENTS), experiment_id)
    if not isinstance(body, yaml.MappingNode):
        raise _fixed(experiment_id, STARTS)
    return body


def _entries(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        yield str(key.value), value


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    return dict(_entries(node)).get(name)


def _time_of(node: yaml.Node, name: str, experiment_id: str) -> yaml.ScalarNode:
    time = _child(node, name)
    if not isinstance(time, yaml.ScalarNode):
        raise _fixed(experiment_id, name)
    return time


def _replace(
    text: str, edits: list[tuple[yaml.ScalarNode, dt.datetime]], body: yaml.MappingNode, experiment_id: str
) -> str:
    """Write times in the place of others, from the last one of the text to the first."""
    for node, time in sorted(edits, key=lambda edit: -edit[0].start_mark.index):
        start, end = node.start_mark.index, node.end_mark.index
        if not body.start_mark.index <= start <= end <= body.end_mark.index:  # an alias of what stands elsewhere
            raise _fixed(experiment_id, STARTS)
        text = f"{text[:start]}{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}{text[end:]}"
    return text


def _fixed(experiment_id: str, name: str) -> FixedTimeError:
    return FixedTimeError(
        f"{name} of {experiment_id} does not stand in its own definition: change it in the file by hand"
    )
