"""Lint the SQL of the dbt project: `make sql`. Models, tests and macros are held to the rules of `.sqlfluff`.

sqlfluff renders a file and lints what comes out, so that a file of macros alone is empty to it. Here the body of
each macro is linted as a query. The arguments are columns of their names, or the values of `EXAMPLES`; an
expression is put behind `select`; the macros of another engine are parsed in its dialect. What has a branch of its
own is rendered twice, as for a build in full and as for an increment.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined
from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.templaters.builtins.dbt import DBT_BUILTINS, MacroReturn, RelationEmulator
from sqlfluff.core.templaters.jinja import DBTTestExtension, JinjaTemplater

from ml.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "dbt_project"
MACRO = re.compile(
    r"\{%-? *(?:macro|test) +(?P<name>\w+)\((?P<arguments>.*?)\) *-?%\}(?P<body>.*?)\{%-? *end(?:macro|test) *%\}",
    re.S,
)
DIALECTS = {"duckdb": "duckdb", "spark": "sparksql"}
LEADING_COMMENTS = re.compile(r"(?:\s|\{#.*?#\})*", re.S)
BRANCH = re.compile(r"\{[%{][^}]*\bif\b")
JINJA_FIRST = re.compile(r"(?:\s|\{#.*?#\})*\{%", re.S)
RELATION = re.compile(r"\w+$|\(")
SELECT = re.compile(r"(?:with|select)\b")
QUERY = re.compile(r"(?:with|select|insert|delete|create|comment)\b")
CHANGE = {"key": "user_id", "content": ["first_column", "second_column"]}
META = {
    "reads_parts": "without_repeats",
    "reads_queue": "users",
    "keys": ["user_id"],
    "fills_queues": {"users": "user_id", "sessions": CHANGE},
}
EXAMPLES: dict[str, Any] = {
    "args": SimpleNamespace(target_relation="old_table", temp_relation="new_table"),
    "change": CHANGE,
    "array": "replaces",
    "column": "user_id",
    "columns": ["first_column", "second_column"],
    "column_types": {"user_id": "string", "value": "double"},
    "entries": {"first": "first_column", "second": "second_column"},
    "event_types": ["page_view", "click"],
    "fields": [
        SimpleNamespace(name="user_id", data_type="varchar"),
        SimpleNamespace(name="value", data_type="double"),
    ],
    "folder": "/home",
    "for_columns": True,
    "for_relation": True,
    "funnel": SimpleNamespace(per="session", window_hours=24, steps=["page_view", "purchase"]),
    "keys": "select user_id from users",
    "kind": "users",
    "model": SimpleNamespace(
        description="What users did.",
        columns={"user_id": SimpleNamespace(name="user_id", description="The user.", quote=False)},
        config=SimpleNamespace(contract=SimpleNamespace(enforced=True)),
    ),
    "model_name": "user_totals",
    "node": SimpleNamespace(name="user_totals", schema="main"),
    "outdated": "where user_id = 'ann'",
    "condition": "is_known",
    "contract_columns": {"user_id": SimpleNamespace(name="user_id", data_type="varchar")},
    "digits": 3,
    "names": ["morning", "evening"],
    "paths": ["/home/events/a.parquet", "/home/events/b.parquet"],
    "patterns": ["%first%", "%second%"],
    "rows": [{"user_id": "ann"}, {"user_id": "bob"}],
    "seconds": 900,
    "source_name": "event_log",
    "table_name": "events",
    "unit": "session",
    "values": ["first", "second"],
}


@dataclass(frozen=True)
class Source:
    """Text of a model, of a test or of the body of a macro, and where it stands."""

    path: Path
    text: str
    lines_before: int = 0
    engine: str = "duckdb"
    arguments: tuple[str, ...] = ()
    is_macro: bool = False


@dataclass(frozen=True)
class Violation:
    """A rule that a line of a file breaks."""

    path: Path
    line: int
    rule: str
    description: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule} {self.description}"


class Macros:
    """The macros of the project, which know as much of dbt as they need to be rendered without a warehouse."""

    def __init__(self, project: Path, *, is_increment: bool, engine: str) -> None:
        self.is_increment = is_increment
        self.engine = engine
        self._macros: dict[str, Any] = {}
        self._environment = Environment(
            extensions=["jinja2.ext.do", DBTTestExtension], undefined=StrictUndefined, autoescape=False
        )
        macros = [match for text in map(_read, _macro_files(project)) for match in MACRO.finditer(text)]
        self.context = self._context_of_dbt(project) | {
            macro["name"]: self._late_bound(macro["name"]) for macro in macros
        }
        self.context |= self._answers_of_the_warehouse()
        for macro in macros:
            module = self._environment.from_string(macro[0], globals=self.context).module
            self._macros |= {name: value for name, value in vars(module).items() if name.endswith(macro["name"])}

    def context_of(self, source: Source) -> dict[str, Any]:
        """What the text of the source knows of dbt, its arguments included."""
        return self.context | {name: EXAMPLES.get(name, name) for name in source.arguments}

    def rendered(self, source: Source) -> str:
        """The text as Jinja renders it, stripped; empty where it returns a value to another macro."""
        try:
            return self._environment.from_string(source.text, globals=self.context_of(source)).render().strip()
        except MacroReturn:
            return ""

    def _late_bound(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                text = self._macros[name](*args, **kwargs)
            except MacroReturn as returned:
                return returned.value
            # What another macro makes is linted there: a short query of the same relations stands for a long one.
            relations = [str(argument) for argument in args if RELATION.match(str(argument))]
            return f"select * from {', '.join(relations)}" if relations and SELECT.match(text) else text

        return call

    def _context_of_dbt(self, project: Path) -> dict[str, Any]:
        variables = load_settings().warehouse.model_dump(mode="json")
        sources = yaml.safe_load((project / "models/staging/_sources.yml").read_text(encoding="utf-8"))["sources"]
        tables = {
            f"{source['name']}.{table['name']}": SimpleNamespace(
                source_name=source["name"],
                name=table["name"],
                columns={column["name"]: SimpleNamespace(**column) for column in table["columns"]},
            )
            for source in sources
            for table in source["tables"]
        }
        reader = SimpleNamespace(
            name="user_totals",
            schema="main",
            resource_type="model",
            config={"meta": META},
            depends_on=SimpleNamespace(nodes=[]),
        )
        return DBT_BUILTINS | {
            "adapter": SimpleNamespace(
                dispatch=lambda name: self.context[f"{self.engine}__{name}"],
                drop_relation=lambda relation: None,
                get_relation=lambda **parts: RelationEmulator(parts["identifier"]),
            ),
            "api": SimpleNamespace(
                Relation=SimpleNamespace(create=lambda **parts: RelationEmulator(parts["identifier"]))
            ),
            "config": _Config(),
            "dbt": SimpleNamespace(
                type_string=lambda: {"duckdb": "varchar", "spark": "string"}[self.engine],
                get_fixture_sql=lambda rows, column_types: "select 'ann' as user_id",
            ),
            "env_var": lambda name, default: default,
            "execute": True,
            "modules": SimpleNamespace(re=re, pytz=SimpleNamespace(all_timezones=["Europe/Berlin", "UTC"])),
            "flags": SimpleNamespace(FULL_REFRESH=not self.is_increment),
            "graph": SimpleNamespace(nodes={"model.tessera.user_totals": reader}, sources=tables),
            "load_relation": lambda relation: relation,
            "model": SimpleNamespace(name="user_totals"),
            "project_name": "tessera",
            "run_query": lambda query: SimpleNamespace(columns=[SimpleNamespace(values=lambda: [1])]),
            "target": SimpleNamespace(type=self.engine, database="tessera", schema="main"),
            "this": SimpleNamespace(identifier="user_totals", schema="main", database="tessera"),
            "var": lambda name: variables[name],
        }

    def _answers_of_the_warehouse(self) -> dict[str, Any]:
        """What the macros that ask the warehouse would say."""
        return {
            "alter_relation_comment": lambda relation, comment: f"comment on table {relation} is '{comment}';",
            "duckdb_escape_comment": lambda comment: f"'{comment}'",
            "format_row": lambda row, column_types: {name: f"'{cell}'" for name, cell in row.items()},
            "meta_of": lambda model_name: META,
            "relation_of": RelationEmulator,
            "rebuilds_every_key": lambda model_name: not self.is_increment,
            "relation_by_name": RelationEmulator,
        }


class _Config:
    def __call__(self, **options: Any) -> str:
        return ""

    def get(self, name: str) -> Any:
        return {"meta": META}[name]

    def persist_relation_docs(self) -> bool:
        return True

    def persist_column_docs(self) -> bool:
        return True


class _Templater(JinjaTemplater):
    """sqlfluff's templater for Jinja; `context` is what the text that is linted next knows of dbt."""

    context: Mapping[str, Any]

    def _get_env_context(self, fname: str | None, config: FluffConfig | None, env: Environment) -> dict[str, Any]:
        return dict(self.context)


