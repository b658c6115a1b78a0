"""A browser key and a secret key of a service, and the headers that send them."""

from serving.access import Keys

KEYS = Keys(browser=frozenset({"browser-key-0123456789"}), secret=frozenset({"secret-key-0123456789"}))
BROWSER = {"Authorization": "Bearer browser-key-0123456789"}
SECRET = {"Authorization": "Bearer secret-key-0123456789"}
