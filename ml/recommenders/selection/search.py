"""Search for parameters by Optuna: a budget of work, bad trials pruned, a killed search goes on where it was.

Work is estimated from the shape of the data, as for `auto`, so that a busy machine tries the same as an idle one.
The study lives in a journal file. Trials judge by a validation window of the training data; the test window plays
no part.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pyarrow as pa
from numpy.linalg import LinAlgError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from ml.arrays import F64
from ml.errors import InvalidInputError
from ml.evaluation.bootstrap import Interval, mean_interval
from ml.recommenders.base import Recommender
from ml.recommenders.models.lightfm import LightFMHybrid
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.selection.plan.shape import DataShape
from ml.recommenders.selection.plan.work import fit_work, judge_work
from ml.recommenders.selection.search_spaces import SPACES
from ml.recommenders.validation import ValidationWindow, sample_users

PREVIEW_USERS = 0.25  # of the users are trained on first, to prune by; LightFM is pruned by its epochs
NO_VALUE = Interval(float("nan"), float("nan"), float("nan"), 0.95)


@dataclass(frozen=True)
class SearchTrial:
    """One configuration that was tried.

    Attributes:
        number: place in the study, from 0.
        configuration: the model and its parameters.
        state: complete, pruned or failed; only complete ones have a value.
        interval: mean of the metric over the judges, with its interval.
        work: units that it was estimated at, see `plan.work`.
        seconds: time that it took; nothing is decided by it.
        reason: why it failed.
    """

    number: int
    configuration: Configuration
    state: str
    interval: Interval
    work: float
    seconds: float
    reason: str = ""


def search(
    models: Sequence[str],
    window: ValidationWindow,
    *,
    file: Path,
    name: str,
    work: float,
    most_trials: int | None = None,
    seed: int = 0,
    finished: Callable[[SearchTrial], None] = lambda trial: None,
) -> list[SearchTrial]:
    """Try configurations until the work is used up, that of earlier calls on the same study counted.

    Args:
        models: names of `SPACES`; each is tried with its own defaults first.
        window: what configurations are fitted on and judged by.
        file: journal of all studies.
        name: of the study: data, window and models that make trials comparable. The same name goes on.
        work: budget of the study in the units of `plan.work`; the last trial may exceed it.
        most_trials: ends the call before the work does.
        seed: seed of the sampler.
        finished: gets each trial of this call when it ends.

    Returns:
        All trials of the study: complete ones best first, then the others.

    Raises:
        ValueError: a model has no space to search.
    """
    unknown = [model for model in models if model not in SPACES]
    if unknown or not models:
        raise InvalidInputError(
            f"no space to search for {', '.join(unknown) or 'no model'}; there are {', '.join(SPACES)}"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    study, shape, tried = _study(file, name, seed), DataShape.of(window.past), 0
    if not study.trials:
        for model in models:
            defaults = make_recommender(model).params()
            study.enqueue_trial({"model": model, **SPACES[model].for_data(shape).encoded(model, defaults)})
    _take_up(study)
    while most_trials is None or tried < most_trials:
        if sum(trial.work for trial in _described(study)) >= work:
            break
        study.optimize(
            lambda trial: _objective(trial, models, window, shape),
            n_trials=1,
            catch=(ValueError, LinAlgError),
            callbacks=[lambda _, trial: finished(_as_trial(trial))],
        )
        tried += 1
    done = _described(study)
    return sorted(done, key=lambda trial: (trial.state != "complete", -np.nan_to_num(trial.interval.mean)))


def search_table(trials: Sequence[SearchTrial], metric: str) -> pa.Table:
    """One row a trial: number, model, configuration as JSON, state, metric with its interval, work, seconds."""
    rows = [
        {
            "trial": trial.number,
            "model": trial.configuration.model,
            "configuration": json.dumps(trial.configuration.as_dict(), sort_keys=True),
            "state": trial.state,
            metric: trial.interval.mean,
            "low": trial.interval.low,
            "high": trial.interval.high,
            "work": trial.work,
            "seconds": trial.seconds,
            "reason": trial.reason,
        }
        for trial in trials
    ]
    return pa.Table.from_pylist(rows)


def best_intervals(trials: Sequence[SearchTrial], most: int = 15) -> dict[str, Interval]:
    """The best complete trials by name, for the comparison plot."""
    complete = [trial for trial in trials if trial.state == "complete"][:most]
    return {f"{trial.configuration.model} #{trial.number}": trial.interval for trial in complete}


def _study(file: Path, name: str, seed: int) -> optuna.Study:
    logging.getLogger("optuna").setLevel(logging.WARNING)  # `finished` tells of trials
    storage = JournalStorage(JournalFileBackend(str(file)))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1, n_min_trials=3)
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True, pruner=pruner
    )
    # A study that goes on must not draw what it drew before.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _take_up(study: optuna.Study) -> None:
    """Trials that were under way when the process died are failed, and tried again."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)


