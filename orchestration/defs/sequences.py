"""Assets of sequences: visits as paths, what brought conversions about, and the intent of a running visit."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pyarrow as pa

from ml.bundle import find_current
from ml.home import Home
from ml.local_clock import find_zone
from ml.registry.run import Run
from ml.sequences import figures
from ml.sequences.actions import find_signals
from ml.sequences.intent.examples import build_examples
from ml.sequences.intent.figures import plot_ranking, plot_reliability
from ml.sequences.intent.intent_days import judge_held_visits, judge_later_visits, merge_intent_days
from ml.sequences.intent.model import IntentFileError, IntentModel, study_intent
from ml.sequences.paths.states import CATEGORY, PAGE_TYPE
from ml.sequences.signals.figures import plot_effects
from ml.sequences.signals.study import study_signals
from ml.sequences.signals.visit_signals import collect_signals
from ml.sequences.study import DIMENSIONS, PathStudy, study_paths
from ml.settings.sequences import Goal, SequenceSettings
from orchestration.defs.metadata import figure_metadata, figures_metadata, table_metadata
from orchestration.defs.resources import HomeResource, RegistryResource, WarehouseResource
from orchestration.warehouse.visits import read_actions, read_segments, read_visits

GROUP = "sequences"
INTENT, INTENT_DAYS = "intent", "intent_days"


@dg.asset(
    deps=["visit_events", "page_views", "sessions", "items", "user_segments"],
    group_name=GROUP,
    kinds={"scipy", "mlflow", "duckdb"},
    description=(
        "Visits as Markov chains over page types, categories and pages, of the order that predicts later visits"
        " best: the chance to convert, the steps to the end, where visits are lost, and the conversions that would"
        " be missing without a state. Groups whose visits differ have chains of their own. Conversions are"
        " credited to channels and campaigns by six methods. The tables `paths` and `path_attribution` hold only"
        " sums over enough people."
    ),
)
def path_chains(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Study the visits, write the tables, and log a run with the plots."""
    settings = home.settings()
    site = read_visits(warehouse.read, settings.sequences.goal)
    study = study_paths(site, settings.sequences, settings.evaluation.seed)
    warehouse.write("paths", study.paths)
    warehouse.write("path_attribution", study.attribution)
    plots = _plot(study)
    with registry.get().start_run("paths", experiment=GROUP) as run:
        run.log_data("page_views", site.views.drop_columns(["visit", "person"]))
        _log_study(run, study, settings.sequences)
        run.log_figures(plots)
    return dg.MaterializeResult(
        metadata={
            "visits": len(site.visit_rows),
            "visits_without_page_views": site.visits.num_rows - len(site.visit_rows),
            "orders": ", ".join(f"{level}: {chain.order}" for level, chain in study.chains.items()),
            "comparisons": table_metadata(_list_comparisons(study)),
            **figures_metadata(plots),
        }
    )


