"""What is said of a person's segment while little is known of them."""

from types import SimpleNamespace

import pytest

from ml.decisions.activity.activity import Activity
from ml.segmentation.segmentation import SegmentAssignment
from serving.recommend.user_segment import describe_segment


def model_that_says(chances):
    """A segmentation of three segments that gives these chances to whoever it is asked about."""
    segment = max(chances, key=chances.get)
    return SimpleNamespace(
        ids=[1, 2, 3],
        names=["readers", "buyers", "night owls"],
        profiles=[SimpleNamespace(segment=number, persona=f"persona {number}") for number in (1, 2, 3)],
        assign_user=lambda facts: SegmentAssignment(segment, "buyers", chances),
    )


@pytest.mark.parametrize(
    ("chances", "persona"),
    [
        ({1: 0.2, 2: 0.7, 3: 0.1}, "persona 2"),
        ({1: 0.3, 2: 0.4, 3: 0.3}, None),  # somebody with a view or two
        ({1: 0.25, 2: 0.5, 3: 0.25}, None),
    ],
)
def test_nobody_is_described_as_somebody_whom_they_may_well_not_be(chances, persona):
    described = describe_segment(model_that_says(chances), {"segment": "buyers"}, None, Activity())
    assert (described["segment"], described["persona"]) == ("buyers", persona)
    assert described["memberships"] == {"readers": chances[1], "buyers": chances[2], "night owls": chances[3]}


def test_noise_has_no_persona():
    model = model_that_says({1: 0.9, 2: 0.05, 3: 0.05})
    model.assign_user = lambda facts: SegmentAssignment(-1, "No segment", {1: 0.9, 2: 0.05, 3: 0.05})
    assert describe_segment(model, {"segment": "No segment"}, None, Activity())["persona"] is None
