"""A new site begins with the files of the product and is never overwritten."""

from pathlib import Path

import pytest

from ml.decisions.rules.rules_file import load_rules
from ml.experiments.definition.definitions_file import load_experiments
from ml.home import Home
from ml.segmentation.audiences.rules import load_rules as load_segments
from ml.settings import Settings, load_site_settings
from ml.site.new_site import SiteExistsError, create_site


def test_a_new_site_has_four_files_that_load_and_change_nothing(tmp_path: Path) -> None:
    files = create_site(tmp_path / "shops" / "north")
    assert [file.name for file in files] == ["settings.yaml", "rules.yaml", "segments.yaml", "experiments.yaml"]
    site = tmp_path / "shops" / "north"
    assert sorted(file.name for file in site.iterdir()) == sorted(file.name for file in files)
    assert load_site_settings(Home(tmp_path / "home", site)).settings == Settings()
    assert load_rules(site / "rules.yaml").rules
    assert load_segments(site / "segments.yaml")
    assert load_experiments(site / "experiments.yaml").metrics


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("mine")
    with pytest.raises(SiteExistsError, match=r"has rules\.yaml already; nothing was written"):
        create_site(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["rules.yaml"]
    assert (tmp_path / "rules.yaml").read_text() == "mine"
