"""The lint of SQL reads what sqlfluff alone passes over: macros, for every engine and in every branch."""

import shutil
from pathlib import Path

import pytest

from orchestration.product_files import DBT_PROJECT_FOLDER
from tests.dbt_project.sql_lint import violations_of

TOTALS = """{# Sums per person. #}

{% macro totals(sessions) -%}
select
    user_id,
    sum(events) as events
from {{ sessions }}
group by user_id
{%- endmacro %}

{% macro share(part, whole) -%}
    {#- Null where there is nothing to divide by. -#}
    {{ part }} / nullif({{ whole }}, 0)
{%- endmacro %}

{% macro duckdb__hours(seconds) -%}({{ seconds }} // 3600){%- endmacro %}
{% macro spark__hours(seconds) -%}({{ seconds }} div 3600){%- endmacro %}

{% macro new_rows(relation) -%}
    {%- if is_built('totals') -%}
    (
        select * from {{ relation }}
        where is_new
    )
    {%- else -%}
    {{ relation }}
    {%- endif -%}
{%- endmacro %}

{% macro is_built(model_name) -%}
    {{ return(not flags.FULL_REFRESH) }}
{%- endmacro %}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A dbt project of one model and a file of macros, with the sources of the real one."""
    for folder in ("models/staging", "macros", "tests"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(DBT_PROJECT_FOLDER / "models/staging/_sources.yml", tmp_path / "models/staging")
    (tmp_path / "macros/totals.sql").write_text(TOTALS, encoding="utf-8")
    (tmp_path / "models/totals.sql").write_text("{{ totals(ref('sessions')) }}\n", encoding="utf-8")
    return tmp_path


def replaced(project: Path, old: str, new: str) -> list[tuple[str, int, str]]:
    """Name, line and rule of every violation after the replacement in the file of macros."""
    assert TOTALS.count(old) == 1
    (project / "macros/totals.sql").write_text(TOTALS.replace(old, new), encoding="utf-8")
    return [(violation.path.name, violation.line, violation.rule) for violation in violations_of(project)]


def test_clean_macros_have_no_violations(project: Path) -> None:
    assert violations_of(project) == []


def test_a_comma_before_the_last_from_is_reported_at_its_line(project: Path) -> None:
    assert replaced(project, "as events\n", "as events,\n") == [("totals.sql", 6, "CV03")]


def test_an_expression_is_linted_although_it_is_no_query(project: Path) -> None:
    assert replaced(project, "nullif(", "NULLIF(") == [("totals.sql", 13, "CP03")]


def test_a_macro_of_another_engine_is_parsed_in_its_dialect(project: Path) -> None:
    assert replaced(project, " div 3600", " // 3600") == [("totals.sql", 17, "PRS")]


def test_a_branch_that_only_an_increment_reaches_is_linted(project: Path) -> None:
    assert replaced(project, "where is_new", "where is_new and") == [("totals.sql", 23, "PRS")]


def test_a_name_that_dbt_does_not_know_is_an_error(project: Path) -> None:
    with pytest.raises(Exception, match="'session' is undefined"):
        replaced(project, "from {{ sessions }}", "from {{ session }}")
