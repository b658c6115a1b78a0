"""One knob is changed, and every other character of the file stays."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ml.home import Home
from ml.settings import SettingsError, load_site_settings
from ml.settings.changes import change_text, set_knobs
from ml.settings.knobs import UnknownKnobError
from ml.site.definition_files import product_config
from ml.site.new_site import create_site


@pytest.mark.parametrize(
    ("text", "name", "value", "expected"),
    [
        ("", "ports.dagster", 3001, "ports:\n  dagster: 3001\n"),
        ("# Nothing yet.\n", "ports.dagster", 3001, "# Nothing yet.\nports:\n  dagster: 3001\n"),
        ("a: {b: 1}", "ports.dagster", 3001, "a: {b: 1}\nports:\n  dagster: 3001\n"),
        (
            "ports:  # here\n  # dagster: 3000\n",
            "ports.dagster",
            1,
            "ports:  # here\n  dagster: 1\n  # dagster: 3000\n",
        ),
        ("ports:\n    mlflow: 1  # why\n", "ports.dagster", 2, "ports:\n    dagster: 2\n    mlflow: 1  # why\n"),
        ("ports:\n  dagster: 1  # why\n\n# end\n", "ports.dagster", 2, "ports:\n  dagster: 2  # why\n\n# end\n"),
        ("ports:\n  dagster:\n", "ports.dagster", 2, "ports:\n  dagster: 2\n"),
        ("s: {state: {a: 1, b: [x, y]}}  # c\n", "s.state.a", 2, "s: {state: {a: 2, b: [x, y]}}  # c\n"),
        ("s: {a: 1}\n", "s.state.b", "x", "s: {a: 1, state: {b: x}}\n"),
        (
            "s:\n  list:\n    - 1  # one\n    - 2\n  # next\n  b: 1\n",
            "s.list",
            [3],
            "s:\n  list:\n    [3]\n  # next\n  b: 1\n",
        ),
        ("s:\n  a: 1\n", "s.state.b", {"c": None}, "s:\n  state:\n    b: {c: null}\n  a: 1\n"),
        ("users: 1\n", "days", 3, "users: 1\ndays: 3\n"),
        ("# users: 1\n", "users", 3, "# users: 1\nusers: 3\n"),
        ('s: {t: "a: b"}\n', "s.t", "3001", "s: {t: '3001'}\n"),
    ],
)
def test_a_value_is_put_where_it_belongs_and_the_rest_stays(
    text: str, name: str, value: object, expected: str
) -> None:
    assert change_text(text, name, value) == expected


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc: #", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def test_a_value_where_a_section_is_expected_is_an_error() -> None:
    with pytest.raises(SettingsError, match="line 2: expected a section with dagster, not a value"):
        change_text("# No section.\nports: 5\n", "ports.dagster", 3001)


@given(
    value=VALUES,
    name=st.sampled_from(["ports.dagster", "serving.state", "collector.sink", "new.knob", "kafka.topic"]),
)
def test_a_changed_file_says_what_it_said_and_the_new_value(value: object, name: str) -> None:
    before = (product_config() / "settings.yaml").read_text(
        encoding="utf-8"
    ) + "ports2: {dagster: 1}\nlast:\n  a: 1\n"
    once = change_text(before, name, {"first": 1})
    text = change_text(once, name, value)
    section, _, knob = name.partition(".")
    expected = {**yaml.safe_load(before), section: {knob: value}}
    assert yaml.safe_load(text) == expected
    assert [line for line in text.splitlines() if "#" in line and line in before] == [
        line for line in before.splitlines() if "#" in line
    ]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    create_site(tmp_path / "shop")
    return Home(tmp_path / "home", site=tmp_path / "shop")


def test_a_knob_is_written_into_the_site(home: Home) -> None:
    files = set_knobs(home, {"ports.dagster": "3001", "schedules.training": "0 5 * * 1", "simulator.users": "70"})
    assert files == {
        "ports.dagster": home.site / "settings.yaml",
        "schedules.training": home.site / "settings.yaml",
        "simulator.users": home.site / "simulator.yaml",
    }
    settings = load_site_settings(home).settings
    assert (settings.ports.dagster, settings.schedules.training, settings.simulator.users) == (
        3001,
        "0 5 * * 1",
        70,
    )
    lines = (product_config() / "settings.yaml").read_text(encoding="utf-8").splitlines()
    written = (home.site / "settings.yaml").read_text(encoding="utf-8").splitlines()
    assert [line for line in written if line not in ("  dagster: 3001", "  training: 0 5 * * 1")] == lines
    assert not home.path.exists()


def test_without_a_site_a_knob_is_written_into_the_homes_copy(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert set_knobs(home, {"ports.dagster": "3001"}) == {"ports.dagster": home.path / "settings.yaml"}
    assert load_site_settings(home).settings.ports.dagster == 3001


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"ports.dagstr": "1"},
            UnknownKnobError,
            r"ports\.dagstr: there is no such setting; did you mean ports\.dagster",
        ),
        ({"ports": "{dagster: 1}"}, UnknownKnobError, r"ports: there is no such setting"),
        (
            {"ports.mlflow": "5001", "ports.dagster": "0"},
            SettingsError,
            r"ports\.dagster: must be greater than or equal",
        ),
        ({"ports.dagster": "[1"}, SettingsError, r"ports\.dagster: '\[1' is not a YAML value"),
        ({"collector.sink": "kafka"}, SettingsError, "needs kafka.bootstrap_servers"),
    ],
)
def test_an_illegal_change_leaves_every_file_as_it_was(
    home: Home, changes: dict[str, str], error: type[Exception], message: str
) -> None:
    before = {file.name: file.read_bytes() for file in home.site.iterdir()}
    with pytest.raises(error, match=message):
        set_knobs(home, changes)
    assert {file.name: file.read_bytes() for file in home.site.iterdir()} == before


def test_a_single_file_of_settings_is_checked_and_written_in_its_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("# Mine.\nsimulator: {users: 50}\n")
    home = Home(tmp_path / "home", settings_file=file)
    with pytest.raises(SettingsError, match=r"mine\.yaml: ports\.dagster: must be"):
        set_knobs(home, {"ports.dagster": "0"})
    assert set_knobs(home, {"ports.dagster": "3001", "simulator.users": "60"}) == {
        "ports.dagster": file,
        "simulator.users": file,
    }
    assert file.read_text() == "# Mine.\nsimulator: {users: 60}\nports:\n  dagster: 3001\n"


def test_knobs_that_need_each_other_are_set_together(home: Home) -> None:
    set_knobs(home, {"collector.sink": "kafka", "kafka.bootstrap_servers": "broker:9092"})
    assert load_site_settings(home).settings.collector.sink == "kafka"
