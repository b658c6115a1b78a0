"""Read YAML together with the line of every key, so that errors can name the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ml.errors import TesseraError

Location = tuple[str | int, ...]


class LineNumbers:
    """Line numbers of a YAML document by location, counted from 1."""

    def __init__(self) -> None:
        self._lines: dict[Location, int] = {(): 1}

    def record(self, location: Location, line: int) -> None:
        """Remember where a key or list entry stands."""
        self._lines[location] = line

    def find(self, location: Location) -> int:
        """Line of a location, or of its nearest parent in the file; parts that are not in the file are skipped."""
        nearest: Location = ()
        for part in location:
            if (*nearest, part) in self._lines:
                nearest = (*nearest, part)
        return self._lines[nearest]

    def __contains__(self, location: Location) -> bool:
        return location in self._lines


class YamlError(TesseraError, ValueError):
    """A text cannot be read as YAML.

    Attributes:
        line: Line of the fault, counted from 1.
    """

    def __init__(self, problem: str, line: int = 1) -> None:
        super().__init__(problem)
        self.line = line


def read_yaml(path: Path) -> tuple[Any, LineNumbers]:
    """Read one YAML document; times stay text, so that whoever checks them sees what was written.

    Raises:
        YamlError: The file is not in UTF-8 or not YAML, or a mapping names a key twice, which YAML would silently
            resolve to the last one.
    """
    return parse_yaml(read_yaml_text(path))


def read_yaml_text(path: Path) -> str:
    """Read a file that should hold YAML, with or without a byte order mark.

    Raises:
        YamlError: The file is not in UTF-8.
    """
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlError("the file is not in the encoding UTF-8: save it in UTF-8", line) from None


def parse_yaml(text: str) -> tuple[Any, LineNumbers]:
    """The same for the text of a document; raises what `read_yaml` raises."""
    lines = LineNumbers()
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            data = None if node is None else _construct(loader, node, (), lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = f"no valid YAML: {error.problem or error.context}"
        if "'\\t'" in problem:
            problem = "no valid YAML: lines are indented by blanks, not by tabs"
        raise YamlError(problem, mark.line + 1 if mark else 1) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(
            f"no valid YAML: the character {chr(error.character)!r} may not stand here", line
        ) from None
    return data, lines


def _construct(loader: yaml.SafeLoader, node: yaml.Node, location: Location, lines: LineNumbers) -> Any:
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if isinstance(key, dict | list):
                raise YamlError("braces stand around a name: write text that begins with a brace in quotes", line)
            if key in mapping:
                raise YamlError(
                    f"key {str(key)!r} stands here again, first on line {lines.find((*location, key))}", line
                )
            lines.record((*location, key), line)
            mapping[key] = _construct(loader, value_node, (*location, key), lines)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        entries = []
        for index, entry in enumerate(node.value):
            lines.record((*location, index), entry.start_mark.line + 1)
            entries.append(_construct(loader, entry, (*location, index), lines))
        return entries
    if node.tag == "tag:yaml.org,2002:timestamp":
        return node.value
    return loader.construct_object(node, deep=True)
