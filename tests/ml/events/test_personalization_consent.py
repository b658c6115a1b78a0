"""A refusal stands until its like grants again; otherwise the newest event that lists purposes decides."""

import itertools

import pytest

from ml.events.personalization_consent import PersonalizationConsent, read_decided_purposes

# What happened → whether personalization is granted in the end. Each entry is (time, what, authority).
CASES = {
    "nothing": ([], False),
    "a list with it": ([(1, "listed", None)], True),
    "a list without it": ([(1, "not listed", None)], False),
    "narrowed by a later list": ([(1, "listed", None), (2, "not listed", None)], False),
    "widened by a later list": ([(1, "not listed", None), (2, "listed", None)], True),
    "a list lifts no refusal": ([(1, "refused", "browser"), (2, "listed", None)], False),
    "a grant lifts it": ([(1, "refused", "browser"), (2, "granted", "browser"), (2, "listed", None)], True),
    "a lower rank lifts nothing": (
        [(1, "refused", "server"), (2, "granted", "browser"), (2, "listed", None)],
        False,
    ),
    "a grant, then a narrower list": (
        [(1, "granted", "server"), (1, "listed", None), (2, "not listed", None)],
        False,
    ),
    "both lists at once": ([(1, "listed", None), (1, "not listed", None)], False),
    "refused and granted at once": (
        [(1, "refused", "server"), (1, "granted", "server"), (1, "listed", None)],
        False,
    ),
    "a file stands for the server": ([(1, "refused", None), (2, "granted", "service"), (2, "listed", None)], True),
}


def fold(statements):
    consent = PersonalizationConsent()
    for at, what, authority in statements:
        if what in ("listed", "not listed"):
            consent.state(at, what == "listed")
        else:
            consent.decide(at, what == "granted", authority)
    return consent


@pytest.mark.parametrize("name", CASES)
def test_consent_follows_the_time_of_events_and_not_their_arrival(name):
    statements, is_granted = CASES[name]
    for order in itertools.permutations(statements):
        assert fold(order).is_granted == is_granted


@pytest.mark.parametrize("name", CASES)
def test_two_records_of_one_person_merge_into_the_record_of_all_events(name):
    statements, is_granted = CASES[name]
    for split in range(len(statements) + 1):
        merged = fold(statements[:split])
        merged.merge(fold(statements[split:]))
        assert merged.is_granted == is_granted


def test_a_withdrawal_without_purposes_withdraws_all_and_a_preference_can_only_opt_out():
    assert "personalization" in read_decided_purposes("consent_withdrawn", None, {})
    assert read_decided_purposes("consent_withdrawn", None, {"purposes": ["location"]}) == ["location"]
    assert read_decided_purposes("consent_granted", ["analytics"], {}) == ["analytics"]
    assert read_decided_purposes("preference", None, {"opt_out": True}) == ("personalization",)
    assert read_decided_purposes("preference", ["personalization"], {"opt_out": False}) == ()
