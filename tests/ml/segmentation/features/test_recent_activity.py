from __future__ import annotations

from ml.segmentation.features.recent_activity import build_recent_features


def test_openings_become_the_shares_of_the_mart() -> None:
    assert build_recent_features(["sport", "sport", None, "food"], "mobile") == {
        "page_views": 3,
        "category_shares": {"sport": 2 / 3, "food": 1 / 3},
        "device_shares": {"mobile": 1.0},
    }


def test_openings_without_a_category_are_no_evidence() -> None:
    assert build_recent_features([None, None], None) == {"page_views": 0}