class _Rules(FluffConfig):
    def get_templater_class(self) -> type[_Templater]:
        return _Templater


def violations_of(project: Path) -> list[Violation]:
    """Every violation of the rules in the models, the tests and the macros of a dbt project."""
    violations = set()
    for engine, dialect in DIALECTS.items():
        linter = Linter(config=_Rules.from_path(str(ROOT), overrides={"dialect": dialect}))
        sources = [source for source in _sources_of(project) if source.engine == engine]
        rendered = set()
        for is_increment in (False, True):
            macros = Macros(project, is_increment=is_increment, engine=engine)
            for source in [source for source in sources if not is_increment or BRANCH.search(source.text)]:
                text = macros.rendered(source)
                if text and (source, text) not in rendered:
                    rendered.add((source, text))
                    violations |= set(_violations_in(source, text, macros, linter))
    return sorted(violations, key=lambda violation: (violation.path, violation.line, violation.rule))


def _macro_files(project: Path) -> list[Path]:
    return sorted((project / "macros").rglob("*.sql")) + sorted((project / "tests" / "generic").glob("*.sql"))


def _sources_of(project: Path) -> Iterator[Source]:
    for file in sorted((project / "models").rglob("*.sql")) + sorted((project / "tests").glob("*.sql")):
        yield Source(file, _read(file))
    for file in _macro_files(project):
        text = _read(file)
        for match in MACRO.finditer(text):
            engine = match["name"].split("__")[0] if "__" in match["name"] else "duckdb"
            arguments = tuple(name.split("=")[0].strip() for name in match["arguments"].split(",") if name.strip())
            lines_before = text.count("\n", 0, match.start("body"))
            yield Source(file, match["body"], lines_before, engine, arguments, is_macro=True)


