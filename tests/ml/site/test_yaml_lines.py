"""Files of a site that cannot be read as YAML: each fault has its line and says what to do."""

from pathlib import Path

import pytest

from ml.decisions.rules.rules_file import RulesError, load_rules
from ml.experiments.definition.definitions_file import ExperimentsFileError, read_definitions
from ml.segmentation.audiences import rules as segment_rules
from ml.settings.settings_files import SettingsError, read_settings_file
from ml.site.yaml_lines import YamlError, read_yaml
from ml.sources.mapping import load_mapping
from ml.sources.source import SourceError

READERS = {
    read_settings_file: SettingsError,
    load_rules: RulesError,
    segment_rules.load_rules: segment_rules.SegmentRuleError,
    read_definitions: ExperimentsFileError,
    load_mapping: SourceError,
}
FAULTS = {
    b"a: 1\nb: caf\xe9\n": (2, "not in the encoding UTF-8"),
    "a: 1\n".encode("utf-16"): (1, "not in the encoding UTF-8"),
    b"a: 1\nb: \x00\n": (2, r"the character '\x00' may not stand here"),
    b"a:\n\tb: 1\n": (2, "indented by blanks, not by tabs"),
    b"a: 1\nb: {{ variable }}\n": (2, "begins with a brace in quotes"),
    b"a: 1\nb: 2\na: 3\n": (3, "key 'a' stands here again, first on line 1"),
    b"a: [1\n": (2, "no valid YAML"),
}


@pytest.mark.parametrize("content", FAULTS)
def test_a_fault_has_its_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.yaml"
    file.write_bytes(content)
    line, message = FAULTS[content]
    with pytest.raises(YamlError) as fault:
        read_yaml(file)
    assert fault.value.line == line
    assert message in str(fault.value)


@pytest.mark.parametrize("content", FAULTS)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__module__)
def test_every_file_of_a_site_says_so(tmp_path: Path, reader, content: bytes) -> None:
    file = tmp_path / "file.yaml"
    file.write_bytes(content)
    line, message = FAULTS[content]
    with pytest.raises(READERS[reader]) as refused:
        reader(file)
    assert f"file.yaml:{line}" in str(refused.value)
    assert message in str(refused.value)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_bytes("ports: {service: 8005}\n".encode("utf-8-sig"))
    assert read_yaml(file)[0] == {"ports": {"service": 8005}}
