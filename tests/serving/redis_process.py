"""A Redis server in a process of its own."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import redis

from serving.start import ServiceConfig
from tests.waiting import wait_until


class RedisProcess:
    """A Redis that can be stopped and started again, with what it held or without."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it, and return once it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": ""}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        self.process = subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL)
        self.client = redis.Redis.from_url(self.url)
        wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def stop(self, is_kept: bool) -> None:
        """Kill it; the next start finds what it held only if `is_kept`."""
        if is_kept:
            self.client.save()
        else:
            (self.folder / "dump.rdb").unlink(missing_ok=True)
        self.process.kill()
        self.process.wait()


def on_redis(config: ServiceConfig, url: str) -> ServiceConfig:
    """The configuration of a service whose online state is in this Redis."""
    serving = config.settings.serving
    state = serving.state.model_copy(update={"engine": "redis"})
    settings = config.settings.model_copy(update={"serving": serving.model_copy(update={"state": state})})
    return replace(config, settings=settings, redis_url=url)
