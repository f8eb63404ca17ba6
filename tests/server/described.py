"""The description as a running service serves it, and judging what is answered by it."""

from __future__ import annotations

import gzip
import json
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from server.openapi.document import PATH
from tests.server.serving import Answer, Served

__all__ = ["Described", "describe"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Described:
    """One description."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._validators: dict[str, Draft202012Validator] = {}

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """What is said of a route."""
        found: dict[str, Any] = self.document["paths"][path][method.lower()]
        return found

    def operations(self) -> list[tuple[str, str, dict[str, Any]]]:
        """All of them: method, path, and what is said."""
        return [
            (method.upper(), path, said)
            for path, methods in self.document["paths"].items()
            for method, said in methods.items()
        ]

    def resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        """What a reference leads to; anything else is that itself."""
        while "$ref" in part:
            found: Any = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            part = found
        return part

    def check(self, schema: dict[str, Any], value: object) -> None:
        """Fails where *value* is not as *schema* says."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {"$schema": _DIALECT, **schema, "components": self.document["components"]}
            Draft202012Validator.check_schema(whole)
            self._validators[key] = Draft202012Validator(whole, format_checker=FormatChecker())
        problems = [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message[:500]}"
            for error in self._validators[key].iter_errors(value)
        ]
        assert problems == [], json.dumps(value)[:2000]

    def check_component(self, name: str, value: object) -> None:
        """The same, by a schema's name."""
        self.check({"$ref": f"#/components/schemas/{name}"}, value)

    def check_answer(self, method: str, path: str, answer: Answer) -> None:
        """Fails where the status, a header field, the type or the body is not as described."""
        said = self.operation(method, path)["responses"]
        assert str(answer.status) in said, (answer.status, answer.body)
        response = self.resolved(said[str(answer.status)])
        for name, header in response.get("headers", {}).items():
            header = self.resolved(header)
            assert name in answer.headers or not header.get("required"), name
            if name in answer.headers and header["schema"].get("type") == "string":
                self.check(header["schema"], answer.headers[name])
        if "content" not in response:
            assert answer.body == b""
            return
        kind = answer.headers["Content-Type"].partition(";")[0]
        content = response["content"][kind]
        if "itemSchema" in content:
            for line in answer.body.splitlines():
                self.check(content["itemSchema"], json.loads(line))
        elif "json" in kind:
            self.check(content["schema"], answer.json())
        elif "schema" in content:
            zipped = answer.headers.get("Content-Encoding") == "gzip"
            body = gzip.decompress(answer.body) if zipped else answer.body
            self.check(content["schema"], body.decode())


async def describe(served: Served) -> Described:
    """Ask a service for its description."""
    answer = await served.ask(PATH, method="GET")
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/json"
    return Described(answer.json())
