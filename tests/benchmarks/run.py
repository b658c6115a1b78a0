"""Run the benchmarks: `make bench`, `make bench ONLY=name`, `make bench ONLY=name SIZE=0.1`.

Every other file in this folder is one benchmark. It has `measure(size)`, which yields figures; size 1 is the
size that the project quotes, and smaller ones are for a quick look. Figures are printed as a table and appended,
a JSON line each, to `.tessera/bench.jsonl`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
NOT_BENCHMARKS = {
    "run",
    "figure",
    "served",
    "polars_marts",
    "simulated_marts",
    "simulated_warehouse",
    "simulated_actions",
}
TABLE_WIDTH = 200
COLUMNS = ("name", "value", "unit", "rival", "rival_value", "ratio", "rows", "seconds", "peak_mib")


def main() -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--only", help="one benchmark")
    cli.add_argument("--size", type=float, default=1.0, help="share of the full size (default 1)")
    cli.add_argument("--home", type=Path, default=ROOT / ".tessera", help="folder of bench.jsonl")
    args = cli.parse_args()
    names = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem not in NOT_BENCHMARKS)
    if args.only and args.only not in names:
        cli.error(f"there is no benchmark {args.only!r}; there are {', '.join(names)}")
    sys.path[:0] = [str(FOLDER), str(ROOT)]
    # A table in a file or a pipe has 80 columns unless told, which cuts the names of figures to a few letters.
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_WIDTH)
    failed = []
    for name in [args.only] if args.only else names:
        console.print(f"[bold]{name}[/] …")
        table = Table(*COLUMNS)
        try:
            for figure in importlib.import_module(name).measure(args.size):
                record(args.home / "bench.jsonl", {**asdict(figure), "commit": commit()})
                table.add_row(*(escape(shown(getattr(figure, column))) for column in COLUMNS))
        except Exception:
            traceback.print_exc()
            failed.append(name)
        console.print(table)
    if failed:
        console.print(f"[red]failed: {', '.join(failed)}[/]")
    return 1 if failed else 0


def record(path: Path, figure: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(figure) + "\n")


def commit() -> str:
    """Short hash of the checkout's commit, with `+` where it has changes; empty outside git."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()


def shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
