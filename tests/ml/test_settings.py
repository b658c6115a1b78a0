import pytest
import yaml

from ml.settings import SETTINGS_FILE, SettingsError, load_settings


def write(tmp_path, change):
    content = yaml.safe_load(SETTINGS_FILE.read_text())
    change(content)
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def test_the_shipped_settings_load():
    assert load_settings().ports is not None


def test_an_unknown_knob_is_an_error_that_names_file_and_knob(tmp_path):
    file = write(tmp_path, lambda content: content["ports"].update(telnet=23))
    with pytest.raises(SettingsError, match=r"settings\.yaml: ports\.telnet: .*23"):
        load_settings(file)


def test_a_missing_section_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SettingsError, match=r"settings\.yaml: serving: Field required$"):
        load_settings(write(tmp_path, lambda content: content.pop("serving")))


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.yaml: there is no such settings file"):
        load_settings(tmp_path / "none.yaml")


def test_a_file_that_is_no_mapping_is_an_error(tmp_path):
    file = tmp_path / "list.yaml"
    file.write_text("- 1\n")
    with pytest.raises(SettingsError, match="expected sections"):
        load_settings(file)


def test_settings_cannot_be_changed_by_the_code_that_gets_them():
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.ports = None


def test_kafka_without_an_address_is_an_error_that_says_what_is_missing_and_nothing_else(tmp_path):
    file = write(tmp_path, lambda content: content["collector"].update(sink="kafka"))
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    assert str(refused.value) == f"{file}: collector.sink is kafka, which needs kafka.bootstrap_servers"
