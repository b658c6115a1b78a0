"""`tessera keys`: what the commands print, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ml.home import Home
from ml.keys.access_key import digest_of
from ml.keys.key_file import KeyFile
from orchestration.cli import app


@pytest.fixture(autouse=True)
def environment_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands set these for the processes that they start."""
    for name in ("TESSERA_HOME", "DAGSTER_HOME", "BENTOML_HOME"):
        monkeypatch.setenv(name, "")


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments, "--home", str(home)])


def test_standard_output_is_the_key_alone_so_that_it_can_be_piped(tmp_path: Path) -> None:
    made = run(tmp_path, "create", "--kind", "browser", "--name", "shop", "--origin", "https://shop.example")
    key = made.stdout.strip()
    (stored,) = KeyFile(Home(tmp_path)).read()
    assert stored.digest == digest_of(key)
    assert f"The browser key {stored.key_id} (shop) works on pages of https://shop.example" in made.stderr
    assert "shown once" in made.stderr
    assert key not in made.stderr


def test_a_key_is_listed_rotated_and_revoked_by_its_name(tmp_path: Path) -> None:
    first = run(tmp_path, "create", "--kind", "secret", "--name", "backend", "--expires", "90d").stdout.strip()
    second = run(tmp_path, "rotate", "backend", "--overlap", "36h").stdout.strip()
    listed = json.loads(run(tmp_path, "list", "--json").stdout)
    assert [entry["id"] for entry in listed] == [digest_of(key)[:12] for key in (first, second)]
    assert {entry["status"] for entry in listed} == {"active"}
    assert run(tmp_path, "revoke", listed[0]["id"]).stdout == f"Revoked: {listed[0]['id']}\n"
    table = run(tmp_path, "list").stdout
    assert ("revoked" in table, "active" in table) == (True, True)
    assert first not in table + json.dumps(listed)


def test_without_keys_the_list_says_how_to_make_one(tmp_path: Path) -> None:
    assert "tessera keys create" in run(tmp_path, "list").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("create", "--kind", "admin"), 2, "browser"),
        (("create", "--kind", "secret", "--expires", "soon"), 2, "'soon' is not a duration"),
        (("create", "--kind", "secret", "--expires", "999999w"), 2, "is not a duration"),
        (("create", "--kind", "browser", "--origin", "shop"), 1, "'shop' is not an origin"),
        (("create", "--kind", "console"), 1, "legal: viewer, editor, privacy-officer"),
        (("rotate", "nothing"), 1, "no key has this id or name"),
        (("revoke", "nothing"), 1, "there are no active keys"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert not (tmp_path / "keys.json").exists()
