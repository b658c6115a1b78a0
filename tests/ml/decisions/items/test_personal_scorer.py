"""The scorer of a bundle with factors: i0-i4 are alike, and so are i5-i9."""

from ml.bundle import Bundle
from ml.decisions.activity.activity import Activity
from ml.decisions.items.bundle_index import BundleIndex
from ml.decisions.items.bundle_join import BundleJoin
from ml.decisions.items.champion_scorer import make_scorer
from tests.serving.bundles import publish


def test_similar_items_are_as_many_as_are_asked_for_whoever_asked_before(tmp_path):
    join, activity = BundleJoin(BundleIndex(Bundle.load(publish(tmp_path)))), Activity()
    for _ in join.join(activity):
        pass
    scorer = make_scorer(join, 10, 10_000)
    few, many = scorer.similar_keys(activity.keys["i2"], 2), scorer.similar_keys(activity.keys["i2"], 4)
    assert (len(few), len(many)) == (2, 4)
    assert many[:2].tolist() == few.tolist()
    assert {activity.items[key] for key in many.tolist()} == {"i0", "i1", "i3", "i4"}
    assert scorer.similar_keys(activity.keys["i2"], 2).tolist() == few.tolist()
