"""Every text of the page is there in every language."""

import re

import pytest
from babel.messages.extract import extract_from_dir

from serving.visitor_page.languages import ENGLISH, FOLDER, NAMES, read_translations

PLACEHOLDER = re.compile(r"%\(\w+\)s|<\w+>")


def read_texts():
    kinds = [("**.py", "python"), ("templates/**.j2", "jinja2")]
    options = {"templates/**.j2": {"trim_blocks": "true", "lstrip_blocks": "true"}}
    keywords = {"_": None, "gettext": None, "say": None}
    return {text for _, _, text, _, _ in extract_from_dir(FOLDER.parent, kinds, options, keywords)}


@pytest.mark.parametrize("language", sorted(set(NAMES) - {ENGLISH}))
def test_every_text_is_translated_with_the_same_placeholders(language):
    words, texts = read_translations(language), read_texts()
    assert len(texts) > 80
    translated = {text: words.gettext(text) for text in texts}
    same = {text for text, other in translated.items() if text == other}
    assert same <= {"Region", "tablet"}
    assert [text for text, other in translated.items() if find(text) != find(other)] == []


def find(text):
    return sorted(PLACEHOLDER.findall(text))
