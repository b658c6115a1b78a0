"""The links of a page, for tests that follow them."""

from html.parser import HTMLParser

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Links(HTMLParser):
    """The links of a page, what it loads, and the ids to which links can lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.ids.add(values.get("id") or "")
        if tag == "a" and values.get("href"):
            self.links.add(str(values["href"]))
        if values.get(LOADED.get(tag, "")):
            self.loaded.add(str(values[LOADED[tag]]))
