"""Every sentence and figure about a segment agrees with plain sums over all of its people, on odd sites, too."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.segmentation.profiles.labels import FeatureLabels
from ml.segmentation.site_segmentation import SiteSegmentation, segment_site
from ml.settings import load_settings
from ml.settings.segmentation import SegmentationSettings

DAYPARTS, DEVICES = ("morning", "afternoon", "evening", "night"), ("mobile", "desktop", "tablet")
TOPICS = ("sport", "culture", "technology")
STAGES = ("view", "cart", "checkout", "purchase")
KINDS = ("random", "kinds", "one_buyer", "few_regulars", "all_alike", "mostly_unknown")
USERS = 400
NO_FEEDBACK = pa.table(
    {"user_id": pa.array([], pa.string()), "segment": pa.array([], pa.int64()), "agrees": pa.array([], pa.bool_())}
)


def draw_site(kind: str, seed: int) -> tuple[pa.Table, pa.Table]:
    """Users and sessions: habits of each person, then visits by these habits, then the sums of the visits."""
    generator = np.random.default_rng([KINDS.index(kind), seed])
    users, sessions = [], []
    for person in range(USERS):
        group = person % 3
        visits = int(generator.geometric(0.5))
        if kind == "few_regulars":
            visits = 60 if person % 40 == 0 else 1
        habit = {"kinds": 0.9, "all_alike": 1.0}.get(kind, 0.0)
        rows = [draw_visit(generator, kind, group, habit, f"u{person}") for _ in range(visits)]
        if kind == "one_buyer" and person == 7:
            rows[0]["funnel_stage"] = "purchase"
        sessions += rows
        users.append(summarize(f"u{person}", rows, generator, kind))
    return pa.Table.from_pylist(users), pa.Table.from_pylist(sessions)


def draw_visit(generator: np.random.Generator, kind: str, group: int, habit: float, user: str) -> dict[str, Any]:
    def pick(values: tuple[str, ...]) -> str:
        fixed = values[0] if kind == "all_alike" else values[group]
        return fixed if generator.random() < habit else values[int(generator.integers(len(values)))]

    is_known = kind != "mostly_unknown" or generator.random() < 0.2
    return {
        "user_id": user,
        "daypart": pick(DAYPARTS) if is_known else None,
        "device_type": pick(DEVICES) if is_known else None,
        "topic": pick(TOPICS) if is_known else None,
        "page_views": 3 if kind == "all_alike" else int(generator.integers(1, 15)),
        "duration_seconds": 60.0 if kind == "all_alike" else float(generator.integers(0, 900)),
        "searches": 0 if kind == "all_alike" else int(generator.integers(0, 3)),
        "funnel_stage": None
        if generator.random() < 0.3
        else STAGES[min(int(generator.geometric(0.6)) - 1, 2 if kind == "one_buyer" else 3)],
    }


def summarize(user: str, rows: list[dict[str, Any]], generator: np.random.Generator, kind: str) -> dict[str, Any]:
    views = sum(row["page_views"] for row in rows)

    def shares(column: str, values: tuple[str, ...]) -> dict[str, float] | None:
        counts = Counter()
        for row in rows:
            if row[column] is not None:
                counts[row[column]] += row["page_views"]
        return {value: counts[value] / counts.total() for value in values} if counts else None

    return {
        "user_id": user,
        "consents": ["personalization"],
        "has_personalization_consent": True,
        "page_views": views,
        "events": views,
        "sessions": len(rows),
        "active_days": len(rows),
        "purchases": sum(row["funnel_stage"] == "purchase" for row in rows),
        "daypart_shares": shares("daypart", DAYPARTS),
        "device_shares": shares("device_type", DEVICES),
        "category_shares": shares("topic", TOPICS),
        "search_rate": sum(row["searches"] for row in rows) / views,
        "purchase_rate": sum(row["funnel_stage"] == "purchase" for row in rows) / views,
        "engaged_seconds_per_view": 5.0 if kind == "all_alike" else float(generator.gamma(2.0, 10.0)),
    }


@pytest.fixture(scope="module", params=[(kind, k) for kind in KINDS for k in (None, 3)], ids=str)
def described(
    request: pytest.FixtureRequest, quick: SegmentationSettings
) -> tuple[SiteSegmentation, pa.Table, SegmentationSettings]:
    """A site segmented as the data say, and into three parts whatever they say."""
    kind, segments = request.param
    default = load_settings().segmentation
    choice = quick.choice.model_copy(update={"segments": segments})
    settings = default.model_copy(update={"choice": choice})
    users, sessions = draw_site(kind, seed=1)
    if segments and kind == "all_alike":
        segments_of_everybody = default.model_copy(update={"choice": quick.choice})
        return segment_site(users, sessions, NO_FEEDBACK, segments_of_everybody), sessions, settings
    return segment_site(users, sessions, NO_FEEDBACK, settings), sessions, settings


def values_of(site: SiteSegmentation, feature: str, segment: int, *, is_inside: bool) -> list[float]:
    """The known values of a feature, person by person."""
    column, _, key = feature.partition(":")
    values = []
    for row, number in zip(site.users.to_pylist(), site.segments.tolist(), strict=True):
        value = row[column]
        if key and value is not None:
            value = dict(value).get(key, 0.0)
        if (number == segment) == is_inside and value is not None:
            values.append(value)
    return values


def test_the_size_and_every_comparison_are_plain_averages(
    described: tuple[SiteSegmentation, pa.Table, SegmentationSettings],
) -> None:
    site, _, settings = described
    labels = FeatureLabels(settings.labels)
    for profile in site.segmentation.profiles:
        members = int((site.segments == profile.segment).sum())
        first, *sentences = re.split(r"(?<=\.) (?=[A-Z])", profile.persona)
        assert first.startswith(f"{members:,} people, {members / USERS:.0%} of all")
        features = {labels.label(trait.feature): trait.feature for trait in profile.traits}
        for sentence in sentences:
            is_more, is_less = sentence.startswith("More than others: "), sentence.startswith("Less than")
            if not (is_more or is_less):
                continue
            for part in sentence.split(": ", 1)[1].removesuffix(".").split("; "):
                label = next(label for label in features if part.startswith(f"{label} "))
                feature = features[label]
                inside, outside = (
                    statistics.fmean(values_of(site, feature, profile.segment, is_inside=side))
                    for side in (True, False)
                )
                shown = f"{labels.value(feature, inside)} (others {labels.value(feature, outside)})"
                assert part == f"{label} {shown}"
                assert inside > outside if is_more else inside < outside


def test_what_is_said_of_visits_are_plain_counts_of_visits(
    described: tuple[SiteSegmentation, pa.Table, SegmentationSettings],
) -> None:
    site, sessions, _ = described
    segment_of = dict(zip(site.users["user_id"].to_pylist(), site.segments.tolist(), strict=True))
    sentences = Counter()
    for profile in site.segmentation.profiles:
        visits = [row for row in sessions.to_pylist() if segment_of[row["user_id"]] == profile.segment]
        for share, value in re.findall(r"(\d+)% are (?:in the|at|on a|on) (\w+)", profile.persona):
            device = {"phone": "mobile", "TV": "tv"}.get(value, value)
            count = sum(device in (row["daypart"], row["device_type"]) for row in visits)
            assert f"{count / len(visits):.0%}" == f"{share}%"
            assert count > len(visits) / 2
            sentences["habit"] += 1
        if typical := re.search(r"A typical visit has ([\d.]+) pages? in ([\d.]+) minutes", profile.persona):
            pages = statistics.median(row["page_views"] for row in visits)
            minutes = statistics.median(row["duration_seconds"] for row in visits) / 60
            assert float(typical[1]) == pytest.approx(pages, abs=0.5 if pages >= 10 else 0)
            assert typical[2] == f"{minutes:.1f}"
            sentences["typical"] += 1
        if bought := re.search(r"([\d.]+)% of visits end in a purchase", profile.persona):
            purchases = sum(row["funnel_stage"] == "purchase" for row in visits)
            assert bought[1] == f"{100 * purchases / len(visits):.1f}"
    assert sentences["typical"] == len(site.segmentation.profiles)


def test_a_name_holds_for_most_of_the_segment_and_more_than_for_others(
    described: tuple[SiteSegmentation, pa.Table, SegmentationSettings],
) -> None:
    site, _, settings = described
    words = settings.words
    for profile in site.segmentation.profiles:
        name = profile.name.lower()
        claims = [] if re.match("(high|low) ", name) else name.split()
        for value in DAYPARTS:
            check_share(site, profile.segment, f"daypart_shares:{value}", is_claimed=value in claims)
        for value in DEVICES:
            word = "phone" if value == "mobile" else value
            check_share(site, profile.segment, f"device_shares:{value}", is_claimed=word in claims)
        for direction, key in re.findall(r"\b(high|low) (\w+)", name):
            column = {**dict.fromkeys(DAYPARTS, "daypart"), **dict.fromkeys(DEVICES, "device")}.get(key)
            if column is None and key not in TOPICS:
                continue
            feature = f"{column or 'category'}_shares:{key}"
            inside, outside = (
                statistics.fmean(values_of(site, feature, profile.segment, is_inside=side))
                for side in (True, False)
            )
            assert inside > outside if direction == "high" else inside < outside
        for feature, noun in words["noun"].items():
            if "*" in feature or feature == "otherwise" or noun not in name or feature == "scroll_rate":
                continue
            if feature in site.users.column_names:
                inside, outside = (
                    statistics.median(values_of(site, feature, profile.segment, is_inside=side))
                    for side in (True, False)
                )
                assert inside > outside, (profile.name, feature)


def check_share(site: SiteSegmentation, segment: int, feature: str, *, is_claimed: bool) -> None:
    if is_claimed:
        values = values_of(site, feature, segment, is_inside=True)
        assert len(values) > (site.segments == segment).sum() / 2
        inside = statistics.fmean(values)
        assert inside > 0.5
        assert inside > statistics.fmean(values_of(site, feature, segment, is_inside=False))


def test_planted_kinds_are_named_by_what_they_do(quick: SegmentationSettings) -> None:
    settings = load_settings().segmentation.model_copy(update={"choice": quick.choice})
    users, sessions = draw_site("kinds", seed=2)
    names = segment_site(users, sessions, NO_FEEDBACK, settings).segmentation.names
    assert len(names) == 3
    for daypart, device in (("Morning", "Phone"), ("Afternoon", "Desktop"), ("Evening", "Tablet")):
        assert any(name.startswith((daypart, device)) for name in names), names
