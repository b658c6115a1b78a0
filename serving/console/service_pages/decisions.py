"""The page Decisions: the rules with a simulator of when, where and who, and what the bandits learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from ml.decisions.rules.bandit import encode_context
from ml.decisions.rules.rule_set import CompiledRule, RuleContext, RuleSet
from serving.console.confirmation import history_sheet
from serving.console.figures.week_view import read_week, week_form, week_sheet
from serving.console.formats import format_percent
from serving.console.localized_texts import Moment, say
from serving.console.page_kinds import PageRequest, ServiceQuestion
from serving.console.page_parts import Card, Cell, ConsolePage, Form, FormField, Sheet
from serving.console.service_pages.rule_form import rule_form
from serving.console.service_pages.site_times import read_site_time
from serving.console.service_pages.situation_form import list_segments, read_situation, situation_fields
from serving.context.request_situation import build_situation
from serving.context.situation import Situation
from serving.errors import ApiError
from serving.requests import DecisionRequest
from serving.tessera import Tessera

VISITORS = [("", say("A stranger")), ("yes", say("Signed in"))]
ALWAYS = say("always")
NORMAL_95 = 1.96


async def ask_decisions(question: ServiceQuestion) -> dict[str, Any]:
    """Try the rules in the situation that the address describes. Nothing is logged, and nothing is learned.

    Raises:
        ApiError: 422, the situation is none.
    """
    tessera, query = question.tessera, question.query
    tessera.catch_up()
    rules = tessera.rules.rules
    answer: dict[str, Any] = {
        "rules": rules,
        "fault": tessera.rules.fault,
        "bandits": _read_bandits(tessera, rules),
        "segments": list_segments(tessera),
    }
    if query.get("slot"):
        answer["tried"] = _try_rules(tessera, rules, query)
    return answer


def build_decisions(request: PageRequest) -> ConsolePage:
    """Build the page."""
    query, answer = request.view.extra, request.answer
    rules: RuleSet | None = answer["rules"] if answer is not None else None
    slots = sorted({slot for compiled in rules.rules for slot in compiled.rule.slots}) if rules is not None else []
    form = _form(query, slots, answer["segments"] if answer is not None else [], request)
    if answer is None or rules is None:
        return ConsolePage(forms=[form], fault=request.fault)
    tried = answer.get("tried")
    sheets = [] if tried is None else [_verdict_sheet(tried)]
    zone = ZoneInfo(request.config.settings.warehouse.site_timezone)
    monday = read_week(query.get("week", ""), request.now, zone)
    every = [compiled.rule for compiled in rules.rules]
    week = week_sheet(every, monday, zone, query.get("of", ""))
    sheets += [_rules_sheet(rules), week, _bandits_sheet(answer["bandits"])]
    fault = (
        f"rules.yaml has a fault, and the rules before it are in force: {answer['fault']}"
        if answer["fault"]
        else ""
    )
    home, file = request.config.home, request.config.settings.decisions.rules_file
    sheets.append(history_sheet(home, request.bundle, file))
    forms = [form, week_form(monday, query.get("of", ""), slots)]
    forms += [rule_form(slots)] if request.reader.may("edit") else []
    return ConsolePage(_cards(tried), sheets, forms=forms, fault=fault)


def _form(query: Mapping[str, str], slots: list[str], segments: list[str], request: PageRequest) -> Form:
    fields = [
        FormField("slot", "Slot", query.get("slot", ""), hint=slots[0] if slots else "hero", is_required=True),
        FormField(
            "at", "When, by the site's clock", query.get("at", ""), hint=say("2026-12-24 18:00; empty for now")
        ),
        FormField("who", "Who", query.get("who", ""), VISITORS),
        *situation_fields(query, segments, say("None"), request.bundle.tables.values["country"]),
    ]
    note = (
        say("Slots that rules name: {slots}.", slots=", ".join(slots))
        if slots
        else say("No rule names a slot: rules act in any.")
    )
    return Form("simulate", "What is shown, and why", "/console/decisions", fields, "Decide", note)


def _try_rules(tessera: Tessera, rules: RuleSet, query: Mapping[str, str]) -> dict[str, Any]:
    at = read_site_time(query.get("at", ""), tessera)
    if query.get("who", "") not in dict(VISITORS):
        raise ApiError(422, "who may be yes or empty", "who")
    request = DecisionRequest(slot=query["slot"][:256], context=read_situation(query), at=at)
    situation = build_situation(tessera, request, {}, at)
    context = tessera.decision_engine.build_rule_context(request, at, situation, tessera.champion, rules)
    more = {"user.is_known": query.get("who") == "yes"}
    if query.get("segment"):
        more["user.segment"] = query["segment"]  # type: ignore[assignment]
    context = RuleContext(
        {**context.facts, **more},
        context.at,
        context.local,
        context.slot,
        dict.fromkeys(context.share_positions, 0.0),
    )
    outcome = rules.evaluate(context)
    chances: list[tuple[str, float]] = []
    if outcome.learn is not None:
        chances = _chances(tessera, outcome.learn.id, outcome.learn.then.learn, context, situation)
    return {
        "at": Moment(situation.local.moment),
        "slot": request.slot,
        "actions": outcome.actions,
        "boosts": outcome.boosts,
        "learn": outcome.learn.id if outcome.learn is not None else "",
        "chances": chances,
        "verdicts": [(compiled, compiled.why_not(context)) for compiled in rules.rules],
        "matched": outcome.matched,
    }


def _chances(
    tessera: Tessera, rule: str, variants: tuple[str, ...], context: RuleContext, situation: Situation
) -> list[tuple[str, float]]:
    """Return the chance of each variant that a bandit chooses among; drawn from a fixed seed, so that it stays."""
    encoded = encode_context(
        is_known=bool(context.facts.get("user.is_known")),
        device_type=situation.text("device_type"),
        daypart=situation.local.daypart,
        is_weekend=situation.local.is_weekend,
    )
    chances = tessera.decision_engine.bandit.propensities(
        f"{context.slot}:{rule}", variants, encoded, np.random.default_rng(0)
    )
    return [(name, float(chance)) for name, chance in zip(variants, chances.tolist(), strict=True)]


def _cards(tried: Mapping[str, Any] | None) -> list[Card]:
    if tried is None:
        return []
    cards = [
        Card(kind.replace("_", " ").capitalize(), value, say("by {rule}", rule=rule))
        for kind, (value, rule) in tried["actions"].items()
    ]
    cards += [
        Card(
            say("Content {name}", name=name),
            format_percent(chance),
            say("chance, learned by {rule}", rule=tried["learn"]),
        )
        for name, chance in tried["chances"]
    ]
    cards += [
        Card(f"{kind.capitalize()} {name}", f"{by:+g}", say("by {rule}", rule=rule))
        for kind, name, by, rule in tried["boosts"]
    ]
    return cards or [Card("Shown", say("nothing"), say("no rule acts here"))]


def _verdict_sheet(tried: Mapping[str, Any]) -> Sheet:
    rows: list[list[Cell]] = [
        [
            compiled.rule.id,
            say("acts") if why_not is None else say("does not act"),
            why_not or _effect(compiled, tried),
        ]
        for compiled, why_not in tried["verdicts"]
    ]
    return Sheet(
        "verdicts",
        say("{slot} on {time}", slot=tried["slot"], time=tried["at"]),
        ["Rule", "Here", "Why"],
        rows,
        "In the order in which rules are tried. Caps and quiet hours of a person are not applied,"
        " and the person counts as part of every rule's share.",
        empty="There are no rules, so nothing is decided.",
    )


def _effect(compiled: CompiledRule, tried: Mapping[str, Any]) -> str:
    rule = compiled.rule.id
    kinds = [kind for kind, (_, chosen_by) in tried["actions"].items() if chosen_by == rule]
    if rule == tried["learn"]:
        kinds.append("content")
    kinds += ["boost"] * any(by_rule == rule for *_, by_rule in tried["boosts"])
    return f"decides {', '.join(kinds)}" if kinds else say("an earlier rule decides it")


def _rules_sheet(rules: RuleSet) -> Sheet:
    rows: list[list[Cell]] = [
        [
            compiled.rule.id,
            ", ".join(compiled.rule.slots) or say("any"),
            _describe_when(compiled),
            "; ".join(f"{name}: {value}" for name, value in _describe_then(compiled)),
            compiled.rule.priority,
            round(100 * compiled.rule.share, 1),
            compiled.rule.campaign or "",
        ]
        for compiled in rules.rules
    ]
    return Sheet(
        "rules",
        "Rules",
        ["Rule", "Slots", "When", "Then", "Priority", "Share %", "Campaign"],
        rows,
        "In the order in which they are tried: by priority, then as they stand in rules.yaml.",
        empty="There are no rules. The site's rules.yaml holds them; `tessera init` writes one to begin with.",
    )


def _describe_when(compiled: CompiledRule) -> str:
    rule = compiled.rule
    parts = [] if rule.when == "true" else [rule.when]
    if rule.schedule.weekdays:
        parts.append(", ".join(rule.schedule.weekdays))
    if rule.schedule.hours:
        parts.append(rule.schedule.hours)
    if rule.valid_from:
        parts.append(f"from {rule.valid_from:%Y-%m-%d %H:%M}")
    if rule.valid_until:
        parts.append(f"until {rule.valid_until:%Y-%m-%d %H:%M}")
    return "; ".join(parts) or ALWAYS


def _describe_then(compiled: CompiledRule) -> list[tuple[str, str]]:
    then = compiled.rule.then.model_dump(exclude_defaults=True)
    boosts = [("boost", f"{boost.topic or boost.item} {boost.by:+g}") for boost in compiled.rule.then.boost]
    learned = [("learn", " or ".join(compiled.rule.then.learn))] if compiled.rule.then.learn else []
    return [
        *((name, str(value)) for name, value in then.items() if name not in ("boost", "learn")),
        *learned,
        *boosts,
    ]


def _read_bandits(tessera: Tessera, rules: RuleSet) -> list[dict[str, Any]]:
    """Read what each bandit knows of its variants in an ordinary situation: a stranger, at noon on a weekday."""
    encoded = encode_context(is_known=False, device_type=None, daypart="midday", is_weekend=False)
    rows = []
    for compiled in rules.rules:
        learn = compiled.rule.then.learn
        if not learn:
            continue
        for slot in compiled.rule.slots or ("",):
            posteriors = tessera.decision_engine.bandit.posteriors(f"{slot}:{compiled.rule.id}", learn, encoded)
            rows += [
                {"rule": compiled.rule.id, "slot": slot or "any", "variant": variant, **posterior}
                for variant, posterior in posteriors.items()
            ]
    return rows


def _bandits_sheet(bandits: list[dict[str, Any]]) -> Sheet:
    rows: list[list[Cell]] = [
        [
            f"{row['rule']}: {row['variant']}",
            row["slot"],
            row["shown"],
            row["earned"],
            round(row["mean"], 4),
            round(row["mean"] - NORMAL_95 * row["spread"], 4),
            round(row["mean"] + NORMAL_95 * row["spread"], 4),
        ]
        for row in bandits
    ]
    chart = {
        "kind": "bar",
        "sideways": True,
        "x": [row[0] for row in rows],
        "series": [{"name": say("Expected reward"), "values": [row[4] for row in rows]}],
    }
    return Sheet(
        "bandits",
        "What the bandits learned",
        ["Variant", "Slot", "Shown", "Rewarded", "Expected", "From", "To"],
        rows,
        "Expected reward of a variant for a stranger at noon on a weekday, with the 95% interval.",
        chart if any(row["shown"] for row in bandits) else None,
        empty="No rule lets a bandit learn. A rule with `learn` and two variants begins one.",
    )
