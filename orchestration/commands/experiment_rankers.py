"""`tessera experiment interleaving` and `off-policy`: compare rankers and contents by the log of answers."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.commands.experiment_console import console, open_warehouse
from orchestration.commands.home import HomeOption, home_of
from orchestration.runtime.text_table import text_table


def interleaving(*, home: HomeOption = None) -> None:
    """Show whether people prefer the challenger's picks to the champion's, in lists that both drafted."""
    from ml.experiments.rankers.answer_log import compare_rankers
    from orchestration.warehouse.experiment_tables import read_mart

    preference = compare_rankers(read_mart(open_warehouse(home_of(home)), "answers", "teams is not null"))
    table = text_table(
        "persons who clicked more of the champion's", "of the challenger's", "alike", "preference", "95%", "p"
    )
    table.add_row(
        f"{preference.wins_a:,}",
        f"{preference.wins_b:,}",
        f"{preference.ties:,}",
        f"{preference.value:+.3f}",
        f"{preference.low:+.3f} to {preference.high:+.3f}",
        f"{preference.p_value:.3g}",
    )
    verdict = "The result is not decided: the interval contains 0."
    if preference.low > 0:
        verdict = "The challenger's picks are preferred."
    elif preference.high < 0:
        verdict = "The champion's picks are preferred."
    console.print(table, f"[bold]{verdict}[/]", sep="\n")


def off_policy(
    slot: Annotated[str, typer.Argument(help="Slot whose content is learned.")], *, home: HomeOption = None
) -> None:
    """Estimate what always showing one content in a slot would have earned, from randomly drawn contents."""
    from ml.experiments.rankers.answer_log import evaluate_contents
    from orchestration.warehouse.experiment_tables import read_mart

    contents = evaluate_contents(read_mart(open_warehouse(home_of(home)), "answers"), slot)
    table = text_table(
        "content", "shown of eligible", "estimate", "clicks a decision", "95%", "worth so many decisions"
    )
    for entry in contents:
        for estimate in entry.estimates:
            table.add_row(
                entry.content,
                f"{entry.shown:,} of {entry.eligible:,}",
                estimate.method,
                f"{estimate.value:.4f}",
                f"{estimate.low:.4f} to {estimate.high:.4f}",
                f"{estimate.effective_decisions:,.0f}",
            )
    console.print(table)
