import pytest

from ml.privacy.person_key import (
    ids_of_key,
    mart_person_key,
    person_key,
    possible_person_keys,
)

IDS = ["ann", "anonymous:ann", "user:ann", "caller:ann", "user:anonymous:ann", "anonymous:user:ann"]


def test_no_user_and_no_device_share_a_key():
    keys = [person_key(name, None) for name in IDS] + [person_key(None, name) for name in IDS]
    assert len(set(keys)) == 2 * len(IDS)
    assert not any(str(key).startswith("caller:") for key in keys)


def test_a_user_keeps_the_plain_id_and_stands_before_the_device():
    assert person_key("ann", "phone") == "ann"
    assert person_key(None, "phone") == "anonymous:phone"
    assert person_key(None, None) is None
    assert person_key("", "phone") == "anonymous:phone"


@pytest.mark.parametrize("name", IDS)
def test_the_ids_come_back_from_a_key(name):
    assert ids_of_key(str(person_key(name, None))) == (name, None)
    assert ids_of_key(str(person_key(None, name))) == (None, name)
    assert possible_person_keys(name) == (person_key(name, None), person_key(None, name))


def test_rows_of_the_mart_have_the_keys_of_their_people():
    assert mart_person_key("ann", True) == person_key("ann", None)
    assert mart_person_key("phone", False) == person_key(None, "phone")
    # The mart's own spelling of a device whose id a user has too.
    assert mart_person_key("anonymous:ann", False) == person_key(None, "ann")
