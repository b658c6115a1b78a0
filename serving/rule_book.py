"""The rules in force, read again when their file changes."""

from __future__ import annotations

from pathlib import Path

from ml.decisions.rules import NO_RULES, Rules, RulesError, load_rules
from ml.home import Home

ROOT = Path(__file__).resolve().parent.parent


class RuleBook:
    """Holds rules and their file's state.

    Args:
        home: its own rules file counts before that of the checkout or the Bento.
        name: the file's name.
    """

    def __init__(self, home: Home, name: str) -> None:
        self.places = (home.path / name, ROOT / name)
        self.rules: Rules = NO_RULES
        self.fault: str | None = None
        self._seen: tuple[Path, int] | None = None

    def refresh(self) -> bool:
        """Read the file if it changed; tells whether new rules are in force.

        Raises:
            RulesError: the file is wrong; the rules from before stay in force. Said once for each change of the file.
        """
        path = next((place for place in self.places if place.exists()), None)
        state = (path, path.stat().st_mtime_ns) if path else None
        if state == self._seen:
            return False
        self._seen = state
        try:
            self.rules = load_rules(path) if path else NO_RULES
        except RulesError as error:
            self.fault = str(error)
            raise
        self.fault = None
        return True
