"""The form that writes a rule of `rules.yaml`: what is shown, raised or lowered, where, when and for whom."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml
from starlette.responses import RedirectResponse, Response

from ml.decisions.rules.new_rule import append_rule
from ml.decisions.rules.rules import FIELDS
from ml.decisions.rules.rules_file import RulesError, load_rules
from ml.expressions.language import ExpressionError, compile_expression
from ml.site.definition_files import editable_path, text_in_force
from ml.site.file_drafts import FileDraft
from serving.console.confirmation import show_change, write_confirmed
from serving.console.formats import LEGAL, format_fault
from serving.console.localized_texts import say
from serving.console.page_kinds import ServiceQuestion
from serving.console.page_parts import ConsolePage, Form, FormField
from serving.errors import ApiError
from serving.tessera import Tessera

EFFECTS = {
    "content": "Show the content",
    "banner": "Show the banner",
    "raise_topic": "Raise the topic",
    "lower_topic": "Lower the topic",
    "raise_item": "Raise the item",
    "lower_item": "Lower the item",
}
STRENGTHS = {"0.5": "a little", "1.5": "clearly", "5": "as much as possible"}
TEXTS = ("id", "slot", "when", "hours", "effect", "what", "strength", "priority")


def rule_form(slots: list[str]) -> Form:
    """Return the form; an editor sees it."""
    fields = (
        FormField(
            "when",
            "Condition; empty for always",
            hint='device_type == "mobile" && local.is_weekend',
            live="/console/decisions/part/condition",
            words=" ".join(FIELDS),
            is_wide=True,
        ),
        FormField("id", "Name", hint="weekend-deals", is_required=True),
        FormField("slot", "Slot; empty for any", hint=slots[0] if slots else "hero"),
        FormField("hours", "Hours of the visitor", hint="06:00-11:00"),
        FormField("effect", "What it does", "content", [(key, say(name)) for key, name in EFFECTS.items()]),
        FormField("what", "Which", hint=say("name or id"), is_required=True),
        FormField(
            "strength",
            "How much, for raise and lower",
            "0.5",
            [(key, say(name)) for key, name in STRENGTHS.items()],
        ),
        FormField("priority", "Priority", "10", kind="number"),
    )
    note = "Of content and banner the highest priority wins. A rule counts seconds after it is written."
    return Form(
        "rule", "Write a rule", "/console/decisions/propose", fields, "Show the change", note, changes=True
    )


async def check_condition(question: ServiceQuestion) -> ConsolePage:
    """Return what is wrong with a condition; nothing if it can be used."""
    when = question.query.get("when", "").strip()
    try:
        if when:
            compile_expression(when, FIELDS)
    except ExpressionError as error:
        return ConsolePage(fault=format_fault(error))
    return ConsolePage()


async def propose_rule(question: ServiceQuestion) -> ConsolePage:
    """Check a new rule, and show what it changes in the file.

    Raises:
        ApiError: 422, a field is wrong.
    """
    fields = question.read(*TEXTS)
    draft = _draft(question.tessera, fields)
    return show_change(question.tessera.config.home, draft, "/console/decisions/apply", fields)


async def apply_rule(question: ServiceQuestion) -> Response:
    """Write a rule that was shown, and its line of the history.

    Raises:
        ApiError: 409, the file is another one than when the change was shown, or cannot be written.
    """
    fields = question.read(*TEXTS)
    draft = _draft(question.tessera, fields)
    after = f"{EFFECTS[fields['effect']].lower()} {fields['what']}"
    write_confirmed(question, draft, {"name": fields["id"], "before": "", "after": after})
    question.tessera.reload_definitions()
    return RedirectResponse("/console/decisions", 303)


def _draft(tessera: Tessera, fields: Mapping[str, str]) -> FileDraft:
    """Return the rules file with a rule behind the others.

    Raises:
        ApiError: 422, a field is wrong.
    """
    home, file = tessera.config.home, tessera.config.settings.decisions.rules_file
    path, before = editable_path(home, file), text_in_force(home, file)
    try:
        after = append_rule(before, _entry(fields))
        load_rules(path, after)
    except (RulesError, yaml.YAMLError) as error:
        raise ApiError(422, str(error).partition(LEGAL)[0].replace(f"{path}:", "line "), "rule") from None
    return FileDraft(path, before, after)


def _entry(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return a rule as plain data, without what is as usual.

    Raises:
        ApiError: 422, a field is not one of its choices or no number.
    """
    effect, what = fields["effect"], fields["what"]
    if effect not in EFFECTS:
        raise ApiError(422, f"what a rule does is {effect[:40]!r}; it may be {', '.join(EFFECTS)}", "effect")
    if not what:
        raise ApiError(422, "say which content, banner, topic or item is meant", "what")
    direction, _, target = effect.partition("_")
    strength = _number(fields, "strength") * (-1 if direction == "lower" else 1)
    then: dict[str, Any] = {"boost": [{target: what, "by": strength}]} if target else {effect: what}
    entry: dict[str, Any] = {"id": fields["id"]}
    if fields["slot"]:
        entry["slots"] = [slot.strip() for slot in fields["slot"].split(",") if slot.strip()]
    if fields["when"]:
        entry["when"] = fields["when"]
    if fields["hours"]:
        entry["schedule"] = {"hours": fields["hours"]}
    return {**entry, "priority": round(_number(fields, "priority")), "then": then}


def _number(fields: Mapping[str, str], name: str) -> float:
    try:
        number = float(fields[name] or 0)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ApiError(422, f"{name} is {fields[name][:40]!r}, which is not a number", name)
    return number
