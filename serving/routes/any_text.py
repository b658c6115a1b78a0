"""The part `{name:any_text}` of a route: an id of any characters, slashes and line breaks among them."""

from __future__ import annotations

from starlette.convertors import Convertor


class AnyTextConvertor(Convertor[str]):
    """Takes what Starlette's `path` takes, and line breaks, which `path` answers with 404."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        """Return the id as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Return the id as it is."""
        return value
