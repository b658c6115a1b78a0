"""The page of `tessera docs` requests nothing that does not exist."""

from orchestration.commands.docs import without_dead_addresses


def test_templates_and_icons_of_dbt_are_no_addresses():
    page = (
        b'<title>dbt Docs</title><link rel="shortcut icon" href="favicon.ico">'
        b'<svg><use xlink:href="{{ getIcon(item.type) }}"></use></svg>'
    )
    cleaned = without_dead_addresses(page)
    assert b"favicon.ico" not in cleaned
    assert b' xlink:href="{{' not in cleaned
    assert b'ng-attr-href="{{ getIcon(item.type) }}"' in cleaned
    assert cleaned.count(b'rel="icon"') == 1
