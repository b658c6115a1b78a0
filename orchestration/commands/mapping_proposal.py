"""Proposes a mapping for a file, shows it, writes it, and asks whether to use it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ml.errors import InvalidInputError

if TYPE_CHECKING:
    from ml.sources.proposal.proposal import Proposal

MOST_CHARS = 28  # of an example


def choose_mapping(path: Path, console: Console, *, is_agreed: bool) -> Path | None:
    """Return the mapping for a file, or None if its columns have the names of the event contract.

    A mapping that was proposed before, and perhaps changed since, is used as it is.

    Args:
        path: The file, or the folder of files.
        console: Where the proposal is shown.
        is_agreed: Whether the proposal is used without asking.

    Raises:
        InvalidInputError: Nobody can be asked, or the answer is no.
        SourceError: Nothing can be proposed.
        TableError: The file cannot be read.
    """
    from ml.sources.proposal.proposal import propose_mapping
    from ml.sources.proposal.sample import needs_mapping

    if not needs_mapping(path):
        return None
    file = Path(f"{path.name.partition('.')[0] or path.resolve().name}.mapping.yaml")
    if file.exists():
        console.print(f"The mapping is {file}, which is here already; delete it to have one proposed anew.")
        return file
    proposal = propose_mapping(path)
    _show(proposal, console)
    file.write_text(proposal.to_yaml(), encoding="utf-8")
    console.print(f"The mapping is in [bold]{escape(str(file))}[/].", soft_wrap=True)
    again = f"tessera ingest files --path {path} --mapping {file}"
    if is_agreed:
        return file
    if not sys.stdin.isatty():
        raise InvalidInputError(f"nothing was taken in yet: read {file}, change what is wrong, and run `{again}`")
    if not typer.confirm("Take in the file by this mapping?", default=True):
        raise InvalidInputError(f"nothing was taken in: change {file} and run `{again}`")
    return file


def _show(proposal: Proposal, console: Console) -> None:
    console.print(f"{proposal.path} is {proposal.layout}. Its columns would become:", markup=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("column", "examples", "becomes", "read as"):
        table.add_column(name, overflow="fold")
    for column in proposal.columns:
        examples = ", ".join(_shortened(example) for example in column.examples)
        cells = (column.name, examples, column.target or "a property", column.reading)
        table.add_row(*map(escape, cells))
    for field, what in proposal.constants.items():
        table.add_row("", "", field, escape(what))
    console.print(table)
    for remark in proposal.remarks:
        console.print(f"Please check: {remark}", markup=False, soft_wrap=True)


def _shortened(example: str) -> str:
    return example if len(example) <= MOST_CHARS else f"{example[: MOST_CHARS - 1]}…"
