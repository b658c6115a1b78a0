"""Where things stand in the checkout."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
DEFAULT_HOME = CHECKOUT / ".tessera"
DBT_PROJECT_FOLDER = CHECKOUT / "dbt_project"
