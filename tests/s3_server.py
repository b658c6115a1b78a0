"""An S3 server on this machine, as a process of the test run, and buckets in it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


class S3Server:
    """The server; processes that are started while it runs find it through their environment."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"

    def make_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"site-{uuid.uuid4().hex}"
        self.client().create_bucket(Bucket=name)
        return name

    def client(self):
        import boto3

        return boto3.client("s3", endpoint_url=self.url, region_name=CREDENTIALS["AWS_DEFAULT_REGION"])

    def stop(self) -> None:
        self._server.stop()


@contextmanager
def run_s3() -> Iterator[S3Server]:
    """Run a server, to which the environment of this process leads."""
    with patch.dict(os.environ, CREDENTIALS):
        server = S3Server()
        os.environ["AWS_ENDPOINT_URL"] = server.url
        try:
            yield server
        finally:
            server.stop()
