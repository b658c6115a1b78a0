"""What the headers of a request say of the visitor."""

import pytest
from starlette.requests import Request

from serving.context.situation import read_headers

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148"


@pytest.mark.parametrize(
    ("headers", "device"),
    [
        ({"user-agent": PHONE}, "mobile"),
        ({"user-agent": "python-httpx/0.28.1"}, None),  # a server that asks for somebody is not their device
        (
            {"user-agent": "shop-backend/1.0", "sec-ch-ua-mobile": "?1"},
            "mobile",
        ),  # it handed the browser's hint on
        ({}, None),
    ],
)
def test_the_device_is_the_browsers(headers, device):
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert read_headers(Request({"type": "http", "headers": raw})).get("device_type") == device
