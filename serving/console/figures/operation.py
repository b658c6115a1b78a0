"""The pages Models and Health, and what of them stands on the overview."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from ml.experiments.definition.definition import Experiment
from ml.experiments.definition.definitions_file import ExperimentsFileError
from ml.experiments.definition.usable_definitions import load_usable_experiments
from ml.monitoring.journal import Journal
from ml.site.definition_files import definition_file
from serving.console.current_bundle import CurrentBundle
from serving.console.localized_texts import Moment, say
from serving.console.page_parts import Cell, ConsolePage, Sheet
from serving.start import ServiceConfig

JOURNAL_SHOWN = 200


def model_sheet(bundle: CurrentBundle) -> Sheet:
    """Build the sheet of the model in use, and since when."""
    manifest = bundle.manifest
    promotion = manifest["details"].get("promotion")
    rows: list[list[Cell]] = [
        [say("Model in use"), manifest["model_version"] or say("none: trending and popular items")]
    ]
    if promotion:
        rows.append([say("In use since"), bundle.format_moment(promotion["promoted_at"])])
        rows.append([say("Why"), "; ".join(promotion["reasons"]) or promotion["kind"]])
        rows.append([say("Model before"), promotion["previous"] or say("none")])
    rows.append([say("Published"), bundle.format_moment(manifest["written_at"])])
    rows.append([say("Data until"), bundle.format_moment(bundle.tables.about["last_event_at"])])
    rows.append([say("Bundle"), bundle.version])
    return Sheet("model", "Model in use", ["Fact", "Value"], rows, is_half=True)


def build_models(bundle: CurrentBundle) -> ConsolePage:
    """Build the page Models from the manifest of the bundle."""
    metrics = bundle.manifest["details"].get("metrics", {})
    rows: list[list[Cell]] = [
        [name.replace("_", " "), round(value, 4) if isfinite(value) else None]
        for name, value in sorted(metrics.items())
    ]
    figures = Sheet(
        "metrics",
        "Offline figures",
        ["Figure", "Value"],
        rows,
        "Measured on later events that the model in use did not see.",
        is_half=True,
        empty="No model is in use yet; `tessera materialize` trains and compares the candidates.",
    )
    return ConsolePage(sheets=[model_sheet(bundle), figures])


def history_sheet(bundle: CurrentBundle, log: Sequence[Mapping[str, Any]], fault: str) -> Sheet:
    """Build the sheet of the bundles that answered or were refused.

    Args:
        bundle: The current bundle.
        log: The promotion log, the newest first.
        fault: Why there is no log; empty if there is.
    """
    rows: list[list[Cell]] = [
        [
            bundle.format_moment(entry["at"]),
            say("answers") if entry["event"] == "taken" else say("refused"),
            str(entry.get("model_version") or "none"),
            "; ".join(entry["why"].get("reasons") or ()) or str(entry["why"].get("kind") or ""),
            str(entry["why"].get("previous") or ""),
            entry["bundle"],
        ]
        for entry in log
    ]
    return Sheet(
        "history",
        "Bundles over time",
        ["Since", "What", "Model", "Why", "Model before", "Bundle"],
        rows,
        "Bundles that the service took over or refused, the newest first.",
        empty=fault or "The service has not taken over a bundle yet.",
    )


def alarms_sheet(config: ServiceConfig, bundle: CurrentBundle) -> Sheet:
    """Build the sheet of the open alarms."""
    rows: list[list[Cell]] = [
        [entry.text, entry.facts.get("severity", ""), bundle.format_moment(entry.facts["since"]), entry.alarm]
        for entry in Journal(config.home).open_alarms()
    ]
    return Sheet(
        "alarms",
        "Open alarms",
        ["Alarm", "Severity", "Since", "Name"],
        rows,
        is_half=True,
        empty="No alarm is open.",
    )


def experiments_sheet(config: ServiceConfig, now: dt.datetime, *, only_running: bool = True) -> Sheet:
    """Build the sheet of the experiments, or of those that run now, and of those that cannot.

    Args:
        config: Where the definitions lie.
        now: The present time.
        only_running: Whether planned experiments and those that ended are left out.
    """
    zone = ZoneInfo(config.settings.warehouse.site_timezone)
    try:
        usable = load_usable_experiments(definition_file(config.home, config.settings.experiments.file))
        rows: list[list[Cell]] = [
            [
                name,
                _state(experiment, now),
                experiment.hypothesis,
                Moment(experiment.starts_at.astimezone(zone)),
                Moment(experiment.ends_at.astimezone(zone)),
            ]
            for name, experiment in sorted(usable.definitions.experiments.items())
            if experiment.is_running(now) or not only_running
        ]
        rows += [[name, say("left out"), reason, None, None] for name, reason in sorted(usable.left_out.items())]
    except ExperimentsFileError as error:
        rows = [[say("every experiment"), say("left out"), str(error), None, None]]
    return Sheet(
        "experiments",
        "Running experiments" if only_running else "Definitions",
        ["Experiment", "State", "Hypothesis", "Since", "Until"],
        rows,
        is_half=only_running,
        empty="No experiment is running. experiments.yaml defines them; `tessera experiment design` plans one.",
    )


def _state(experiment: Experiment, now: dt.datetime) -> str:
    if experiment.is_running(now):
        return say("running")
    return say("planned") if now < experiment.starts_at else say("ended")


def build_health(config: ServiceConfig, bundle: CurrentBundle, now: dt.datetime) -> ConsolePage:
    """Build the page Health: freshness, open alarms, and the journal."""
    about = bundle.tables.about
    written = dt.datetime.fromisoformat(bundle.manifest["written_at"])
    last = about["last_event_at"].replace(tzinfo=dt.UTC)
    fresh: list[list[Cell]] = [
        [say("Last event of a visit"), bundle.format_moment(last), _hours(now - last)],
        [say("Publication"), bundle.format_moment(written), _hours(now - written)],
    ]
    entries = Journal(config.home).entries()[::-1][:JOURNAL_SHOWN]
    journal: list[list[Cell]] = [
        [bundle.format_moment(entry.at), entry.what.replace("_", " "), entry.alarm, entry.text]
        for entry in entries
    ]
    return ConsolePage(
        sheets=[
            Sheet("freshness", "Freshness", ["What", "When", "Hours ago"], fresh, is_half=True),
            alarms_sheet(config, bundle),
            Sheet(
                "journal",
                "Journal",
                ["When", "What", "Alarm", "Message"],
                journal,
                say("The newest {entries} entries of what monitoring saw and did.", entries=JOURNAL_SHOWN),
                empty="The journal is empty: monitoring has raised no alarm. `tessera materialize` runs"
                " the monitoring.",
            ),
        ]
    )


def _hours(age: dt.timedelta) -> float:
    return round(age.total_seconds() / 3600, 1)
