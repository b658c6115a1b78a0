"""Unmodified trackers of other products send to the collector: from PyPI (the group `dev`) and from npm."""

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from ml.events.contract import EVENT_SCHEMA
from ml.events.live_log import read_open_parts
from ml.events.log import EventLog
from ml.home import Home
from tests.serving.collector.processes import CollectorProcess

PACKAGE_FILE = Path(__file__).with_name("trackers.json")
SNOWPLOW = """
import sys
from snowplow_tracker import Emitter, PageView, StructuredEvent, Subject, Tracker
emitter = Emitter("127.0.0.1", protocol="http", port=int(sys.argv[1]), method=sys.argv[2], batch_size=1)
subject = Subject().set_user_id("u").set_domain_user_id("d").set_screen_resolution(800, 600)
tracker = Tracker("site", emitters=emitter, subject=subject, app_id="shop")
tracker.track(PageView(page_url="https://shop.example/items/7", page_title="Seven"))
tracker.track(StructuredEvent(category="shop", action="add_to_cart", label="7", value=2))
tracker.flush()
"""
SEGMENT = """
import sys
import segment.analytics as analytics
analytics.write_key = "key"
analytics.host = "http://127.0.0.1:" + sys.argv[1]
analytics.gzip = sys.argv[2] == "gzip"
analytics.identify("u", {"plan": "pro"})
analytics.page("u", "shop", "Seven", {"url": "https://shop.example/items/7"})
analytics.track("u", "Order Completed", {"products": [{"product_id": "7", "price": 3, "quantity": 2}]})
analytics.shutdown()
"""
RUDDERSTACK = """
import sys
import rudderstack.analytics as analytics
analytics.write_key = "key"
analytics.dataPlaneUrl = "http://127.0.0.1:" + sys.argv[1]
analytics.gzip = sys.argv[2] == "gzip"
analytics.identify("u", {"plan": "pro"})
analytics.page("u", "shop", "Seven", {"url": "https://shop.example/items/7"})
analytics.track("u", "Order Completed", {"products": [{"product_id": "7", "price": 3, "quantity": 2}]})
analytics.flush()
"""
SEGMENT_FOR_NODE = """
import { Analytics } from "@segment/analytics-node";
const analytics = new Analytics({ writeKey: "key", host: "http://127.0.0.1:" + process.argv[2] });
analytics.identify({ userId: "u", traits: { plan: "pro" } });
analytics.page({ userId: "u", name: "Seven", properties: { url: "https://shop.example/items/7" } });
analytics.track({ userId: "u", event: "Order Completed",
  properties: { products: [{ product_id: "7", price: 3, quantity: 2 }] } });
await analytics.closeAndFlush();
"""
# The part of Segment's library for browsers that sends batches; a page is all that it needs of a browser.
SEGMENT_FOR_BROWSERS = """
globalThis.window = { addEventListener() {} };
globalThis.document = { addEventListener() {}, visibilityState: "visible" };
const { default: sender } = await import(
  "@segment/analytics-next/dist/cjs/plugins/segmentio/batched-dispatcher.js");
const { dispatch } = sender.default("127.0.0.1:" + process.argv[2] + "/v1", { size: 3 }, undefined, "http");
const common = { writeKey: "key", userId: "u", anonymousId: "a" };
dispatch("", { ...common, type: "identify", messageId: "b1", traits: { plan: "pro" } });
dispatch("", { ...common, type: "page", messageId: "b2", properties: { url: "https://shop.example/items/7" } });
await dispatch("", { ...common, type: "track", messageId: "b3", event: "Order Completed",
  properties: { products: [{ product_id: "7", price: 3, quantity: 2 }] } });
"""
RUDDERSTACK_FOR_NODE = """
import Analytics from "@rudderstack/rudder-sdk-node";
const analytics = new Analytics("key", { dataPlaneUrl: "http://127.0.0.1:" + process.argv[2],
  gzip: process.argv[3] == "gzip" });
analytics.identify({ userId: "u", traits: { plan: "pro" } });
analytics.page({ userId: "u", name: "Seven", properties: { url: "https://shop.example/items/7" } });
analytics.track({ userId: "u", event: "Order Completed",
  properties: { products: [{ product_id: "7", price: 3, quantity: 2 }] } });
await analytics.flush();
"""
ORDER = [("identify", None, None), ("page_view", "7", None), ("purchase", "7", 6.0)]


class Receiver:
    """A running collector, read while it runs."""

    def __init__(self, home, port):
        self.port = port
        self._log = EventLog(home)
        self._seen = set()

    def new_events(self):
        """Type, item and value of the events since the last call, by type; the user is always `u`."""
        rows = pa.Table.from_batches(
            [*self._log.read(), *read_open_parts(self._log)], schema=EVENT_SCHEMA
        ).to_pylist()
        new = [row for row in rows if row["event_id"] not in self._seen]
        self._seen |= {row["event_id"] for row in new}
        assert all(row["user_id"] == "u" for row in new)
        return sorted((row["event_type"], row["item_id"], row["value"]) for row in new)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory):
    home = tmp_path_factory.mktemp("trackers") / "home"
    with CollectorProcess(home) as collector:
        yield Receiver(Home(home), collector.port)


@pytest.fixture(scope="module")
def node_project(tmp_path_factory):
    """A folder in which Node.js finds the trackers of PACKAGE_FILE."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(PACKAGE_FILE, folder / "package.json")
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install the trackers: {done.stderr.strip()[-500:]}")
    return folder


def run_python(program, *arguments):
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True, timeout=60)


def run_node(folder, program, *arguments):
    (folder / "send.mjs").write_text(program)
    subprocess.run(["node", folder / "send.mjs", *map(str, arguments)], check=True, timeout=60)


@pytest.mark.parametrize("method", ["post", "get"])
def test_the_snowplow_tracker_for_python(receiver, method):
    run_python(SNOWPLOW, receiver.port, method)
    assert receiver.new_events() == [("add_to_cart", None, 2.0), ("page_view", "7", None)]


@pytest.mark.parametrize("encoding", ["gzip", "plain"])
def test_the_segment_library_for_python(receiver, encoding):
    run_python(SEGMENT, receiver.port, encoding)
    assert receiver.new_events() == ORDER


@pytest.mark.parametrize("encoding", ["gzip", "plain"])
def test_the_rudderstack_library_for_python(receiver, encoding):
    run_python(RUDDERSTACK, receiver.port, encoding)
    assert receiver.new_events() == ORDER


def test_the_segment_library_for_node(receiver, node_project):
    run_node(node_project, SEGMENT_FOR_NODE, receiver.port)
    assert receiver.new_events() == ORDER


def test_the_batches_of_the_segment_library_for_browsers(receiver, node_project):
    run_node(node_project, SEGMENT_FOR_BROWSERS, receiver.port)
    assert receiver.new_events() == ORDER


@pytest.mark.parametrize("encoding", ["gzip", "plain"])
def test_the_rudderstack_library_for_node(receiver, node_project, encoding):
    run_node(node_project, RUDDERSTACK_FOR_NODE, receiver.port, encoding)
    assert receiver.new_events() == ORDER
