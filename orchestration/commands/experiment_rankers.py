"""`tessera experiment interleaving` and `off-policy`: rankers and contents compared from the log of answers."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from orchestration.commands.experiment_console import console, warehouse_of
from orchestration.commands.home import HomeOption, home_of


def interleaving(*, home: HomeOption = None) -> None:
    """Say whether people prefer the challenger's picks to the champion's, in lists that both drafted."""
    from ml.experiments.rankers.answer_log import compare_rankers
    from orchestration.warehouse.experiment_tables import read_mart

    found = compare_rankers(read_mart(warehouse_of(home_of(home)), "answers", "teams is not null"))
    shown = Table(
        "persons who clicked more of the champion's", "of the challenger's", "alike", "preference", "95 %", "p"
    )
    shown.add_row(
        f"{found.wins_a:,}",
        f"{found.wins_b:,}",
        f"{found.ties:,}",
        f"{found.value:+.3f}",
        f"{found.low:+.3f} to {found.high:+.3f}",
        f"{found.sign_p:.3g}",
    )
    verdict = "Nothing is decided: the interval holds 0."
    if found.low > 0:
        verdict = "The challenger's picks are preferred."
    elif found.high < 0:
        verdict = "The champion's picks are preferred."
    console.print(shown, f"[bold]{verdict}[/]", sep="\n")


def off_policy(
    slot: Annotated[str, typer.Argument(help="A slot whose content is learned.")], *, home: HomeOption = None
) -> None:
    """Say what always showing one content in a slot would have earned, from what was drawn by chance there."""
    from ml.experiments.rankers.answer_log import evaluate_contents
    from orchestration.warehouse.experiment_tables import read_mart

    found = evaluate_contents(read_mart(warehouse_of(home_of(home)), "answers"), slot)
    shown = Table("content", "shown", "estimate", "clicks a decision", "95 %", "worth so many decisions")
    for one in found:
        for value in one.estimates:
            shown.add_row(
                one.content,
                f"{one.shown:,}",
                value.method,
                f"{value.value:.4f}",
                f"{value.low:.4f} to {value.high:.4f}",
                f"{value.effective_decisions:,.0f}",
            )
    console.print(shown)
