"""The page Segments: the learned segments, those by rule with their sizes, and a builder for new ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from ml.arrays import Bools
from ml.console.live import FEWEST_PEOPLE
from ml.expressions.language import ExpressionError
from ml.home import Home
from ml.segmentation.audiences.rules import (
    SITE_FAMILY,
    RuleSegment,
    SegmentRuleError,
    load_rules,
    load_site_rules,
)
from ml.settings import Settings
from ml.settings.changes import change_text
from ml.settings.settings_files import SettingsError
from ml.site.definition_files import editable_path, text_in_force
from ml.site.file_drafts import FileDraft
from serving.console.confirmation import history_sheet, show_change, write_confirmed
from serving.console.figures.segments import build_segments
from serving.console.formats import format_fault
from serving.console.localized_texts import Numeral, Sentences, say
from serving.console.page_kinds import PageRequest, ServiceQuestion
from serving.console.page_parts import Card, Cell, ConsolePage, Form, FormField, Sheet
from serving.console.service_pages.rule_sizes import PublishedPeople, find_people
from serving.errors import ApiError
from serving.tessera import Tessera

SIZE_ADDRESS = "/console/segments/part/size"
COMPARED = {
    "sessions": "Visits",
    "active_days": "Days with a visit",
    "page_views": "Pages",
    "recency_days": "Days since the last visit",
    "purchases": "Purchases",
    "revenue": "Revenue",
    "engaged_seconds_per_view": "Seconds of attention per page",
}
NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
NO_PEOPLE = "No people are published: `tessera materialize` publishes them."
RULE_SYNTAX = (
    'Compare a field with `==`, `!=`, `<` or `in ["a", "b"]`; combine comparisons with `&&`, `||` and `!`. '
    '`category_shares["sport"]` is one entry of a map.'
)
FIELDS = ("name", "when", "strategy")
FEW = say("fewer than {people}", people=FEWEST_PEOPLE)


async def ask_segments(question: ServiceQuestion) -> dict[str, Any]:
    """Ask for the sizes of the segments by rule."""
    return await run_in_threadpool(_count_rules, question.tessera)


def build_segments_page(request: PageRequest) -> ConsolePage:
    """Build the page. Segments are those of the newest run, so that dates and filters change nothing."""
    page = build_segments(request.bundle, request.view)
    if request.answer is None:
        return replace(page, fault=request.fault)
    answer = request.answer
    rules = Sheet(
        "rules",
        "Segments by rule",
        ["Segment", "Family", "People", "Share %", "When", "What to do for them"],
        answer["rows"],
        answer["note"],
        empty=Sentences(answer["fault"] or say(NO_PEOPLE)),
    )
    fields = Sheet(
        "fields",
        "What a rule may read",
        ["Field", "Kind"],
        answer["fields"],
        RULE_SYNTAX,
        is_half=True,
        empty=NO_PEOPLE,
    )
    history = replace(
        history_sheet(request.config.home, request.bundle, request.config.settings.segmentation.rules_file),
        is_half=True,
    )
    names = " ".join(str(row[0]) for row in answer["fields"])
    forms = [_builder(names, request.reader.may("edit"))] if answer["fields"] else []
    return replace(page, sheets=[*page.sheets, rules, fields, history], forms=forms)


def _builder(names: str, may_edit: bool) -> Form:
    when = FormField(
        "when",
        "Condition",
        hint="purchases > 0 && recency_days < 30",
        is_required=True,
        live=SIZE_ADDRESS,
        words=names,
        is_wide=True,
    )
    if not may_edit:
        note = "The size appears as you write. An editor can keep the segment."
        return Form("build", "Try a rule", "/console/segments/try", [when], "Show the size", note, changes=True)
    return Form(
        "build",
        "Make a segment by rule",
        "/console/segments/propose",
        [
            when,
            FormField("name", "Name", hint="recent_buyers", is_required=True),
            FormField(
                "strategy",
                "What to do for them",
                hint=say("Thank them, and ask for a referral."),
                is_required=True,
            ),
        ],
        "Show the change",
        say(
            "The size appears as you write. The segment goes into the family `{family}`; they may overlap.",
            family=SITE_FAMILY,
        ),
        changes=True,
    )


async def load_size(question: ServiceQuestion) -> ConsolePage:
    """Return how many people a rule holds for, and how they differ from all, or what is wrong with it."""
    text = question.query.get("when", "").strip()
    if not text:
        return ConsolePage()
    try:
        return await run_in_threadpool(describe_size, read_people(question.tessera), text)
    except ExpressionError as error:
        return ConsolePage(fault=format_fault(error))


def describe_size(people: PublishedPeople, when: str) -> ConsolePage:
    """Return the size of a rule as a page. Of very few people it says only that they are few.

    Raises:
        ExpressionError: The text is no condition over the fields.
    """
    mask = people.mask(when)
    count, consenting = int(mask.sum()), people.consenting
    if 0 < count < FEWEST_PEOPLE:
        return ConsolePage([Card("People", FEW)])
    if 0 < consenting - count < FEWEST_PEOPLE:
        return ConsolePage([Card("People", say("nearly all of {people}", people=consenting))])
    share = say(
        "{share}% of {people} who consent",
        share=Numeral(f"{100 * count / max(1, consenting):.1f}"),
        people=consenting,
    )
    rows = _compare(people, mask) if count else []
    sheet = Sheet("differs", "What sets them apart", ["Average of", "These people", "All"], rows)
    return ConsolePage([Card("People", Numeral(f"{count:,}"), share)], [sheet] if rows else [])


async def try_rule(question: ServiceQuestion) -> ConsolePage:
    """Show the size of a rule, for readers without JavaScript and without the right to keep one."""
    return await load_size(question)


async def propose_rule(question: ServiceQuestion) -> ConsolePage:
    """Check a new rule, and show its size and what it changes in the file.

    Raises:
        ApiError: 422, the rule or its name cannot be used.
    """
    fields = question.read(*FIELDS)
    draft = await run_in_threadpool(_draft, question.tessera, fields)
    shown = show_change(question.tessera.config.home, draft, "/console/segments/apply", fields)
    size = await load_size(question)
    return replace(shown, cards=size.cards, sheets=[*size.sheets, *shown.sheets])


async def apply_rule(question: ServiceQuestion) -> Response:
    """Write a rule that was shown, and its line of the history.

    Raises:
        ApiError: 409, the file is another one than when the change was shown, or cannot be written.
    """
    fields = question.read(*FIELDS)
    tessera = question.tessera
    draft = await run_in_threadpool(_draft, tessera, fields)
    rules = await run_in_threadpool(_load, tessera.config.home, tessera.config.settings)
    before = next((rule.when for rule in rules if (rule.family, rule.name) == (SITE_FAMILY, fields["name"])), "")
    write_confirmed(question, draft, {"name": fields["name"], "before": before, "after": fields["when"]})
    return RedirectResponse("/console/segments", 303)


def read_people(tessera: Tessera) -> PublishedPeople:
    """Return the published people.

    Raises:
        ApiError: 404, nobody is published.
    """
    people = find_people(tessera.champion)
    if people is None:
        raise ApiError(404, NO_PEOPLE)
    return people


def _count_rules(tessera: Tessera) -> dict[str, Any]:
    """Return a row for each segment by rule, the fields that rules may read, and what is wrong, if anything is."""
    people = find_people(tessera.champion)
    if people is None:
        return {"rows": [], "fields": [], "note": "", "fault": NO_PEOPLE}
    answer: dict[str, Any] = {
        "rows": [],
        "fields": [[name, kind.name.lower().replace("_", " ")] for name, kind in sorted(people.fields.items())],
        "note": say(
            "Of {consenting} people who consent, among {all} that are published.",
            consenting=people.consenting,
            all=people.in_all,
        ),
        "fault": "",
    }
    try:
        rules = _load(tessera.config.home, tessera.config.settings)
        counts = people.count(rules)
    except SegmentRuleError as error:
        return {**answer, "fault": str(error)}
    answer["rows"] = [
        _describe_rule(rule, count, people.consenting) for rule, count in zip(rules, counts, strict=True)
    ]
    return answer


def _describe_rule(rule: RuleSegment, count: int, people: int) -> list[Cell]:
    is_few = 0 < count < FEWEST_PEOPLE
    share = None if is_few else round(100 * count / max(1, people), 1)
    return [rule.name, rule.family, FEW if is_few else Numeral(f"{count:,}"), share, rule.when, rule.strategy]


def _load(home: Home, settings: Settings) -> list[RuleSegment]:
    return load_site_rules(home, settings.segmentation.rules_file)


def _draft(tessera: Tessera, fields: Mapping[str, str]) -> FileDraft:
    """Return the file of the rules with a segment of the site added or changed.

    Raises:
        ApiError: 422, a field is wrong.
    """
    name, when, strategy = fields["name"], fields["when"], fields["strategy"]
    if not NAME.fullmatch(name):
        raise ApiError(
            422, f"{name[:60]!r}: a name has small letters, digits, - and _, and starts with a letter", "name"
        )
    if not strategy:
        raise ApiError(422, "say what to do for these people", "strategy")
    try:
        read_people(tessera).mask(when)
    except ExpressionError as error:
        raise ApiError(422, str(error), "when") from None
    home, file = tessera.config.home, tessera.config.settings.segmentation.rules_file
    path, before = editable_path(home, file), text_in_force(home, file)
    try:
        after = change_text(before, f"{SITE_FAMILY}.{name}", {"when": when, "strategy": strategy})
        load_rules(path, after)
    except (SettingsError, SegmentRuleError) as error:
        raise ApiError(422, str(error), "when") from None
    return FileDraft(path, before, after)


def _compare(people: PublishedPeople, mask: Bools) -> list[list[Cell]]:
    """Return the averages of what everybody understands, of the chosen people and of all who consent."""
    rows: list[list[Cell]] = []
    for column, label in COMPARED.items():
        if column not in people.table.column_names:
            continue
        these, everybody = people.average(column, mask), people.average(column, people.consents)
        if everybody is not None:
            rows.append([say(label), None if these is None else round(these, 2), round(everybody, 2)])
    return rows