def _objective(trial: optuna.Trial, models: Sequence[str], window: ValidationWindow, shape: DataShape) -> float:
    model = trial.suggest_categorical("model", list(models))
    params = SPACES[model].for_data(shape).suggest(model, trial)
    _note(trial, model, params)
    recommender = make_recommender(model, **params)
    trial.set_user_attr("work", _work_of(Configuration(model, params), recommender, window, shape))
    if isinstance(recommender, LightFMHybrid):
        values, epochs = _by_epoch(recommender, window, trial)
        _note(trial, model, {**params, "epochs": epochs})
    else:
        values = _by_preview(model, params, window, trial)
    interval = mean_interval(values)
    trial.set_user_attr("low", interval.low)
    trial.set_user_attr("high", interval.high)
    return interval.mean


def _work_of(
    configuration: Configuration, recommender: Recommender, window: ValidationWindow, shape: DataShape
) -> float:
    """Units of work of a trial, with its preview or its look at every epoch; pruned trials count as whole."""
    n_ranked = shape.n_all_items if window.columns is None else len(window.columns)
    fitted = fit_work(configuration, shape)
    judged = judge_work(configuration, shape, len(window.users), n_ranked)
    if isinstance(recommender, LightFMHybrid):
        return fitted + recommender.epochs * judged
    return (1 + PREVIEW_USERS) * fitted + 2 * judged


def _by_epoch(recommender: LightFMHybrid, window: ValidationWindow, trial: optuna.Trial) -> tuple[F64, int]:
    """Values after the best epoch, and its number."""
    curve: list[F64] = []

    def look(epoch: int) -> None:
        curve.append(window.judge(recommender))
        _report(trial, float(np.nanmean(curve[-1])), epoch)

    recommender.take_ids(window.past)
    recommender.fit_with_callback(window.past, look)
    best = int(np.argmax([np.nanmean(values) for values in curve]))
    return curve[best], best + 1


def _by_preview(model: str, params: Mapping[str, Any], window: ValidationWindow, trial: optuna.Trial) -> F64:
    """Values of the whole training; one on some of the users comes first, to prune by."""
    n_users = int((np.diff(window.past.interactions.liked.indptr) > 0).sum())
    some = sample_users(window.past, max(1, int(n_users * PREVIEW_USERS)))
    preview = make_recommender(model, **params).fit_aligned(some)
    _report(trial, float(np.nanmean(window.judge(preview))), 1)
    return window.judge(make_recommender(model, **params).fit_aligned(window.past))


def _report(trial: optuna.Trial, value: float, step: int) -> None:
    trial.report(value, step)
    if trial.should_prune():
        raise optuna.TrialPruned(f"below the median of the other trials at step {step}")


def _note(trial: optuna.Trial, model: str, params: Mapping[str, Any]) -> None:
    trial.set_user_attr("configuration", Configuration(model, params).as_dict())


def _described(study: optuna.Study) -> list[SearchTrial]:
    return [_as_trial(trial) for trial in study.trials if trial.state.is_finished()]


def _as_trial(trial: FrozenTrial) -> SearchTrial:
    noted = trial.user_attrs.get("configuration") or {"model": str(trial.params.get("model"))}
    states = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    interval = NO_VALUE
    if trial.state == TrialState.COMPLETE and trial.value is not None:
        interval = Interval(trial.value, trial.user_attrs["low"], trial.user_attrs["high"], 0.95)
    seconds = trial.duration.total_seconds() if trial.duration is not None else 0.0
    reason = str(trial.system_attrs.get("fail_reason", ""))
    return SearchTrial(
        trial.number,
        Configuration.from_dict(noted),
        states[trial.state],
        interval,
        trial.user_attrs.get("work", 0.0),
        seconds,
        reason,
    )
