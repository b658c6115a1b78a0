"""What pages are called."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ml.sequences.paths.paths import OTHER
from ml.sequences.paths.states import CATEGORY, PAGE, PAGE_TYPE, build_levels, read_page


@pytest.mark.parametrize(
    ("key", "address", "folder"),
    [
        ("https://shop.example/", "shop.example/", ""),
        ("https://shop.example", "shop.example/", ""),
        ("https://shop.example/?utm_source=mail&utm_campaign=may", "shop.example/", ""),
        ("https://shop.example/cart/step/2?gclid=x", "shop.example/cart/step/2", "cart"),
        ("https://shop.example/list?page=2&UTM_Source=mail&q=a%20b", "shop.example/list?page=2&q=a+b", "list"),
        ("https://shop.example/list/", "shop.example/list", "list"),
        ("https://shop.example/app#/orders/7?x=1", "shop.example/app#/orders/7?x=1", "orders"),
        ("https://shop.example/#!/cart", "shop.example/#!/cart", "cart"),
        ("/about/us", "/about/us", "about"),
        ("https://[broken", "https://[broken", "https://[broken"),
        ("item-7", "item-7", "item-7"),
        ("", "", ""),
    ],
)
def test_a_page_is_its_address_without_the_parameters_of_campaigns(key: str, address: str, folder: str) -> None:
    page = read_page(key)
    assert (page.address, page.folder) == (address, folder)


def views_of(*visits: tuple[int, list[tuple[str, str | None, str | None, bool]]]) -> pa.Table:
    rows = [
        {
            "visit": number,
            "person": person,
            "is_converted": False,
            "page_key": key,
            "item_id": item,
            "category": category,
            "is_product": is_product,
        }
        for number, (person, views) in enumerate(visits)
        for key, item, category, is_product in views
    ]
    return pa.Table.from_pylist(rows)


HOME = ("https://s.example/", None, None, False)
CART = ("https://s.example/cart", None, None, False)
LAMP = ("https://s.example/home/lamp", "lamp", "home", True)
NEWS = ("https://s.example/n/1", "n1", None, False)


def test_pages_have_a_type_a_category_and_a_name_at_the_levels() -> None:
    levels = build_levels(views_of((0, [HOME, LAMP, CART]), (1, [NEWS, LAMP])), minimum_people=1, pages_max=10)
    assert set(levels[PAGE_TYPE].states) == {"home page", "product", "cart page", "content"}
    # The category of the lamp is called home, which is not the home page.
    assert set(levels[CATEGORY].states) == {"home page", "home", "cart page", "content without category"}
    assert set(levels[PAGE].states) == {"s.example/", "lamp", "s.example/cart", "n1"}


def test_what_few_people_saw_goes_with_the_others_of_its_kind() -> None:
    shared = [(person, [HOME, LAMP]) for person in range(5)]
    rare = [(10 + n, [(f"https://s.example/x{n}", f"x{n}", "home", True)]) for n in range(3)]
    levels = build_levels(views_of(*shared, *rare, (20, [CART])), minimum_people=3, pages_max=10)
    assert set(levels[PAGE].states) == {"s.example/", "lamp", "other pages: home", OTHER}
    assert set(levels[CATEGORY].states) == {"home page", "home", OTHER}
    assert sum(len(paths.codes) for paths in levels.values()) == 3 * 14


def test_at_most_so_many_pages_stand_for_themselves() -> None:
    visits = [(person, [(f"https://s.example/a{n}", f"a{n}", "c", True) for n in range(6)]) for person in range(3)]
    levels = build_levels(views_of(*visits), minimum_people=1, pages_max=2)
    assert len(levels[PAGE].states) == 3
    assert "other pages: c" in levels[PAGE].states
