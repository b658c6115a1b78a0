import datetime as dt

import pytest

from ml.home import Home
from serving.admission.signed_cookies import SignedCookies


@pytest.fixture
def now():
    return [dt.datetime(2026, 6, 1, 9, tzinfo=dt.UTC)]


@pytest.fixture
def cookies(tmp_path, now):
    return SignedCookies(Home(tmp_path), clock=lambda: now[0])


def test_a_cookie_counts_for_its_kind_and_its_hours(cookies, now):
    token = cookies.encode("session", 12, key="k", csrf="c")
    assert cookies.decode(token, "session")["key"] == "k"
    assert cookies.decode(token, "form") is None
    now[0] += dt.timedelta(hours=12)
    assert cookies.decode(token, "session") is None


def test_another_home_signs_otherwise(cookies, now, tmp_path):
    other = SignedCookies(Home(tmp_path / "other"), clock=lambda: now[0])
    assert other.decode(cookies.encode("session", 1, key="k"), "session") is None
    assert other.digest("a") != cookies.digest("a") == SignedCookies(Home(tmp_path)).digest("a")
