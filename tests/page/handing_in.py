"""Jobs that are handed in beside the page, as somebody else does, and what is known of them."""

from __future__ import annotations

import asyncio
import json
from http.client import HTTPConnection
from typing import Any

from tests.asserts import wait_for
from tests.page.services import Service

__all__ = ["JOB", "Api", "told"]

#: An id as jobs have them.
JOB = "1763848000000-0"


class Api:
    """The API of a service."""

    def __init__(self, service: Service) -> None:
        self._port = service.process.port

    async def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """A small answer, as JSON; null where there is none."""
        return await asyncio.to_thread(self._ask, path, body, method)

    def _ask(self, path: str, body: Any, method: str | None) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            data = None if body is None else json.dumps(body)
            kind = {"Content-Type": "application/json"}
            how = method or ("GET" if data is None else "POST")
            connection.request(how, f"/api/v1/{path}", data, kind)
            answer = connection.getresponse().read()
            return json.loads(answer) if answer else None
        finally:
            connection.close()

    async def hand_in(self, kind: str = "images_info", **asked: Any) -> str:
        """A job; its id."""
        return str((await self.ask(f"{kind}_async", asked))["job"])

    async def done(self, job: str) -> dict[str, Any]:
        """The job, once it is done."""

        async def state() -> dict[str, Any] | None:
            found: dict[str, Any] = await self.ask(f"jobs/{job}")
            return found if found["state"] == "done" else None

        found = await wait_for(state, timeout=90)
        assert found is not None
        return found


def told(job: str = JOB, **members: Any) -> dict[str, Any]:
    """What a service tells of a job that runs; *members* are put in place of its own."""
    return {
        "id": job,
        "kind": "images_info",
        "state": "running",
        "manifest": "images.tsv",
        "options": {"depth": "header"},
        "created": "2025-11-22T21:46:40.000Z",
        "started": "2025-11-22T21:46:41.000Z",
        "finished": None,
        "rows": {"total": 5, "expected": None, "done": 2, "ok": 2, "failed": 0},
        "errors": {},
        "http_statuses": {},
        "bytes": 4096,
        "diagnosis": [],
        "rate": 1.5,
        "eta_seconds": 2,
        "paused": False,
        "reason": None,
        "released": None,
        "manifest_sha256": None,
        **members,
    }
