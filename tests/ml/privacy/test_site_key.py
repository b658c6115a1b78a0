"""The key of the site: made once, and never replaced in silence."""

import pytest

from ml.errors import DamagedFileError
from ml.home import Home
from ml.privacy.erased_ids import ErasedIds
from ml.privacy.home_checks import open_home
from ml.privacy.pseudonyms import MissingKeyError, Pseudonyms


def test_a_fresh_home_makes_a_key_when_it_needs_one(tmp_path):
    open_home(Home(tmp_path))
    assert not (tmp_path / "site.key").exists()
    first = Pseudonyms(tmp_path).pseudonymize("ann@example.org")
    assert Pseudonyms(tmp_path).pseudonymize("Ann@example.org ") == first
    open_home(Home(tmp_path))


def test_a_missing_key_is_fatal_where_pseudonyms_were_made(tmp_path):
    Pseudonyms(tmp_path).pseudonymize("ann@example.org")
    (tmp_path / "site.key").unlink()
    with pytest.raises(MissingKeyError, match=r"put site\.key back from the keys of a backup"):
        open_home(Home(tmp_path))
    with pytest.raises(MissingKeyError):
        Pseudonyms(tmp_path).digest("ann")
    assert not (tmp_path / "site.key").exists()


def test_a_missing_key_is_fatal_in_a_home_of_an_earlier_version_with_erasures(tmp_path):
    ErasedIds(Home(tmp_path)).add(["ann"])
    (tmp_path / "site.key").unlink()
    (tmp_path / "site.key.check").unlink()
    with pytest.raises(MissingKeyError):
        open_home(Home(tmp_path))


def test_a_changed_key_is_named(tmp_path):
    Pseudonyms(tmp_path).digest("ann")
    key = tmp_path / "site.key"
    for offset in range(32):
        content = bytearray(key.read_bytes())
        content[offset] ^= 1
        key.write_bytes(content)
        with pytest.raises(DamagedFileError, match=r"site\.key"):
            open_home(Home(tmp_path))
        content[offset] ^= 1
        key.write_bytes(content)
    open_home(Home(tmp_path))


def test_the_key_of_an_earlier_version_is_taken_over(tmp_path):
    digest = Pseudonyms(tmp_path).digest("ann")
    (tmp_path / "site.key.check").unlink()
    open_home(Home(tmp_path))
    assert (tmp_path / "site.key.check").exists()
    assert Pseudonyms(tmp_path).digest("ann") == digest


def test_every_damaged_byte_of_the_erased_ids_is_named(tmp_path):
    home = Home(tmp_path)
    ErasedIds(home).add(["ann", "bob"])
    file = tmp_path / "erasures" / "erased_ids"
    content = file.read_bytes()
    for offset in range(len(content)):
        file.write_bytes(content[:offset] + bytes([content[offset] ^ 3]) + content[offset + 1 :])
        with pytest.raises(DamagedFileError, match=r"erased_ids: line [12]"):
            ErasedIds(home).refresh()


def test_erased_ids_of_an_earlier_version_count_and_a_torn_line_does_not(tmp_path):
    home = Home(tmp_path)
    pseudonyms = Pseudonyms(tmp_path)
    file = tmp_path / "erasures" / "erased_ids"
    file.parent.mkdir()
    file.write_text(f"{pseudonyms.digest('ann')}\n{pseudonyms.digest('bob')[:30]}")
    erased = ErasedIds(home)
    assert "ann" in erased
    erased.add(["cleo"])
    other = ErasedIds(home)
    assert ["ann" in other, "bob" in other, "cleo" in other] == [True, False, True]
