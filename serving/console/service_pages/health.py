"""What an editor does on the page Health: acknowledge alarms, repair dead letters and replay them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from ml.errors import TesseraError
from ml.events.rejected.rejections import RejectionFilter, count_rejections, read_rejections
from ml.events.rejected.repair import CONVERSIONS, REPAIRABLE_FIELDS, RepairRules
from ml.events.rejected.replay import replay
from ml.home import Home
from ml.integrity.named_lock import LockedError, only_writer
from ml.monitoring.journal import ACKNOWLEDGED, Entry, Journal
from serving.console.figures.operation import build_health
from serving.console.localized_texts import Numeral, say
from serving.console.page_kinds import PageRequest, ServiceQuestion
from serving.console.page_parts import Card, Cell, ConsolePage, Form, FormField, Sheet
from serving.errors import ApiError

LETTERS_SHOWN = 200
DOING = "console: replay"
NO_CHOICE = ("", say("None"))


def build_health_page(request: PageRequest) -> ConsolePage:
    """Build the page: freshness, alarms, journal and dead letters, with the forms of an editor."""
    page = build_health(request.config, request.bundle, request.now)
    letters = _letters_sheet(request.config.home)
    forms = []
    if request.reader.may("edit"):
        forms = [*_acknowledge_form(Journal(request.config.home)), *_replay_form(letters)]
    return ConsolePage(
        page.cards, [*page.sheets[:2], letters, *page.sheets[2:]], page.notes, forms, has_forms_last=True
    )


async def acknowledge(question: ServiceQuestion) -> Response:
    """Note that somebody cares for an alarm.

    Raises:
        ApiError: 422, no open alarm has this name.
    """
    alarm, journal = question.query.get("alarm", ""), Journal(question.tessera.config.home)
    if alarm not in {entry.alarm for entry in journal.open_alarms()}:
        raise ApiError(422, f"{alarm[:80]!r} is not an open alarm", "alarm")
    text = f"{question.reader.name or 'A reader of the console'} is dealing with it."
    journal.append([Entry(question.tessera.clock().isoformat(), ACKNOWLEDGED, alarm, text)])
    return RedirectResponse("/console/health", 303)


async def replay_letters(question: ServiceQuestion) -> ConsolePage:
    """Repair dead letters by the rules of the form, and put those that pass into the log; or count them alone.

    Raises:
        ApiError: 409, a run of the pipeline is at work; 422, a rule makes no sense.
    """
    query, config = question.query, question.tessera.config
    chosen = RejectionFilter(query.get("field") or None, query.get("reason") or None, query.get("source") or None)
    try:
        rules = RepairRules(
            _pair(query, "old", "new"), _pair(query, "convert", "kind"), _pair(query, "set", "value")
        )
    except TesseraError as error:
        raise ApiError(422, str(error)) from None
    is_dry_run = query.get("sure") != "yes"
    max_future = dt.timedelta(seconds=config.settings.collector.max_future_seconds)

    def run() -> tuple[int, int, list[tuple[str, int]]]:
        with only_writer(config.home.warehouse, DOING):
            report = replay(config.home, question.tessera.clock(), max_future, chosen, rules or None, is_dry_run)
        return report.replayed, report.already_in_log, report.left.most_common()

    try:
        replayed, in_log, left = await run_in_threadpool(run)
    except LockedError:
        raise ApiError(409, "a run of the pipeline or another replay is at work; try again after it") from None
    except TesseraError as error:
        raise ApiError(409, str(error)) from None
    note = (
        "Nothing was written. Send the form again with the box ticked."
        if is_dry_run
        else "`tessera materialize` brings the events into the tables."
    )
    return ConsolePage(
        cards=[
            Card("Would go into the log" if is_dry_run else "Went into the log", Numeral(f"{replayed:,}")),
            Card("In the log already", Numeral(f"{in_log:,}")),
            Card("Cannot go into the log", Numeral(f"{sum(count for _, count in left):,}")),
        ],
        sheets=[
            Sheet(
                "left",
                "Why the others stay",
                ["Why", "Rows"],
                [[why, count] for why, count in left],
                empty="Nothing stays.",
            )
        ],
        notes=[note],
    )


def _pair(query: Mapping[str, str], left: str, right: str) -> dict[str, str]:
    """Return a rule of the form, if both of its fields are filled in.

    Raises:
        ApiError: 422, one of them is missing.
    """
    first, second = query.get(left, "").strip(), query.get(right, "").strip()
    if left == "set" and first:
        return {first: second}
    if bool(first) != bool(second):
        raise ApiError(422, f"fill in both fields, {left} and {right}, or neither", left)
    return {first: second} if first else {}


def _letters_sheet(home: Home) -> Sheet:
    counted = count_rejections(read_rejections(home), ("reason", "field", "source")).to_pylist()
    rows: list[list[Cell]] = [
        [
            row["reason"],
            row["field"] or "",
            row["source"],
            row["rows"],
            f"{row['first']:%Y-%m-%d %H:%M}",
            f"{row['last']:%Y-%m-%d %H:%M}",
        ]
        for row in counted[:LETTERS_SHOWN]
    ]
    return Sheet(
        "letters",
        "Dead letters",
        ["Why", "Field", "Source", "Rows", "First, UTC", "Last, UTC"],
        rows,
        "Rows that were rejected or set aside. Their content may name people and is not shown here.",
        empty="Nothing was rejected: every event keeps the contract.",
    )


def _acknowledge_form(journal: Journal) -> list[Form]:
    names = [entry.alarm for entry in journal.unacknowledged()]
    if not names:
        return []
    field = FormField("alarm", "Alarm", names[0], list(zip(names, names, strict=True)))
    note = "It is not sent again, and `tessera health` passes over it. The journal keeps who did it."
    return [
        Form(
            "acknowledge",
            "Acknowledge an alarm",
            "/console/health/acknowledge",
            [field],
            "Acknowledge",
            note,
            True,
        )
    ]


def _replay_form(letters: Sheet) -> list[Form]:
    if not letters.rows:
        return []
    sources = sorted({str(row[2]) for row in letters.rows})
    at_fault = sorted({str(row[1]) for row in letters.rows if row[1]})
    writable = [NO_CHOICE, *((name, name) for name in REPAIRABLE_FIELDS)]
    kinds = [NO_CHOICE, *((kind, kind) for kind in CONVERSIONS)]
    fields = [
        FormField(
            "field", "Rejected because of", "", [("", say("Any field")), *((name, name) for name in at_fault)]
        ),
        FormField("source", "Source", "", [("", say("Any source")), *((name, name) for name in sources)]),
        FormField("reason", "Reason contains"),
        FormField("old", "Rename the field"),
        FormField("new", "To", "", writable),
        FormField("convert", "Convert the field", "", writable),
        FormField("kind", "To", "", kinds),
        FormField("set", "Set the field", "", writable),
        FormField("value", "To"),
        FormField("sure", "Write what passes into the log; otherwise it is only counted", kind="checkbox"),
    ]
    note = "Each rule is optional. What passes the contract then leaves the dead letters, and the rest stays."
    return [Form("replay", "Repair and replay", "/console/health/replay", fields, "Replay", note, True)]
