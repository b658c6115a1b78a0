"""The page Recommendations: what a stranger, a segment or a person would be shown, like items, coverage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

from ml.arrays import F64
from ml.privacy.person_key import ids_of_key
from serving.bundles.served_bundle import ServedBundle
from serving.console.localized_texts import Sentences, say
from serving.console.page_kinds import PageRequest, ServiceQuestion
from serving.console.page_parts import Card, Cell, ConsolePage, Form, FormField, Sheet
from serving.console.service_pages.people import look_up_form
from serving.console.service_pages.people_directory import LookLog
from serving.console.service_pages.situation_form import list_segments, read_situation, situation_fields
from serving.context.request_situation import build_situation
from serving.errors import ApiError
from serving.recommend.context import RequestContext
from serving.recommend.context_builder import find_boosts
from serving.requests import RecommendationRequest
from serving.routes.items import find_similar_items
from serving.tessera import Tessera

MOST_ITEMS = 50
HOURS = [("", say("Now")), *((f"{hour:02}", f"{hour:02}:00") for hour in range(24))]
SIMILAR = 10
PARTS_SHOWN = 3
SHARES = (1, 10, 50, 100)
PART_NAMES = {
    "follows": "what visits open next",
    "goes_with": "often opened with the history",
    "similar": "like the last one",
    "topic_of_last": "topic of the last one",
    "taste": "the model",
    "topic": "topics often opened",
    "segment": "segment",
    "in_country": "country",
    "in_region": "region",
    "on_device": "device",
    "fresh": "new",
    "popular": "popularity",
    "interests": "stated interests",
    "boost": "rules",
}
"""What each part of a score rests on, in words."""


async def ask_recommendations(question: ServiceQuestion) -> dict[str, Any]:
    """Rank what the address chooses. Nothing is logged as shown, and nothing is learned from it.

    Raises:
        ApiError: 403, the reader may not see a person; 404 or 422, what the address chooses does not exist.
    """
    tessera, query = question.tessera, question.query
    tessera.catch_up()
    key = None
    if query.get("person"):
        question.reader.require("people")
        key = await question.people.find_key(query["person"])
        LookLog(tessera.config.home).record(
            question.reader, "tried recommendations", query["person"], tessera.clock()
        )
    segments = list_segments(tessera)
    segment = query.get("segment", "")
    if segment and segment not in segments:
        raise ApiError(422, f"there is no segment {segment[:60]!r} in the current bundle", "segment")
    request = _read_request(query, key, tessera)
    beside = (("Challenger", tessera.challenger), ("Canary", tessera.canary))
    ranked = [("Champion", tessera.champion), *((name, bundle) for name, bundle in beside if bundle is not None)]
    item = query.get("item", "").strip()
    return {
        "lists": [
            {"name": name, "model": bundle.model_version, **_rank(tessera, bundle, request, segment or None)}
            for name, bundle in ranked
        ],
        "similar": _similar(tessera, item) if item else None,
        "segments": segments,
        "coverage": _count_coverage(tessera),
    }


def build_recommendations(request: PageRequest) -> ConsolePage:
    """Build the page."""
    query, answer = request.view.extra, request.answer
    segments = answer["segments"] if answer is not None else []
    forms = [_choose_form(query, segments, request.bundle.tables.values["country"]), _similar_form(query)]
    if request.reader.may("people"):
        forms.append(look_up_form("recommendations"))
    if answer is None:
        return ConsolePage(forms=forms, fault=request.fault)
    who = "a person" if query.get("person") else query.get("segment") or "a stranger"
    sheets = [_list_sheet(ranked, len(answer["lists"]) > 1) for ranked in answer["lists"]]
    if answer["similar"] is not None:
        sheets.append(_similar_sheet(query.get("item", ""), answer["similar"]))
    first = answer["lists"][0]
    cards = [
        Card("Shown to", who, Sentences(first["place"])),
        Card(
            "Personal",
            say("yes") if first["is_personal"] else say("no"),
            Sentences(first["segment"] or say("no segment")),
        ),
        Card(
            "Ranked by",
            say("Model {version}", version=str(first["model"])) if first["model"] else say("Popularity"),
            first["time"],
        ),
    ]
    notes = ["Computed for this page: nothing is logged as shown, and nothing is learned from it."]
    return ConsolePage(cards, [*sheets, *_coverage_sheets(answer["coverage"])], notes, forms)


def _choose_form(query: Mapping[str, str], segments: list[str], countries: list[str]) -> Form:
    fields = [
        *situation_fields(query, segments, "A stranger", countries),
        FormField("hour", "Hour", query.get("hour", ""), HOURS),
        FormField("k", "Items", query.get("k", "10"), kind="number"),
    ]
    if query.get("person"):
        fields[0] = FormField("person", value=query["person"], kind="hidden")
    if query.get("item"):
        fields.append(FormField("item", value=query["item"], kind="hidden"))
    note = "What somebody who is not signed in, or somebody of a segment, would get."
    return Form("choose", "Try", "/console/recommendations", fields, "Show", note)


def _similar_form(query: Mapping[str, str]) -> Form:
    fields = [
        FormField("item", "Item", query.get("item", ""), hint=say("id of an item"), is_required=True),
        *(
            FormField(name, value=query[name], kind="hidden")
            for name in ("person", "segment", "country", "device", "hour", "k")
            if query.get(name)
        ),
    ]
    return Form("similar", "Similar items", "/console/recommendations", fields, "Show")


def _read_request(query: Mapping[str, str], key: str | None, tessera: Tessera) -> RecommendationRequest:
    """Read for whom and in which situation is ranked.

    Raises:
        ApiError: 422, the hour, the device or the number of items is none.
    """
    context, hour, k = read_situation(query), query.get("hour", ""), query.get("k") or "10"
    if hour not in dict(HOURS):
        raise ApiError(422, f"hour is {hour[:40]!r}; write 00 to 23", "hour")
    if not k.isdecimal() or not 1 <= int(k) <= MOST_ITEMS:
        raise ApiError(422, f"k is {k[:40]!r}; write a number from 1 to {MOST_ITEMS}", "k")
    user_id, anonymous_id = ids_of_key(key) if key is not None else (None, None)
    at = None
    if hour:
        at = tessera.clock().replace(hour=int(hour), minute=0, second=0, microsecond=0)
        # The hour is that of the visitor, whose clock follows the country.
        trial = RecommendationRequest(context=context, at=at)
        local = build_situation(tessera, trial, {}, at).local.moment
        at -= dt.timedelta(hours=(local.hour - int(hour) + 12) % 24 - 12)
    return RecommendationRequest(
        user_id=user_id,
        anonymous_id=anonymous_id,
        k=int(k),
        context=context,
        at=at,
    )


def _rank(
    tessera: Tessera, bundle: ServedBundle, request: RecommendationRequest, segment: str | None
) -> dict[str, Any]:
    """Rank for a request that is not shown."""
    at = request.resolve_time(tessera.clock())
    situation = build_situation(tessera, request, {}, at)
    context = RequestContext.build(
        tessera.state,
        request,
        bundle,
        situation,
        at=at.timestamp(),
        k=request.k or tessera.settings.default_k,
        diversity=tessera.config.settings.decisions.diversity,
        boosts=find_boosts(tessera, tessera.rules.rules, request, situation, bundle, at),
        is_personal=True if segment else None,
        is_dry_run=True,
    )
    if segment is not None:
        context.segment = segment
    recommendation, parts = tessera.recommendation_engine.recommend_with_parts(context)
    index = bundle.index
    facts = [situation.text("country"), situation.text("device_type")]
    return {
        "items": recommendation.items,
        "titles": [index.find_title(item) if index is not None else None for item in recommendation.item_ids],
        "parts": parts,
        "is_personal": recommendation.is_personalized,
        "segment": context.segment,
        "place": ", ".join(fact for fact in facts if fact) or say("place and device unknown"),
        "time": say(
            "{weekday} {time} for the visitor",
            weekday=say(f"{situation.local.moment:%A}"),
            time=f"{situation.local.moment:%H:%M}",
        ),
    }


def _list_sheet(ranked: Mapping[str, Any], has_rival: bool) -> Sheet:
    rows: list[list[Cell]] = [
        [
            item["rank"],
            title or item["item_id"],
            item["item_id"],
            item["reason"],
            item["source"],
            round(item["score"], 3),
            _write_parts(parts),
        ]
        for item, title, parts in zip(ranked["items"], ranked["titles"], ranked["parts"], strict=True)
    ]
    return Sheet(
        f"list-{ranked['name'].lower()}",
        say("{list}: {model}", list=say(ranked["name"]), model=str(ranked["model"] or "") or say("popularity"))
        if has_rival
        else say("What would be shown, and why"),
        ["Rank", "Item", "Id", "Reason that the visitor reads", "Source", "Score", "What carries the score"],
        rows,
        "A part is what the score would lose if the item had the values of an ordinary candidate there.",
        is_half=has_rival,
        empty="Nothing can be shown: no items are published yet. `tessera materialize` publishes them.",
    )


def _write_parts(parts: Mapping[str, float]) -> str:
    """Write the largest parts of a score in words."""
    largest = sorted(parts.items(), key=lambda part: -abs(part[1]))[:PARTS_SHOWN]
    return ", ".join(f"{PART_NAMES[name]} {value:+.2f}" for name, value in largest if abs(value) >= 0.005)


def _similar(tessera: Tessera, item: str) -> list[dict[str, Any]]:
    similar: list[dict[str, Any]] = find_similar_items(tessera, item, SIMILAR)["items"]  # type: ignore[assignment]
    index = tessera.champion.index
    for each in similar:
        each["title"] = index.find_title(each["item_id"]) if index is not None else None
    return similar


def _similar_sheet(item: str, similar: list[dict[str, Any]]) -> Sheet:
    rows: list[list[Cell]] = [
        [each["rank"], each["title"] or each["item_id"], each["item_id"], each["source"], round(each["score"], 3)]
        for each in similar
    ]
    return Sheet(
        "similar",
        say("Similar to {item}", item=item),
        ["Rank", "Item", "Id", "Why", "Score"],
        rows,
        "similar by the factors of the model, follows by what is opened after it.",
        empty="There are no similar items: neither the model nor visits connect this item with others.",
    )


def _count_coverage(tessera: Tessera) -> dict[str, Any]:
    """Count what the latest answers of this worker showed, beside what people opened in the last day."""
    times = tessera.recommendation_engine.shown_times()
    index, activity = tessera.champion.index, tessera.state.activity
    opened = np.sort(np.asarray(list(activity.day.at(activity.newest).values()), dtype=np.float64))
    return {
        "items": len(index.item_ids) if index else 0,
        "shown": np.sort(np.asarray(list(times.values()), dtype=np.float64))[::-1],
        "opened": opened[opened > 0][::-1],
    }


def _coverage_sheets(coverage: Mapping[str, Any]) -> list[Sheet]:
    items, shown, opened = coverage["items"], coverage["shown"], coverage["opened"]
    rows: list[list[Cell]] = []
    for name, counts in (("Recommended", shown), ("Opened in the last day", opened)):
        if len(counts):
            rows.append(
                [name, len(counts), round(100 * len(counts) / items, 1) if items else None, *_top_shares(counts)]
            )
    columns = [
        "What",
        "Items",
        "Of the catalogue %",
        *(say("Top {items} items, % of it", items=top) if top > 1 else say("Top item, % of it") for top in SHARES),
    ]
    return [
        Sheet(
            "coverage",
            "Coverage and long tail",
            columns,
            rows,
            "Items of the latest answers of this worker, and items that people opened: how many they are, and what"
            " part of it all goes to the most frequent ones.",
            empty="The service has answered nobody since it started, and nobody opened anything in the last day.",
        )
    ]


def _top_shares(counts: F64) -> list[float]:
    total = float(counts.sum())
    return [round(100 * float(counts[:top].sum()) / total, 1) for top in SHARES]
