"""Which events of the log change the online state."""

import datetime as dt

import pytest

from ml.decisions.activity.event_log_changes import read_changes
from ml.events.quarantine import Quarantine
from ml.events.validation import validate_records
from ml.home import Home

NOW = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(("value", "changes"), [(None, 1), (0.0, 1), (-0.0, 1), (25.0, 1), (-25.0, 0)])
def test_a_purchase_without_an_amount_is_a_reaction_and_a_refund_is_none(value, changes, tmp_path):
    record = {
        "event_id": "1",
        "event_type": "purchase",
        "occurred_at": "2026-03-02T08:00:00Z",
        "user_id": "ann",
        "item_id": "boots",
    }
    valid, _ = validate_records([record | ({} if value is None else {"value": value})], NOW)
    assert len(read_changes(valid.accepted, Quarantine(Home(tmp_path)), "service")) == changes
