"""One rule says which definition file counts."""

from pathlib import Path

import pytest

from ml.home import Home
from ml.site.definition_files import (
    SiteMissingError,
    definition_file,
    editable_file,
    product_config,
    read_home,
    retirement_notice,
)


def placed(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"# of {folder.name}\n")
    return folder / name


def test_the_sites_file_counts_then_the_homes_copy_then_the_products(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", site=tmp_path / "site")
    assert definition_file(home, "rules.yaml") == product_config() / "rules.yaml"
    copy = placed(home.path, "rules.yaml")
    assert definition_file(home, "rules.yaml") == copy
    site_file = placed(tmp_path / "site", "rules.yaml")
    assert definition_file(home, "rules.yaml") == site_file
    assert definition_file(Home(home.path), "rules.yaml") == copy


def test_a_file_that_is_nowhere_is_missed_in_the_site(tmp_path: Path) -> None:
    assert (
        definition_file(Home(tmp_path / "home", tmp_path / "site"), "none.yaml") == tmp_path / "site" / "none.yaml"
    )
    assert definition_file(Home(tmp_path / "home"), "none.yaml") == tmp_path / "home" / "none.yaml"


def test_a_single_file_of_settings_takes_the_place_of_the_sites_settings_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", settings_file=placed(tmp_path / "etc", "mine.yaml"))
    assert definition_file(home, "settings.yaml") == tmp_path / "etc" / "mine.yaml"
    assert definition_file(home, "rules.yaml") == product_config() / "rules.yaml"


def test_commands_write_into_the_site_and_without_one_into_a_copy_in_the_home(tmp_path: Path) -> None:
    site = placed(tmp_path / "site", "rules.yaml").parent
    with_site, without = Home(tmp_path / "home", site), Home(tmp_path / "home")
    assert editable_file(with_site, "rules.yaml").read_text() == "# of site\n"
    assert editable_file(with_site, "segments.yaml") == site / "segments.yaml"
    shipped = (product_config() / "segments.yaml").read_bytes()
    assert (site / "segments.yaml").read_bytes() == shipped
    assert editable_file(without, "segments.yaml") == tmp_path / "home" / "segments.yaml"
    assert (tmp_path / "home" / "segments.yaml").read_bytes() == shipped
    assert not (tmp_path / "home" / "rules.yaml").exists()


def test_the_environment_names_home_and_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    assert read_home({}, Path("default")) == Home(tmp_path / "default")
    assert read_home({"TESSERA_HOME": "data", "TESSERA_SITE": "shop"}, Path("default")) == Home(
        tmp_path / "data", site=tmp_path / "shop"
    )
    with pytest.raises(
        SiteMissingError, match=r"none: there is no such site folder; `tessera init none` makes one"
    ):
        read_home({"TESSERA_SITE": "none"}, Path("default"))


def test_tessera_settings_counts_with_a_word_of_warning_where_there_is_no_site(tmp_path: Path) -> None:
    alone = {"TESSERA_SETTINGS": "mine.yaml"}
    beside = {**alone, "TESSERA_SITE": str(tmp_path)}
    assert read_home(alone, tmp_path).settings_file == Path("mine.yaml").absolute()
    assert read_home(beside, tmp_path).settings_file is None
    assert retirement_notice({"TESSERA_SITE": str(tmp_path)}) is None
    assert "move the file into a folder as settings.yaml" in (retirement_notice(alone) or "")
    assert "mine.yaml does not count" in (retirement_notice(beside) or "")
