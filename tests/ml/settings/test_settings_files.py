"""Files of settings over the defaults, and what a fault in them says."""

from pathlib import Path

import pytest
import yaml

from ml.home import Home
from ml.settings import Settings, SettingsError, load_settings, load_site_settings
from ml.site.definition_files import product_config

FORMER = Path(__file__).with_name("former_settings.yaml")


def site(tmp_path: Path, **files: str) -> Home:
    """A home whose site has these files, by name without `.yaml`."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return Home(tmp_path / "home", site=folder)


def load_error(tmp_path: Path, text: str) -> str:
    """The message about a settings.yaml of this text, without its folder."""
    file = tmp_path / "settings.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    return str(refused.value).replace(f"{tmp_path}/", "")


def test_the_files_that_come_with_the_product_change_no_default() -> None:
    assert load_settings() == Settings()
    assert load_site_settings(Home(Path("nowhere"))).origins == {}


@pytest.mark.parametrize("name", ["settings.yaml", "simulator.yaml"])
def test_what_the_files_show_as_defaults_are_the_defaults(name: str) -> None:
    lines = (product_config() / name).read_text(encoding="utf-8").splitlines()
    comment = "  # " if name == "settings.yaml" else "# "
    shown = "\n".join(
        line.replace(comment, comment[:-2], 1) if line.startswith(comment) else line for line in lines
    )
    content = yaml.safe_load(
        "\n".join(line for line in shown.splitlines() if ":" in line or line.startswith("  "))
    )
    knobs = {"simulator": content} if name == "simulator.yaml" else content
    assert sum(len(section) for section in knobs.values()) > 5
    assert Settings.model_validate(knobs) == Settings()


def test_the_settings_of_a_site_fit_one_page() -> None:
    assert len((product_config() / "settings.yaml").read_text(encoding="utf-8").splitlines()) <= 80


def test_a_site_changes_single_knobs_and_keeps_every_other_default(tmp_path: Path) -> None:
    home = site(
        tmp_path, settings="serving:\n  state: {max_visits: 5}\n  logs:\nports:\n  dagster: 3001\nkafka:\n"
    )
    loaded = load_site_settings(home)
    assert loaded.settings.serving.state.max_visits == 5
    assert loaded.settings.model_dump(exclude={"serving", "ports"}) == Settings().model_dump(
        exclude={"serving", "ports"}
    )
    assert loaded.settings.serving.state.max_visitors == Settings().serving.state.max_visitors
    assert loaded.settings.ports.mlflow == Settings().ports.mlflow
    file = home.site / "settings.yaml"
    assert loaded.origins == {"serving.state.max_visits": f"{file}:2", "ports.dagster": f"{file}:5"}


def test_a_list_or_a_mapping_replaces_the_default_as_a_whole(tmp_path: Path) -> None:
    home = site(tmp_path, settings="warehouse:\n  interaction_weights: {purchase: 2}\n")
    assert load_site_settings(home).settings.warehouse.interaction_weights == {"purchase": 2.0}


def test_the_simulated_site_has_a_file_of_its_own_that_settings_yaml_overrules(tmp_path: Path) -> None:
    home = site(
        tmp_path, simulator="users: 50\ndays: 20\nfaults: {bot_share: 0.1}\n", settings="simulator: {users: 60}"
    )
    loaded = load_site_settings(home)
    assert (loaded.settings.simulator.users, loaded.settings.simulator.days) == (60, 20)
    assert loaded.settings.simulator.faults.bot_share == 0.1
    assert loaded.settings.simulator.faults.duplicate_share == Settings().simulator.faults.duplicate_share
    assert loaded.origins == {
        "simulator.users": f"{home.site / 'settings.yaml'}:1",
        "simulator.days": f"{home.site / 'simulator.yaml'}:2",
        "simulator.faults.bot_share": f"{home.site / 'simulator.yaml'}:3",
    }


def test_a_file_of_the_time_when_one_file_held_every_knob_still_loads() -> None:
    written = yaml.safe_load(FORMER.read_text(encoding="utf-8"))
    loaded = load_site_settings(Home(Path("nowhere"), settings_file=FORMER)).settings
    assert loaded == Settings.model_validate(written)
    assert set(written) | {"sequences", "spark", "storage", "canary", "monitoring", "alerts"} == set(
        Settings.model_fields
    )  # which came later


def test_a_budget_of_a_search_in_minutes_is_read_as_work(tmp_path: Path) -> None:
    home = site(tmp_path, settings="recommenders:\n  search: {minutes: 2.5, models: [als]}\n")
    search = load_site_settings(home).settings.recommenders.search
    assert (search.work, search.models) == (150, ["als"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "ports:\n  mlflow: 5001\n  dagstr: 3001\n",
            "settings.yaml:3: ports.dagstr: there is no such setting; did you mean ports.dagster?",
        ),
        (
            "\nprots:\n  dagster: 3001\n",
            "settings.yaml:2: prots: there is no such setting; did you mean ports?",
        ),
        (
            "serving:\n  retention_days: 30\n",
            "settings.yaml:2: serving.retention_days: there is no such setting; "
            "did you mean privacy.retention_days?",
        ),
        (
            "warehouse:\n  funnels:\n    buy: {per: user, window_hours: 2, steps: [a, b], step: c}\n",
            "settings.yaml:3: warehouse.funnels.buy.step: there is no such field; legal: per, window_hours, steps",
        ),
        (
            "warehouse:\n  funnels:\n    buy: {per: user, steps: [a, b]}\n",
            "settings.yaml:3: warehouse.funnels.buy.window_hours: is required",
        ),
        (
            "serving:\n  state:\n    engine: memory\n",
            "settings.yaml:3: serving.state.engine: must be 'sqlite' or 'redis', not 'memory'",
        ),
        (
            "ports: {dagster: 0}",
            "settings.yaml:1: ports.dagster: must be greater than or equal to 1, not 0",
        ),
        (
            "ports:\n  dagster: many\nserving:\n  max_k: 0\n",
            "settings.yaml:2: ports.dagster: must be a whole number,"
            " not 'many'\nsettings.yaml:4: serving.max_k: must be greater than or equal to 1, not 0",
        ),
        (
            "storage: {bundles: 's3://me:se@cret@bucket/site'}",
            "settings.yaml:1: storage.bundles: must be an address without a password, which belongs in the object"
            " store's environment variables, not 's3://me:***@bucket/site'",
        ),
        (
            "warehouse: {site_timezone: Europe/Lodnon}",
            "settings.yaml:1: warehouse.site_timezone: must be an IANA time zone such as"
            " Europe/London, not 'Europe/Lodnon'",
        ),
        (
            "collector: {sink: kafka}",
            "settings.yaml: collector.sink is kafka, which needs kafka.bootstrap_servers",
        ),
        ("- 1\n", "settings.yaml: expected sections such as `ports:`, not list"),
        ("ports: {}\nserving: {}\nports: {}\n", "settings.yaml:3: key 'ports' stands here again, first on line 1"),
    ],
)
def test_a_fault_names_file_line_and_knob_and_what_is_legal(tmp_path: Path, text: str, message: str) -> None:
    assert load_error(tmp_path, text) == message


def test_a_fault_in_the_simulators_file_is_named_there(tmp_path: Path) -> None:
    home = site(tmp_path, simulator="days: 20\nuser: 50\n")
    with pytest.raises(SettingsError) as refused:
        load_site_settings(home)
    assert str(refused.value) == (
        f"{home.site / 'simulator.yaml'}:2: simulator.user: there is no such setting; "
        "did you mean simulator.users?"
    )


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: there is no such settings file"):
        load_settings(tmp_path / "none.yaml")


def test_settings_cannot_be_changed_by_the_code_that_gets_them() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().ports = None  # type: ignore[assignment]
