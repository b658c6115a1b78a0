"""Parameter search recorded in MLflow: each trial is a child run, with a plot and a table of all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ml.errors import InvalidInputError
from ml.evaluation.figures import comparison_plot
from ml.recommenders.selection.search import SearchTrial, best_intervals, search, search_table
from ml.recommenders.validation import ValidationWindow
from ml.registry.fingerprint import data_fingerprint
from ml.registry.run import Run

if TYPE_CHECKING:
    from ml.registry.registry import Registry

JOURNAL = "search.journal"  # in the home's folder of models: all studies


def log_search(
    registry: Registry,
    window: ValidationWindow,
    *,
    models: Sequence[str],
    file: Path,
    work: float,
    seed: int,
    parent: Run | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> list[SearchTrial]:
    """Search on the window; the study is that of its data, models and what is judged: the same search goes on.

    Returns:
        All trials of the study, the best first.

    Raises:
        ValueError: a model has no space to search, or no trial came to an end.
    """
    data = data_fingerprint(window.past.interactions.to_table())
    name = f"{data[:16]} {','.join(models)} {window.metric}{' of known items' * (window.ranked == 'known')}"
    with registry.start_run("search", parent=parent, tags={"study": name}) as run:
        run.log_params({"models": ",".join(models), "work": work, "study": name})

        def finished(trial: SearchTrial) -> None:
            title = f"{trial.configuration.model} #{trial.number}"
            with registry.start_run(title, parent=run, tags={"trial.state": trial.state}) as child:
                child.log_params(trial.configuration.as_dict())
                child.log_metrics({"work": trial.work, "seconds": trial.seconds})
                if trial.state == "complete":
                    child.log_metrics({f"validation_{window.metric}": trial.interval.mean})
            value = "" if math.isnan(trial.interval.mean) else f" {window.metric} {trial.interval.mean:.4f}"
            log(f"{title} {trial.state}{value} with {trial.work:.1f} units of work {trial.reason}".rstrip())

        trials = search(models, window, file=file, name=name, work=work, seed=seed, finished=finished)
        run.log_table(search_table(trials, window.metric), "search")
        if not any(trial.state == "complete" for trial in trials):
            raise InvalidInputError(
                f"no trial came to an end within {work:g} units of work: give the search more of them"
            )
        run.log_figure(comparison_plot(best_intervals(trials), window.metric), "search")
    return trials
