"""A store that speaks S3, on the loopback, and what tells clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from fsspec import filesystem

__all__ = ["Store", "store_running"]

BUCKET = "lists"


class Store:
    """One bucket, `lists`."""

    def __init__(self) -> None:
        self._files: Any = filesystem("s3", skip_instance_cache=True)
        self._files.mkdir(BUCKET)

    def put(self, key: str, data: bytes) -> str:
        """Put an object; its URL."""
        self._files.pipe_file(f"{BUCKET}/{key}", data)
        return f"s3://{BUCKET}/{key}"

    def remove(self, key: str) -> None:
        """Remove an object."""
        self._files.rm_file(f"{BUCKET}/{key}")


@contextmanager
def store_running() -> Iterator[Store]:
    """The store, which the environment names meanwhile."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        # What it holds is the process's: it may be there since another one ran.
        requests.post(f"{endpoint}/moto-api/reset", timeout=10).raise_for_status()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ACCESS_KEY_ID": "of-the-test",
                "AWS_SECRET_ACCESS_KEY": "of-the-test",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                "AWS_EC2_METADATA_DISABLED": "true",
            }.items():
                patch.setenv(name, value)
            yield Store()
    finally:
        server.stop()
