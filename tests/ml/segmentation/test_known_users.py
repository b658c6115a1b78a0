"""Sites of which some customers are known by their orders alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score

from ml.segmentation import fit_segmentation
from ml.segmentation.known_users import describe_by_totals
from ml.settings import load_settings
from ml.settings.segmentation import SegmentationSettings

LOYAL, LAPSED, NEW = range(3)


def mixed_site(users: int, share_of_orders_only: float) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Loyal, lapsed and new customers, of whom some are known by orders alone; returns kinds and who these are."""
    generator = np.random.default_rng(3)
    kind = generator.integers(3, size=users)
    is_orders_only = generator.random(users) < share_of_orders_only
    orders = generator.poisson(np.array([30.0, 12.0, 1.0])[kind]) + 1
    views = np.where(is_orders_only, 0, orders * generator.integers(3, 9, users))
    evening = np.where(is_orders_only, np.nan, generator.beta(8, 8, users))
    rates = {name: np.where(is_orders_only, np.nan, generator.beta(4, 20, users)) for name in "abc"}
    table = pa.table(
        {
            "user_id": [f"u{row}" for row in range(users)],
            "page_views": views,
            "events": views + orders,
            "purchases": orders,
            "sessions": orders + generator.poisson(1.0, users),
            "monetary": orders * generator.gamma(20.0, 2.0, users),
            "recency_days": generator.gamma(20.0, np.array([0.5, 10.0, 0.5])[kind]),
            "tenure_days": generator.gamma(40.0, np.array([10.0, 10.0, 0.6])[kind]),
            "frequency": np.clip(generator.normal(np.array([0.3, 0.1, 0.1])[kind], 0.03), 0.01, 1.0),
            "weekend_share": generator.beta(2.0, 5.0, users),
            "daypart_shares": [
                None if np.isnan(share) else {"evening": share, "morning": 1 - share} for share in evening.tolist()
            ],
            **{f"{name}_rate": pa.array(values, from_pandas=True) for name, values in rates.items()},
        }
    )
    return table, kind, is_orders_only


@pytest.fixture(scope="module")
def site_settings(quick: SegmentationSettings) -> SegmentationSettings:
    default = load_settings().segmentation
    return quick.model_copy(update={"roles": default.roles, "evidence": default.evidence})


@pytest.mark.parametrize("share", [0.5, 0.9, 1.0])
def test_customers_known_by_orders_get_the_segment_that_their_orders_show(
    site_settings: SegmentationSettings, share: float
) -> None:
    table, kind, is_orders_only = mixed_site(900, share)
    segmentation = fit_segmentation(table, site_settings, seed=1)
    assigned = segmentation.assign(table)
    segments, names = assigned["segment"].to_numpy(), np.array(assigned["name"].to_pylist())
    assert adjusted_rand_score(kind[is_orders_only], segments[is_orders_only]) > 0.9
    if not is_orders_only.all():
        assert adjusted_rand_score(kind[~is_orders_only], segments[~is_orders_only]) > 0.9
    is_called_new = np.array([name.startswith("New") for name in names])
    assert is_called_new.any()
    assert table["purchases"].to_numpy()[is_called_new].max() < 10
    for row in (0, 1, 2):
        alone = segmentation.assign_user(table.slice(row, 1).to_pylist()[0])
        assert alone.segment == segments[row]


def test_somebody_of_whom_no_event_is_known_gets_the_sizes_of_the_segments(
    site_settings: SegmentationSettings,
) -> None:
    table, _, _ = mixed_site(900, 0.5)
    segmentation = fit_segmentation(table, site_settings, seed=1)
    shares = segmentation.memberships(table).mean(axis=0)
    unknown = segmentation.assign_user({})
    np.testing.assert_allclose(list(unknown.membership.values()), shares, atol=0.03)


def test_few_customers_known_by_orders_do_not_change_what_forms_the_segments(
    site_settings: SegmentationSettings,
) -> None:
    table, _, _ = mixed_site(900, 0.1)
    assert describe_by_totals(table, site_settings) is site_settings
    without_orders = table.drop_columns(["purchases"])
    assert describe_by_totals(without_orders, site_settings) is site_settings
