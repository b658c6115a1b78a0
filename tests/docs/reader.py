"""Somebody who follows a page: writes its files, types its commands, opens its pages in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from typer.testing import CliRunner

from orchestration.cli import app
from tests.docs.examples import Block, commands_of, words_of

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SET_BY_COMMANDS = ("TESSERA_HOME", "TESSERA_SITE", "DAGSTER_HOME", "BENTOML_HOME")
SERVICE = "http://127.0.0.1:8000"
PATIENCE_SECONDS = 120
_ASSIGNMENT = re.compile(r"\w+=\S+")
_IN_QUOTES = re.compile(r"'[^']*'")
_SHELL_SYNTAX = re.compile(r"[|<>;$]")
# Beside the script of the page: the statuses of the requests that it makes.
_WATCH = """
const statuses = [];
const send = window.fetch;
window.fetch = (...request) => {
  const answer = send(...request);
  statuses.push(answer.then((got) => got.status));
  return answer;
};
"""


@dataclass
class Reader:
    """A reader at work.

    Attributes:
        folder: The folder that the reader works in.
        environment: The reader's environment; `export` adds to it.
        stand_ins: Texts of the pages, and what stands for them in this test.
        not_run: Commands that the reader does not type.
        tracker: The Snowplow tracker for pages that load one.
        variables: Assignments of the shell so far.
    """

    folder: Path
    environment: dict[str, str]
    stand_ins: Mapping[str, str]
    not_run: frozenset[str]
    tracker: Path | None = None
    variables: list[str] = field(default_factory=list)

    def write(self, block: Block) -> None:
        """Write the file that a block is."""
        assert block.title is not None
        (self.folder / block.title).write_text(self._meant(block), encoding="utf-8")

    def follow(self, block: Block) -> None:
        """Do what a block says; a failure names the page and the line."""
        text = self._meant(block)
        try:
            if block.language == "sh":
                for command in commands_of(text):
                    self._type(command)
            elif block.language == "python":
                self._run([sys.executable, "-c", text])
            elif block.language == "js":
                self._run_on_a_page(text)
            elif block.language == "html":
                self._open(text)
        except AssertionError as error:
            raise AssertionError(f"{block.page}:{block.line}: {error}") from None

    def _meant(self, block: Block) -> str:
        text = block.text
        for shown, meant in self.stand_ins.items():
            text = text.replace(shown, meant)
        return text

    def _type(self, command: str) -> None:
        words = words_of(command)
        if " ".join(words) in self.not_run:
            return
        if words[0] == "export":
            self.environment |= dict(word.split("=", 1) for word in words[1:])
        elif _ASSIGNMENT.fullmatch(command):
            self.variables.append(command)
        elif words[0] == "tessera" and not _SHELL_SYNTAX.search(_IN_QUOTES.sub("", command)):
            self._call(words[1:])
        else:
            self._run(["bash", "-c", "\n".join(["set -euo pipefail", *self.variables, command])])

    def _call(self, words: list[str]) -> None:
        """Run a command of Tessera in this process, which has imported everything already."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name in SET_BY_COMMANDS:
                patch.setenv(name, "restored afterwards")
            done = CliRunner().invoke(app, words, env=self.environment)
        shown = f"tessera {' '.join(words)}"
        assert done.exit_code == 0, f"{shown}\n{done.output}\n{done.exception!r}"
        assert done.output.strip(), f"{shown} printed nothing"

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
            timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"

    def _run_on_a_page(self, script: str) -> None:
        """Run a script on a page of the service; every answer that it gets has to be a good one."""
        with browser_page() as page:
            page.goto(f"{self.stand_ins[SERVICE]}/docs")
            statuses = page.evaluate(f"async () => {{{_WATCH}\n{script}\nreturn Promise.all(statuses); }}")
        assert all(200 <= status < 300 for status in statuses), f"answers {statuses} to\n{script}"

    def _open(self, html: str) -> None:
        """Open a page that lies on the service's address, and wait until its script got an answer."""
        assert self.tracker is not None, "a page with a tracker needs the tracker"
        asked = "**/v1/recommendations" if "/tessera.js" in html else "**/com.snowplowanalytics.snowplow/**"
        with browser_page() as page:
            page.route("**/tracker.js", lambda route: route.fulfill(path=self.tracker))
            page.route("**/page.html", lambda route: route.fulfill(body=html, content_type="text/html"))
            with page.expect_response(asked) as answered:
                page.goto(f"{self.stand_ins[SERVICE]}/page.html")
            assert answered.value.status == 200, f"the script got {answered.value.status}"
            if "/tessera.js" in html:
                page.wait_for_function("document.querySelectorAll('[data-filled=yes]').length === 2")


@contextmanager
def browser_page() -> Iterator[Page]:
    """A page of a browser of its own. While a browser of playwright runs, no other event loop may."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser.new_page()
        finally:
            browser.close()
