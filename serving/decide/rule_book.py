"""The rules and experiments in use, which are read again when their file changes."""

from __future__ import annotations

from pathlib import Path

from ml.decisions.rules.rule_set import NO_RULES, RuleSet
from ml.decisions.rules.rules_file import RulesError, load_rules
from ml.experiments.definition.definition import ExperimentDefinitions
from ml.experiments.definition.definitions_file import ExperimentsFileError, load_experiments
from ml.experiments.definition.usable_definitions import load_usable_experiments
from ml.home import FileVersion, Home, file_version
from ml.site.definition_files import definition_file


class _WatchedFile:
    """The definition file of a name, which may change, appear or go while the service runs."""

    def __init__(self, home: Home, name: str) -> None:
        self._home, self._name = home, name
        self._seen: tuple[Path, FileVersion | None] | None = None

    def changed(self) -> tuple[bool, Path | None]:
        """Return whether the file changed since the last call, and its path, or None if there is no file."""
        file = definition_file(self._home, self._name)
        version = file_version(file)
        seen = (file, version) if version else None
        is_new, self._seen = seen != self._seen, seen
        return is_new, file if version else None


class RuleBook:
    """Holds the rules in use.

    Args:
        home: The home, which knows its site.
        name: The name of the definition file.
    """

    def __init__(self, home: Home, name: str) -> None:
        self._file = _WatchedFile(home, name)
        self.rules: RuleSet = NO_RULES
        self.fault: str | None = None

    def refresh(self) -> bool:
        """Read the file if it changed, and return whether new rules are in use.

        Raises:
            RulesError: The file is wrong, and the previous rules stay. Each change of the file raises once.
        """
        is_new, path = self._file.changed()
        if not is_new:
            return False
        try:
            self.rules = load_rules(path) if path else NO_RULES
        except RulesError as error:
            self.fault = str(error)
            raise
        self.fault = None
        return True


class ExperimentBook:
    """Holds the experiments in use. The arguments are those of `RuleBook`."""

    def __init__(self, home: Home, name: str) -> None:
        self._file = _WatchedFile(home, name)
        self.experiments = ExperimentDefinitions()
        self._has_loaded = False

    def refresh(self) -> bool:
        """Read the file if it changed, and return whether new definitions are in use.

        Raises:
            ExperimentsFileError: The file is wrong, and the previous definitions stay. Where there are none, since
                the service just started, the experiments without a fault are in use.
        """
        is_new, path = self._file.changed()
        if not is_new:
            return False
        if path is None:
            self.experiments = ExperimentDefinitions()
            return True
        try:
            self.experiments = load_experiments(path)
        except ExperimentsFileError:
            if not self._has_loaded:
                self.experiments = load_usable_experiments(path).definitions
            raise
        finally:
            self._has_loaded = True
        return True
