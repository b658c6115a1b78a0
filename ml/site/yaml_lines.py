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


class DuplicateKeyError(TesseraError, ValueError):
    """A mapping names a key twice, which YAML would silently resolve to the last one."""

    def __init__(self, key: str, line: int, first_line: int) -> None:
        super().__init__(f"key {key!r} stands here again, first on line {first_line}")
        self.line = line


def read_yaml(path: Path) -> tuple[Any, LineNumbers]:
    """Read one YAML document; times stay text, so that whoever checks them sees what was written.

    Raises:
        yaml.YAMLError: The file is not YAML; the message carries the line.
        DuplicateKeyError: A mapping names a key twice.
    """
    return parse_yaml(path.read_text(encoding="utf-8"))


def parse_yaml(text: str) -> tuple[Any, LineNumbers]:
    """The same for the text of a document; raises what `read_yaml` raises."""
    lines = LineNumbers()
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        data = None if node is None else _construct(loader, node, (), lines)
    finally:
        loader.dispose()
    return data, lines


def _construct(loader: yaml.SafeLoader, node: yaml.Node, location: Location, lines: LineNumbers) -> Any:
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if key in mapping:
                raise DuplicateKeyError(str(key), line, lines.find((*location, key)))
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
