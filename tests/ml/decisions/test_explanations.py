"""Reasons from what features add, and their words."""

import numpy as np
import pytest

from ml.decisions.explanations import FAMILIES, Explanation, family_contributions, write_sentence
from ml.decisions.ranker.features import NAMES, REQUEST
from ml.recommenders.fold_in import FoldIn, ItemMoments, contributions, folded_in


def test_every_feature_of_a_candidate_is_of_one_family():
    members = [name for family in FAMILIES.values() for name in family]
    assert sorted([*members, *REQUEST]) == sorted(NAMES)


def test_a_family_carries_what_the_score_would_fall_by_without_it():
    rows, typical = np.zeros((2, len(NAMES)), np.float32), np.zeros(len(NAMES), np.float32)
    for name, value in {"next_7d": 2.0, "near_4h": 1.0, "personal": 0.5, "hour": 9.0}.items():
        rows[0, NAMES.index(name)] = value
    typical[NAMES.index("hour")] = rows[1, NAMES.index("hour")] = 9.0
    typical[NAMES.index("segment")] = 0.25
    first, second = family_contributions(lambda some: some.sum(axis=1, dtype=np.float64), rows, typical)
    assert {family: value for family, value in first.items() if value} == {
        "follows": 3.0, "taste": 0.5, "segment": -0.25,
    }  # fmt: skip
    assert {family: value for family, value in second.items() if value} == {"segment": -0.25}
    # together the two halves of a pair of conditions carry the whole, as in a tree
    both = family_contributions(
        lambda some: np.minimum(some[:, 0], some[:, NAMES.index("personal")]), rows + 1, typical
    )
    assert (both[0]["popular"], both[0]["taste"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Explanation("taste", ("“Rain”", "“Snow”")), "Because you opened “Rain” and “Snow”"),
        (Explanation("follows"), "Often opened after what you opened last"),
        (Explanation("in_country", ("Germany",)), "Popular now in Germany"),
        (Explanation("popular_hour", ("12",)), "Opened 12 times in the last hour"),
        (Explanation("boost"), "Recommended by this site"),
    ],
)
def test_words(reason, words):
    assert write_sentence(reason) == words


@pytest.mark.parametrize("covariance", [None, np.diag([1.0, 2.0, 0.5]).astype(np.float32)])
def test_what_opened_items_add_makes_up_the_folded_score(covariance):
    generator = np.random.default_rng(4)
    factors = generator.normal(size=(30, 3)).astype(np.float32)
    moments, strengths = ItemMoments(factors), np.array([1.0, 2.0], np.float32)
    rule = FoldIn(np.zeros(3, np.float32), 10.0, 1.0, covariance)
    added = contributions(rule, moments, factors[:2], strengths, factors[5:9])
    vector = folded_in(rule, moments, factors[:2], strengths)
    assert added.sum(axis=0) == pytest.approx(factors[5:9] @ vector, rel=1e-4)
