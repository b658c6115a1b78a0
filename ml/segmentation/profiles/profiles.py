"""Profiles of segments: size, means, effect sizes against all other users, words, sessions and examples."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import ttest_ind

from ml.arrays import F64, Bools
from ml.segmentation.features.features import USER_ID
from ml.segmentation.profiles.behaviour import SegmentBehaviour
from ml.segmentation.profiles.certainty import are_certain
from ml.segmentation.profiles.feedback import SegmentFeedback
from ml.segmentation.profiles.member_values import MemberValues
from ml.segmentation.profiles.vocabulary import WordShare

EXAMPLES = 5
MAXIMUM_TRAITS = 12
MAJORITY = 0.5  # share, of the users of a segment or of what they do, above which something is said of it
_WORDS = pa.list_(
    pa.struct(
        [("column", pa.string()), ("word", pa.string()), ("share", pa.float64()), ("share_outside", pa.float64())]
    )
)
_TRAITS = pa.list_(
    pa.struct(
        [
            ("feature", pa.string()),
            ("mean", pa.float64()),
            ("mean_outside", pa.float64()),
            ("effect", pa.float64()),
        ]
    )
)
PROFILE_SCHEMA = pa.schema(
    [
        ("segment", pa.int64()),
        ("name", pa.string()),
        ("size", pa.int64()),
        ("share", pa.float64()),
        ("shares_before", pa.list_(pa.float64())),
        ("persona", pa.string()),
        ("traits", _TRAITS),
        ("words", _WORDS),
        ("interests", _WORDS),
        ("behaviour", pa.string()),
        ("agree", pa.int64()),
        ("disagree", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Trait:
    """A numeric feature in a segment.

    Attributes:
        feature: name of the feature.
        mean: mean in the segment.
        mean_outside: mean of the users outside of it.
        effect: Cohen's d against the users outside of it.
        is_certain: whether the difference is more than chance, given how many were looked at.
        is_usual: whether most of the segment have more of it than most others, or less for a negative effect.
    """

    feature: str
    mean: float
    mean_outside: float
    effect: float
    is_certain: bool = False
    is_usual: bool = True


@dataclass(frozen=True)
class SegmentProfile:
    """Description of a segment.

    Attributes:
        segment: number of the segment.
        name: name of the segment.
        size: number of users.
        share: share of all users.
        traits: numeric features, strongest effect first.
        words: words that are more frequent in the segment than outside.
        examples: ids of example users.
        interests: categories and tags that the segment prefers.
        shares_before: shares in previous runs, the latest last.
        persona: a paragraph about the people of the segment.
        behaviour: what they do in their sessions.
        feedback: what they say about the segment.
    """

    segment: int
    name: str
    size: int
    share: float
    traits: tuple[Trait, ...]
    words: tuple[WordShare, ...]
    examples: tuple[str, ...]
    interests: tuple[WordShare, ...] = ()
    shares_before: tuple[float, ...] = ()
    persona: str = ""
    behaviour: SegmentBehaviour | None = None
    feedback: SegmentFeedback = field(default_factory=SegmentFeedback)

    @classmethod
    def from_document(cls, entry: Mapping[str, Any]) -> SegmentProfile:
        """Restore what `dataclasses.asdict` made, after it went through JSON."""
        parts = {
            "traits": tuple(Trait(**trait) for trait in entry["traits"]),
            "words": tuple(WordShare(**word) for word in entry["words"]),
            "interests": tuple(WordShare(**word) for word in entry["interests"]),
            "examples": tuple(entry["examples"]),
            "shares_before": tuple(entry["shares_before"]),
            "behaviour": SegmentBehaviour.from_document(entry["behaviour"]) if entry["behaviour"] else None,
            "feedback": SegmentFeedback(**entry["feedback"]),
        }
        return cls(**{**entry, **parts})


def compute_traits(
    X: F64, names: list[str], inside: Bools, segments: int, members: MemberValues, index: int
) -> tuple[Trait, ...]:
    """Compare every feature inside and outside of a segment, by Welch's test.

    Effects and their certainty are those among the users who shaped the segments. The means are those of
    everybody, and a difference is certain only if theirs points to the same side and the values of most of the
    segment are known. Where nobody's value is known, the means are those of the shaping users with missing values
    filled.

    Args:
        X: features of the users who shaped the segments (n_users, n_features).
        names: names of the features.
        inside: which of these users are in the segment, (n_users,).
        segments: number of segments that are compared in the same way.
        members: averages of everybody.
        index: place of the segment in `members`.

    Returns:
        The traits, strongest effect first.
    """
    mean, outside = members.means[index], members.means_outside[index]
    if not inside.any() or inside.all():
        mean = np.where(np.isnan(mean), X.mean(axis=0) if len(X) else 0.0, mean)
        return tuple(Trait(name, float(m), float(m), 0.0) for name, m in zip(names, mean, strict=True))
    a, b = X[inside], X[~inside]
    difference = a.mean(axis=0) - b.mean(axis=0)
    pooled = np.sqrt((len(a) * a.var(axis=0) + len(b) * b.var(axis=0)) / max(1, len(X) - 2))
    effect = np.divide(difference, pooled, out=np.zeros_like(difference), where=pooled > 0)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # constant features have no p-value
        p_values = np.asarray(ttest_ind(a, b, equal_var=False).pvalue)
    certain = are_certain(p_values, len(names) * segments)
    certain &= (effect * (mean - outside) > 0) & (members.known_shares[index] > MAJORITY)
    usual = effect * (members.medians[index] - members.medians_outside[index]) > 0
    mean = np.where(np.isnan(mean), a.mean(axis=0), mean)
    outside = np.where(np.isnan(outside), b.mean(axis=0), outside)
    traits = [
        Trait(name, float(m), float(o), float(e), bool(c), bool(u))
        for name, m, o, e, c, u in zip(names, mean, outside, effect, certain, usual, strict=True)
    ]
    return tuple(sorted(traits, key=lambda trait: (-abs(trait.effect), trait.feature)))


def select_example_users(table: pa.Table, inside: Bools, membership: F64) -> tuple[str, ...]:
    """Return the ids of up to `EXAMPLES` members with the highest membership."""
    members = np.flatnonzero(inside)
    best = members[np.argsort(-membership[members], kind="stable")[:EXAMPLES]]
    return tuple(str(user) for user in table.column(USER_ID).take(pa.array(best)).to_pylist())


def build_profile_table(profiles: Sequence[SegmentProfile]) -> pa.Table:
    """Build the mart `segment_profiles`, without example users; `behaviour` is a JSON text."""
    rows = [
        {
            **asdict(profile),
            "traits": [asdict(trait) for trait in profile.traits[:MAXIMUM_TRAITS]],
            "behaviour": json.dumps(asdict(profile.behaviour)) if profile.behaviour else None,
            **asdict(profile.feedback),
        }
        for profile in profiles
    ]
    return pa.Table.from_pylist(rows, schema=PROFILE_SCHEMA)
