"""A server on loopback that takes what is posted to it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def receiving(keep: Callable[[Mapping[str, str], bytes], None]) -> Iterator[int]:
    """Hand headers and body of each POST to `keep`, and answer 200; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            keep(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
