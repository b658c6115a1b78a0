"""The examples of README and docs: fenced blocks, and how each of them runs.

The convention, which the pages keep visible:

- A block with a title, such as ```yaml title="mapping.yaml"```, is a file in the reader's folder.
- Blocks of `sh`, `python`, `js` and `html` without a title run in the order of the page, in that folder.
- Blocks of `json` and `text` show what comes out; they do not run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
RUN = {"sh", "python", "js", "html"}
SHOWN = {"json", "text"}
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: The page's path inside the checkout.
        line: The line on which the block begins.
        language: The language of the fence.
        title: The name of the file that the block is; None for a block that runs or shows what comes out.
        text: What stands between the fences, without the indentation of the fence.
    """

    page: str
    line: int
    language: str
    title: str | None
    text: str


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page in their order."""
    source = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page.relative_to(CHECKOUT).as_posix(),
            line=source.count("\n", 0, fence.start()) + 1,
            language=fence["language"],
            title=fence["title"],
            text=re.sub(rf"^{fence['indent']}", "", fence["text"], flags=re.MULTILINE),
        )
        for fence in _FENCE.finditer(source)
    ]


def commands_of(text: str) -> Iterator[str]:
    """The commands of a shell block: a line, with those that continue it after a backslash or an open quote."""
    command = ""
    for line in text.replace("\\\n", "").splitlines():
        command = f"{command}\n{line}" if command else line
        if _is_open(command):
            continue
        if command.strip() and not command.lstrip().startswith("#"):
            yield command
        command = ""
    if command:
        raise ValueError(f"this command has no end: {command}")


def words_of(command: str) -> list[str]:
    """The words of a command, without its comment."""
    return shlex.split(command, comments=True)


def _is_open(command: str) -> bool:
    """Whether a quote is still open."""
    try:
        words_of(command)
    except ValueError:
        return True
    return False
