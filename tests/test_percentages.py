"""A share is written as `62%`, without a space, in every message, page and document."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("config", "dbt_project/models", "docs", "ml", "orchestration", "serving")
TEXTS = {".html", ".j2", ".js", ".md", ".py", ".sql", ".yaml", ".yml"}
# Not before a number or a call, where the sign is an operator, nor before the format of a log message.
SPACED = re.compile(
    r"(?<=[0-9}]) %(?=[ ,.;:)\"'`<–/\]]|$)(?!\.\d)(?! \d)(?! [a-zA-Z_]+[\[(.][a-zA-Z_])", re.MULTILINE
)
NOT_SHARES = {
    "ml/tables/number_columns.py": "`5 %` and `1e5` are read",  # what files hold
    "serving/console/figures/behaviour.py": 'Week {number} %"',  # a heading, with the unit of its column
}


def texts() -> Iterator[Path]:
    yield ROOT / "README.md"
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in TEXTS and not {"node_modules", "static"} & set(file.parts):
                yield file


def spaced_shares(text: str) -> list[str]:
    """The lines in which a share has a space before its sign."""
    return [line.strip() for line in text.splitlines() if SPACED.search(line)]


def test_no_share_has_a_space_before_its_sign() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {line}"
        for file in texts()
        for line in spaced_shares(file.read_text(encoding="utf-8"))
        if NOT_SHARES.get(str(file.relative_to(ROOT)), "\n") not in line
    ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "is_share"),
    [
        ("about 80 % belong there", True),
        ('f"{share} %"', True),
        ("a 95 % interval", True),
        ("80% of them", False),
        ("number * 7 % 40", False),
        ('f"{share:.0%}"', False),
    ],
)
def test_the_search_tells_a_share_from_an_operator(line: str, is_share: bool) -> None:
    assert bool(spaced_shares(line)) == is_share
