"""Summarize what the users of a segment do in their sessions: funnel, times, devices, places and trend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import poisson_means_test

from ml.arrays import I64, Bools
from ml.segmentation.clusters.algorithms import NOISE
from ml.segmentation.features.features import USER_ID, to_floats
from ml.segmentation.profiles.certainty import FALSE_CLAIMS
from ml.segmentation.profiles.vocabulary import mask_disclosable

FUNNEL = ("view", "cart", "checkout", "purchase")
MIXES = ("daypart", "device_type", "channel", "country")
MAXIMUM_MIX_VALUES = 5
TREND_WEEKS = 12
WEEK_SECONDS = 7 * 86400
CLEAR_TREND = 0.05  # relative change of weekly users below which they count as steady
MINIMUM_WEEKS = 4  # with fewer weeks of activity, two halves show no trend
SESSION_QUANTILES = {"short": 0.25, "usual": 0.5, "long": 0.75}  # of pages and duration


@dataclass(frozen=True)
class TypicalSession:
    """A real session near a quartile of the segment's sessions.

    Attributes:
        kind: `short`, `usual` or `long`.
        weekday: local weekday, None if unknown.
        hour: local hour, None if unknown.
        device_type: type of device.
        channel: acquisition channel.
        pages: page views.
        minutes: duration.
        reached: last step of the funnel.
    """

    kind: str
    weekday: str | None
    hour: int | None
    device_type: str | None
    channel: str | None
    pages: int
    minutes: float
    reached: str | None


@dataclass(frozen=True)
class SegmentBehaviour:
    """Sessions of a segment in numbers.

    Attributes:
        sessions: number of sessions.
        funnel: sessions that came at least as far as each step.
        mixes: shares of sessions by daypart, device, channel and country; those of which it is unknown count, too.
        median_pages: median page views, None if unknown.
        median_minutes: median duration, None if unknown.
        weekly_users: users who came in each whole week, the latest last.
        typical: a short, a usual and a long session.
    """

    sessions: int
    funnel: dict[str, int]
    mixes: dict[str, dict[str, float]]
    median_pages: float | None
    median_minutes: float | None
    weekly_users: tuple[int, ...]
    typical: tuple[TypicalSession, ...]

    @property
    def trend(self) -> float | None:
        """Return the relative change of weekly users from the earlier to the later half of the weeks.

        It is 0 below `CLEAR_TREND`, and None where there are too few weeks or where a larger change may be chance
        (a test of two Poisson means).
        """
        half = len(self.weekly_users) // 2
        later = sum(self.weekly_users[len(self.weekly_users) - half :])
        earlier = sum(self.weekly_users[len(self.weekly_users) - 2 * half :]) - later
        if 2 * half < MINIMUM_WEEKS or not earlier:
            return None
        change = later / earlier - 1
        if abs(change) < CLEAR_TREND:
            return 0.0
        return change if poisson_means_test(later, half, earlier, half).pvalue <= FALSE_CLAIMS else None

    @classmethod
    def from_document(cls, entry: Mapping[str, Any]) -> SegmentBehaviour:
        """Restore what `dataclasses.asdict` made, after it went through JSON, in this version or before."""
        parts = {
            "weekly_users": tuple(entry["weekly_users"]),
            "typical": tuple(TypicalSession(**session) for session in entry["typical"]),
        }
        kept = {name: entry[name] for name in (field.name for field in fields(cls))}
        return cls(**{**kept, **parts})


def summarize_behaviour(
    sessions: pa.Table, users: pa.Table, segments: I64, hints: Mapping[str, Sequence[str]], minimum_size: int
) -> dict[int, SegmentBehaviour]:
    """Summarize the sessions of each segment with at least `minimum_size` users.

    Args:
        sessions: the mart `sessions`: `user_id`, and any of `funnel_stage, is_converted, page_views,
            duration_seconds, started_at, local_started_at, daypart, device_type, channel, country`.
        users: `user_id`, and `consents` if columns under `hints` are to be disclosed.
        segments: segment number of each user, (n_users,).
        hints: purpose of consent → columns that are disclosed only for users who granted it.
        minimum_size: users that a segment needs, and users that each value of a mix needs.

    Returns:
        The behaviour by segment number.
    """
    place = pc.index_in(
        sessions.column(USER_ID).cast(pa.string()), value_set=users.column(USER_ID).cast(pa.string())
    )
    rows = np.asarray(pc.fill_null(place, -1)).astype(np.int64)
    sizes = dict(zip(*(part.tolist() for part in np.unique(segments, return_counts=True)), strict=True))
    disclosable = {name: mask_disclosable(users, name, hints) for name in MIXES if name in sessions.column_names}
    weeks, count = _number_weeks(sessions)
    segment_of_session = np.where(rows >= 0, segments[rows], NOISE)
    behaviours = {}
    for segment, size in sizes.items():
        session_rows = np.flatnonzero((segment_of_session == segment) & (rows >= 0))
        if segment != NOISE and size >= minimum_size and len(session_rows):
            part, session_users = sessions.take(pa.array(session_rows)), rows[session_rows]
            mixes = {
                name: _compute_mix(part.column(name), session_users, mask, minimum_size)
                for name, mask in disclosable.items()
            }
            behaviours[int(segment)] = SegmentBehaviour(
                sessions=part.num_rows,
                funnel=_count_funnel(part) if "funnel_stage" in part.column_names else {},
                mixes={name: mix for name, mix in mixes.items() if mix},
                median_pages=_median(part, "page_views"),
                median_minutes=_median(part, "duration_seconds", 60.0),
                weekly_users=_count_weekly_users(weeks[session_rows], session_users, count),
                typical=_select_typical(part),
            )
    return behaviours


def _count_funnel(sessions: pa.Table) -> dict[str, int]:
    """Count the sessions that came at least as far as each step."""
    stages = pc.index_in(sessions.column("funnel_stage").cast(pa.string()), value_set=pa.array(FUNNEL))
    reached = np.asarray(pc.fill_null(stages, -1))
    return {name: int((reached >= step).sum()) for step, name in enumerate(FUNNEL)}


def _compute_mix(column: pa.ChunkedArray, people: I64, disclosable: Bools, minimum_size: int) -> dict[str, float]:
    """Return the shares of sessions by value, largest first, for values that enough users have."""
    counted = pa.table({"value": column, "person": people}).filter(pa.array(disclosable[people]))
    counts = counted.drop_null().group_by("value").aggregate([("person", "count"), ("person", "count_distinct")])
    counts = counts.filter(pc.greater_equal(counts["person_count_distinct"], minimum_size))
    counts = counts.sort_by([("person_count", "descending"), ("value", "ascending")]).slice(0, MAXIMUM_MIX_VALUES)
    return {
        str(value): count / counted.num_rows
        for value, count in zip(counts["value"].to_pylist(), counts["person_count"].to_pylist(), strict=True)
    }


def _median(sessions: pa.Table, name: str, unit: float = 1.0) -> float | None:
    """Return the median of a column in a unit, or None if the column is missing or empty."""
    if name not in sessions.column_names:
        return None
    values = to_floats(sessions.column(name))
    values = values[np.isfinite(values)]
    return float(np.median(values)) / unit if len(values) else None


def _number_weeks(sessions: pa.Table) -> tuple[I64, int]:
    """Number the whole weeks before the newest session.

    Returns:
        The week in which each session began (n_sessions,), -1 for none, and the number of weeks.
    """
    if "started_at" not in sessions.column_names or not sessions.num_rows:
        return np.full(sessions.num_rows, -1, dtype=np.int64), 0
    seconds = np.asarray(sessions.column("started_at").cast(pa.timestamp("s"), safe=False).cast(pa.int64()))
    age = (seconds.max() - seconds) // WEEK_SECONDS
    count = min(int(age.max()), TREND_WEEKS)
    return np.where(age < count, age, -1).astype(np.int64), count


def _count_weekly_users(weeks: I64, people: I64, count: int) -> tuple[int, ...]:
    """Count the users who came in each week, the latest week last."""
    visits = np.unique(np.stack([weeks, people])[:, weeks >= 0], axis=1)
    return tuple(np.bincount(visits[0], minlength=count)[::-1].tolist())


def _select_typical(sessions: pa.Table) -> tuple[TypicalSession, ...]:
    """Select a short, a usual and a long session on the usual device at the usual daypart; none without pages."""
    columns = [name for name in ("page_views", "duration_seconds") if name in sessions.column_names]
    if "page_views" not in columns or not pc.any(pc.greater(sessions.column("page_views"), 0)).as_py():
        return ()
    for name in {"device_type", "daypart"} & set(sessions.column_names):
        values = sessions.column(name).drop_null()
        if len(values):
            counts = pa.table({"value": values}).group_by("value").aggregate([("value", "count")])
            usual = counts.sort_by([("value_count", "descending"), ("value", "ascending")])["value"][0]
            sessions = sessions.filter(pc.fill_null(pc.equal(sessions.column(name), usual), False))
    sizes = np.log1p(
        np.column_stack([np.nan_to_num(to_floats(sessions.column(name))) for name in columns]).clip(0)
    )
    kinds: dict[int, str] = {}
    for kind, quantile in SESSION_QUANTILES.items():
        row = int(np.abs(sizes - np.quantile(sizes, quantile, axis=0)).sum(axis=1).argmin())
        kinds.setdefault(row, kind)
    return tuple(_to_typical(kind, sessions.slice(row, 1).to_pylist()[0]) for row, kind in kinds.items())


def _to_typical(kind: str, session: Mapping[str, Any]) -> TypicalSession:
    """Convert a row of `sessions`."""
    began = session.get("local_started_at") or session.get("started_at")
    return TypicalSession(
        kind=kind,
        weekday=f"{began:%A}" if began else None,
        hour=began.hour if began else None,
        device_type=session.get("device_type"),
        channel=session.get("channel"),
        pages=int(session.get("page_views") or 0),
        minutes=float(session.get("duration_seconds") or 0.0) / 60,
        reached=session.get("funnel_stage"),
    )
