"""Generates the reference pages, and the tables inside other pages, from the objects that they describe.

MkDocs calls the functions `on_…`. A page names a table by a line such as `{{ event_types }}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from reference_api import api_page
from reference_commands import commands_page
from reference_events import event_fields, event_types, events_page
from reference_settings import settings_page
from reference_site_files import item_fields, mapping_rules, models, rule_facts, targeting_fields
from reference_tables import tables_page

PAGES: Mapping[str, Callable[[], str]] = {
    "reference/api.md": api_page,
    "reference/commands.md": commands_page,
    "reference/events.md": events_page,
    "reference/settings.md": settings_page,
    "reference/tables.md": tables_page,
}
TABLES: Mapping[str, Callable[[], str]] = {
    "event_fields": event_fields,
    "event_types": event_types,
    "item_fields": item_fields,
    "mapping_rules": mapping_rules,
    "models": models,
    "rule_facts": rule_facts,
    "targeting_fields": targeting_fields,
}
_MARKER = re.compile(r"^\{\{ (\w+) \}\}$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of the folder."""
    for path, page in PAGES.items():
        files.append(File.generated(config, path, content=page()))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the tables in the places that name them; raises KeyError for a name that is no table."""
    return _MARKER.sub(lambda marker: TABLES[marker[1]](), markdown)
