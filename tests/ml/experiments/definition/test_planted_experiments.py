"""The simulator's experiments come with definitions that load."""

from datetime import UTC, date, datetime

import pytest

from ml.experiments.definition.definitions_file import load_experiments
from ml.experiments.definition.planted_experiments import define_planted_experiments, write_planted_experiments
from ml.home import Home
from ml.settings.simulator import SimulatorSettings
from ml.site.new_site import create_site
from ml.sources.simulator.site import Site


@pytest.fixture
def written(tmp_path):
    site = Site(SimulatorSettings(users=50, days=28), 1, date(2026, 3, 2))
    write_planted_experiments(site, tmp_path / "experiments.yaml")
    return site, tmp_path / "experiments.yaml"


def test_every_planted_experiment_is_defined_with_the_dates_of_the_site(written):
    site, path = written
    experiments = load_experiments(path).experiments
    assert set(experiments) == {planted.experiment_id for planted in site.planted}
    assert experiments["new_checkout"].starts_at == datetime(2026, 3, 16, tzinfo=UTC)
    assert experiments["new_checkout"].ends_at == datetime(2026, 3, 23, tzinfo=UTC)


def test_existing_definitions_are_kept(written):
    site, path = written
    before = path.read_text()
    with pytest.raises(FileExistsError):
        write_planted_experiments(site, path)
    assert path.read_text() == before


def test_a_new_site_keeps_its_definitions_and_gets_the_planted_ones(written, tmp_path):
    site, _ = written
    create_site(tmp_path / "shop")
    define_planted_experiments(site, Home(tmp_path / "home", site=tmp_path / "shop"))
    experiments = load_experiments(tmp_path / "shop" / "experiments.yaml").experiments
    assert list(experiments) == ["challenger-ranker", "new_checkout", "newsletter_prompt", "new_font"]
    assert "# Units that never take part" in (tmp_path / "shop" / "experiments.yaml").read_text()


def test_definitions_that_somebody_changed_stay_as_they_are(written, tmp_path):
    site, _ = written
    own = tmp_path / "shop" / "experiments.yaml"
    own.parent.mkdir()
    own.write_text("version: 1\n")
    define_planted_experiments(site, Home(tmp_path / "home", site=own.parent))
    assert own.read_text() == "version: 1\n"
