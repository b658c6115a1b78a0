"""The file of the keys: what it holds, how keys end, and what happens to a damaged file."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
import stat
import subprocess
import sys

import pytest

from ml.errors import InvalidInputError
from ml.home import Home
from ml.keys.access_key import AccessKey, generate_key
from ml.keys.key_file import KeyFile, KeyFileError, UnknownKeyError
from ml.keys.origins import origin_of, parse_origin

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
CREATE = """
import sys
from ml.home import Home
from ml.keys.key_file import KeyFile
for number in range(10):
    KeyFile(Home(sys.argv[1])).create("browser", name=f"{sys.argv[2]} {number}")
"""


@pytest.fixture
def file(tmp_path) -> KeyFile:
    return KeyFile(Home(tmp_path / "home"))


def test_a_key_is_256_random_bits_with_a_prefix_and_only_its_digest_is_stored(file):
    created, key = file.create("secret", name="backend", lifetime=dt.timedelta(days=90))
    assert re.fullmatch(r"tsk_[A-Za-z0-9_-]{43}", key)
    assert file.create("browser")[1].startswith("tbk_")
    assert created.digest == hashlib.sha256(key.encode()).hexdigest()
    assert created.key_id == created.digest[:12]
    text = file.path.read_text(encoding="utf-8")
    assert key not in text
    assert key.removeprefix("tsk_") not in text
    assert file.read()[0] == created
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in file.path.parent.iterdir() if path.name.startswith(".keys.json")] == []


def test_a_key_works_until_the_moment_of_its_expiry():
    key, _ = generate_key("secret", NOW, lifetime=dt.timedelta(days=1))
    almost = NOW + dt.timedelta(hours=23, minutes=59, seconds=59)
    assert (key.is_active(almost), key.is_active(NOW + dt.timedelta(days=1))) == (True, False)
    assert key.describe_status(NOW + dt.timedelta(days=2)) == "expired"
    revoked = dataclasses.replace(key, revoked_at=NOW)
    assert (revoked.is_active(NOW), revoked.describe_status(NOW)) == (False, "revoked")


def test_a_rotation_keeps_what_the_key_may_do_and_ends_the_old_one_later(file):
    old, _ = file.create("browser", name="shop", origins=("https://shop.example",), lifetime=dt.timedelta(days=30))
    ending, new, text = file.rotate("shop", dt.timedelta(days=7))
    assert (new.kind, new.name, new.origins) == ("browser", "shop", ("https://shop.example",))
    assert new.digest == hashlib.sha256(text.encode()).hexdigest()
    assert new.expires_at - new.created_at == dt.timedelta(days=30)
    assert ending.digest == old.digest
    assert ending.expires_at - new.created_at == dt.timedelta(days=7)
    assert file.read() == [ending, new]
    again, newest, _ = file.rotate("shop", dt.timedelta(days=7))
    assert again.key_id == new.key_id, "a name means the newest key that has it"
    assert file.read()[-1] == newest


def test_a_rotation_never_makes_the_old_key_live_longer(file):
    old, _ = file.create("secret", name="x", lifetime=dt.timedelta(days=1))
    ending, _, _ = file.rotate("x", dt.timedelta(days=7))
    assert ending.expires_at == old.expires_at


def test_a_name_revokes_the_key_and_its_successor(file):
    file.create("secret", name="other")
    file.create("secret", name="backend")
    file.rotate("backend", dt.timedelta(days=7))
    assert {key.name for key in file.revoke("backend")} == {"backend"}
    assert [key.describe_status(NOW) for key in file.read()] == ["active", "revoked", "revoked"]
    with pytest.raises(UnknownKeyError, match="does not work any more"):
        file.revoke("backend")
    file.create("secret", name="backend")  # the name is free again


def test_a_key_that_is_given_in_place_of_its_id_is_revoked_and_never_shown(file):
    _, key = file.create("secret")
    file.revoke(key)
    assert file.read()[0].revoked_at is not None
    _, other = generate_key("secret", NOW)
    with pytest.raises(UnknownKeyError) as raised:
        file.revoke(other)
    assert other not in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "admin"}, "legal: browser, secret, console"),
        ({"kind": "console"}, "the role of a console key is None; legal: viewer, editor, privacy-officer"),
        ({"kind": "secret", "role": "viewer"}, "a secret key has no role"),
        ({"kind": "browser", "origins": ("shop.example",)}, "'shop.example' is not an origin"),
        ({"kind": "browser", "origins": ("https://shop.example/page",)}, "is not an origin"),
        ({"kind": "secret", "origins": ("https://shop.example",)}, "has no origins"),
        ({"kind": "browser", "name": "taken"}, "an active key is called 'taken'"),
    ],
)
def test_what_is_not_legal_is_refused_and_changes_nothing(file, fields, message):
    file.create("browser", name="taken")
    with pytest.raises(InvalidInputError, match=message):
        file.create(**fields)
    assert len(file.read()) == 1


def test_origins_are_compared_as_browsers_send_them():
    assert parse_origin("https://Shop.Example:443/") == "https://shop.example"
    assert parse_origin("http://localhost:8080") == "http://localhost:8080"
    assert origin_of("https://shop.example/items/1?a=b") == "https://shop.example"
    assert origin_of("http://[::1]:9/x") == "http://[::1]:9"
    for other in (
        "null",
        "",
        "file:///etc",
        "https://user@shop.example",
        "https://shop.example:port",
        "https://[::1",
    ):
        assert origin_of(other) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "\xff",
        '{"version": 1}',
        '{"version": 2, "keys": []}',
        '{"version": 1, "keys": [{"kind": 5}]}',
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(file, text):
    file.create("secret")
    file.path.write_bytes(text.encode("latin-1"))
    with pytest.raises(KeyFileError) as raised:
        file.read()
    assert str(file.path) in str(raised.value)
    assert "tessera keys create" in str(raised.value)
    with pytest.raises(KeyFileError):
        file.create("secret")
    assert file.path.read_bytes() == text.encode("latin-1"), "a damaged file is never written over"


def test_commands_at_the_same_time_lose_no_key(tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", CREATE, tmp_path, str(number)]) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len({key.key_id for key in KeyFile(Home(tmp_path)).read()}) == 30


def test_every_field_survives_the_file(file):
    created, _ = file.create("browser", name="ü", origins=("https://a.example", "https://b.example"))
    stored = json.loads(file.path.read_text(encoding="utf-8"))["keys"][0]
    assert set(stored) == {field.name for field in dataclasses.fields(AccessKey)}
    assert file.read() == [created]
