"""`tessera docs`: one page on every table of the warehouse, with lineage and who reads it."""

from __future__ import annotations

import json
import re
import subprocess

from rich.console import Console

from ml.home import replace_file
from orchestration.commands.home import HomeOption, chosen_settings, home_of

# dbt's page names an icon and an address that no folder has.
DEAD_LINKS = re.compile(rb'<link rel="(canonical|shortcut icon)"[^>]*>')
# Until dbt's script has run, browsers take these templates for addresses and request them.
TEMPLATED_ICON, LATER_ICON = b'xlink:href="{{ getIcon', b'ng-attr-href="{{ getIcon'
ICON = b'<link rel="icon" href="data:,">'
console = Console(highlight=False, markup=False, emoji=False)


def without_dead_addresses(page: bytes) -> bytes:
    """Return dbt's page without what makes a browser request addresses that do not exist."""
    page = DEAD_LINKS.sub(b"", page).replace(TEMPLATED_ICON, LATER_ICON)
    return page.replace(b"</title>", b"</title>" + ICON, 1)


def docs(*, home: HomeOption = None) -> None:
    """Write `reports/warehouse/index.html`: the tables' columns with units and formulas, SQL, lineage and readers.

    One file that opens in a browser without a server, with a search over names and descriptions. Exit status 3
    says that a run is at work on the tables.
    """
    from orchestration.product_files import DBT_PROJECT_FOLDER
    from orchestration.warehouse.dbt_project import (
        DBT_EXECUTABLE,
        PIPELINE_TARGET,
        DbtError,
        dbt_target,
        dbt_variables,
    )
    from orchestration.warehouse.warehouse import Warehouse, WarehouseMissingError

    place = home_of(home)
    if not place.warehouse.exists():
        raise WarehouseMissingError(f"There is no warehouse in {place.path} yet: run `tessera materialize` first.")
    page = place.reports / "warehouse" / "index.html"
    command = [str(DBT_EXECUTABLE), "--quiet", "--no-use-colors", "docs", "generate", "--static"]
    command += ["--vars", json.dumps(dbt_variables(chosen_settings(place)))]
    with Warehouse(place.warehouse).writing("tessera docs"), dbt_target(place) as target:
        command += ["--target", PIPELINE_TARGET, "--target-path", str(target), "--log-path", str(target)]
        run = subprocess.run(command, cwd=DBT_PROJECT_FOLDER, capture_output=True, text=True, check=False)
        if run.returncode:
            raise DbtError(f"dbt cannot write the documentation:\n{run.stdout}{run.stderr}")
        written = (target / "static_index.html").read_bytes()
        replace_file(page, without_dead_addresses(written))
    console.print(page.as_uri(), soft_wrap=True)