def _violations_in(source: Source, rendered: str, macros: Macros, linter: Linter) -> Iterator[Violation]:
    text, lines_before = _as_query(source, rendered) if source.is_macro else (source.text, 0)
    linter.templater.context = macros.context_of(source)
    for violation in linter.lint_string(text, fname=str(source.path)).get_violations(filter_ignore=True):
        # sqlfluff expects another indentation of a body that begins with a statement of Jinja.
        if violation.rule_code() == "LT02" and source.is_macro and JINJA_FIRST.match(source.text):
            continue
        yield Violation(source.path, violation.line_no + lines_before, violation.rule_code(), violation.desc())


def _as_query(macro: Source, rendered: str) -> tuple[str, int]:
    """The body of a macro as a query of its own, and the number of lines that stand before its first line."""
    body = macro.text.removeprefix(LEADING_COMMENTS.match(macro.text)[0])
    lines_before = macro.lines_before + macro.text.count("\n", 0, len(macro.text) - len(body))
    indent = len(macro.text) - len(body) - macro.text.rfind("\n", 0, len(macro.text) - len(body)) - 1
    body = body.rstrip()
    if QUERY.match(rendered):
        return textwrap.dedent(" " * indent + body) + "\n", lines_before
    prefix = "select * from" if rendered.startswith("(") and QUERY.match(rendered[1:].lstrip()) else "select"
    if "\n" not in body:
        return f"{prefix} {body}\n", lines_before
    # Jinja must not take away the space between the prefix and the body.
    return f"{prefix}\n    {body.replace('{%-', '{%', 1) if body.startswith('{%-') else body}\n", lines_before - 1


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def main() -> int:
    """Print the violations of the project; 1 where there are any."""
    violations = violations_of(PROJECT)
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
