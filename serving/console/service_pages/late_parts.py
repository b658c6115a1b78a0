"""Parts of pages that are loaded after them, since they take longer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from serving.console.page_parts import ConsolePage
from serving.console.pages import ServiceQuestion

LATE_PARTS: Mapping[tuple[str, str], Callable[[ServiceQuestion], Awaitable[ConsolePage]]] = {}
"""What makes each part, by the names of the page and the part."""