@dg.asset(
    deps=["visit_events", "sessions", "items", "users"],
    group_name=GROUP,
    kinds={"scikitlearn", "mlflow", "duckdb"},
    description=(
        "After each action of a visit, the probabilities that it converts, that it ends at this page, and that"
        " another visit follows within a week. Learned from the visits of people who consent, calibrated on later"
        " ones, measured on the latest after 3, 5 and 10 actions. The service predicts them for the current visit."
        " The model that it uses until then is judged by the visits since its training; the result is the table"
        " `intent_days`."
    ),
)
def visit_intent(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Judge the published model, learn the next one for the bundle, and log a run with the plots."""
    settings = home.settings()
    goal, seed = settings.sequences.goal, settings.evaluation.seed
    actions, products = read_actions(warehouse.read, settings.sequences.intent_events_max)
    signals = find_signals(actions, settings.sequences.minimum_people)
    published = _published_intent(home.home(), goal)
    before = published.signals if isinstance(published, IntentModel) else ()
    counted = tuple(dict.fromkeys([*signals, *before]))
    examples = build_examples(actions, counted, products.__contains__, goal)
    study = study_intent(examples.with_signals(signals), goal, seed)
    zone = find_zone(settings.warehouse.site_timezone)
    pause = dt.timedelta(minutes=settings.warehouse.session_timeout_minutes)
    days = [judge_held_visits(study, zone, pause)]
    if isinstance(published, IntentModel):
        days.append(judge_later_visits(published, examples.with_signals(before), zone, pause))
    earlier = warehouse.read(INTENT_DAYS) if INTENT_DAYS in warehouse.get().tables() else None
    warehouse.write(INTENT_DAYS, merge_intent_days(earlier, days))
    folder = home.home().models / INTENT
    study.model.save(folder)
    plots = {"reliability": plot_reliability(study), "ranking": plot_ranking(study.measures)}
    with registry.get().start_run("boosted_intent", experiment=GROUP) as run:
        run.log_data("actions", actions.drop_columns(["user_id"]))
        run.log_params({"goal": goal, "signals": list(signals)})
        run.log_artifacts(folder, "model")
        _log_intent(run, study.measures)
        run.log_figures(plots)
    return dg.MaterializeResult(
        metadata={
            "actions": actions.num_rows,
            "chances": ", ".join(study.model.chances) or "none: too few visits",
            "measures": table_metadata(study.measures),
            "published_model": published if isinstance(published, str) else "judged",
            **figures_metadata(plots),
        }
    )


@dg.asset(
    deps=["visit_events", "sessions", "items", "users", "user_segments"],
    group_name=GROUP,
    kinds={"numpy", "mlflow", "duckdb"},
    description=(
        "What each micro-interaction does to the conversion of a visit, for all visits and by segment: adjusted"
        " for what is known about the visit and for a hidden intent that shows in other actions, with interval,"
        " E-value and controlled false discoveries; by order and by dose. The result is the table `signals`."
    ),
)
def conversion_signals(
    home: HomeResource, warehouse: WarehouseResource, registry: RegistryResource
) -> dg.MaterializeResult[None]:
    """Study the signals, write the table, and log a run with the plot."""
    settings = home.settings()
    sequences = settings.sequences
    actions, products = read_actions(warehouse.read, sequences.intent_events_max)
    visits = collect_signals(
        actions, products, read_segments(warehouse.read), sequences.goal, sequences.minimum_people
    )
    signals = study_signals(visits, sequences.minimum_people, settings.evaluation.seed)
    warehouse.write("signals", signals)
    plot = plot_effects(signals)
    with registry.get().start_run("signals", experiment=GROUP) as run:
        run.log_data("actions", actions.drop_columns(["user_id"]))
        run.log_params(sequences.model_dump(mode="json"))
        run.log_figure(plot, "effects")
        if signals.num_rows:
            run.log_table(signals, "signals")
    return dg.MaterializeResult(
        metadata={
            "visits": len(visits.converted),
            "comparisons": signals.num_rows,
            "discoveries": sum(signals.column("is_discovery").to_pylist()),
            "effects": figure_metadata(plot),
        }
    )


def _published_intent(home: Home, goal: Goal) -> IntentModel | str:
    """Load the model that the service uses, or say why it cannot be judged."""
    bundle = find_current([home.published])
    if bundle is None or not (bundle / INTENT).exists():
        return "not judged: no bundle with a model of intent is published yet"
    try:
        model = IntentModel.load(bundle / INTENT)
    except IntentFileError as error:  # the training that mends it must not wait for it
        return f"not judged: {error}"
    if model.read_until is None:
        return "not judged: an earlier version learned it and did not write down until when it had read"
    if model.goal != goal:
        return f"not judged: its visits converted by {model.goal}, those of the settings by {goal}"
    return model


def _log_intent(run: Run, measures: pa.Table) -> None:
    """Log the measures by target, with the number of actions as the step."""
    for row in measures.to_pylist():
        target, actions = row.pop("target"), row.pop("actions")
        run.log_metrics(
            {f"{target}_{name}": value for name, value in row.items() if value is not None}, step=actions
        )


def _plot(study: PathStudy) -> dict[str, figures.Figure]:
    """Plot a study; without visits there is nothing to see."""
    if not study.levels:
        return {}
    plots = {
        "transitions": figures.plot_transitions(study.levels[CATEGORY]),
        "commonest_ways": figures.plot_ways(study.levels[PAGE_TYPE]),
        "removal_effects": figures.plot_removal(study.paths, CATEGORY),
        **{f"credits_of_{name}": figures.plot_credits(study.attribution, name) for name in DIMENSIONS},
    }
    differences = figures.plot_differences(study.levels, study.comparisons)
    return plots | ({"differences": differences} if differences is not None else {})


def _log_study(run: Run, study: PathStudy, settings: SequenceSettings) -> None:
    run.log_params(settings.model_dump(mode="json"))
    run.log_metrics({f"order_{level}": chain.order for level, chain in study.chains.items()})
    for level, trials in study.trials.items():
        for trial in trials:
            run.log_metrics({f"log_likelihood_{level}": trial.log_likelihood}, step=trial.order)
    for name, table in (("paths", study.paths), ("path_attribution", study.attribution)):
        if table.num_rows:
            run.log_table(table, name)
    if study.comparisons:
        run.log_table(_list_comparisons(study), "comparisons")


def _list_comparisons(study: PathStudy) -> pa.Table:
    """Return whether groups move alike, one row per level and grouping."""
    return pa.table(
        {
            "level": [comparison.level for comparison in study.comparisons],
            "grouping": [comparison.grouping for comparison in study.comparisons],
            "groups": [len(comparison.groups) for comparison in study.comparisons],
            "likelihood_ratio": [comparison.statistic for comparison in study.comparisons],
            "degrees_of_freedom": [comparison.degrees for comparison in study.comparisons],
            "inflation": [comparison.inflation for comparison in study.comparisons],
            "corrected_p": [comparison.corrected_p for comparison in study.comparisons],
            "gain": [comparison.gain for comparison in study.comparisons],
            "gain_error": [comparison.gain_error for comparison in study.comparisons],
            "fitted_apart": [comparison.differs for comparison in study.comparisons],
        }
    )
