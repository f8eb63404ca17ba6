"""The description: valid OpenAPI 3.2, of every route and no other, of every option and status."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV32SpecValidator

from imaging.facts import ErrorCode
from server.app import create_app
from server.openapi.document import PATH, describe
from server.requests import MANIFEST_TYPES
from server.settings import ServerSettings
from server.static_files import READER_POLICY
from tests.server.described import Described
from tests.server.serving import Served
from workers.asked import ASKED

ROOT = Path(__file__).parents[2]
KEY = "0123456789abcdef-key"

#: Files that pages load; their names are nobody's business.
FILES = "/static/"


@pytest.fixture(scope="module")
def described() -> Described:
    """Of a service with a key."""
    return Described(describe(keyed=True))


@pytest.mark.parametrize("keyed", [True, False])
def test_it_is_valid(keyed: bool) -> None:
    """As OpenAPI 3.2, with every example as its schema says."""
    document = describe(keyed=keyed)

    assert document["openapi"].startswith("3.2.")
    assert [str(error) for error in OpenAPIV32SpecValidator(document).iter_errors()] == []


def test_every_route_is_described_and_no_other(described: Described) -> None:
    """By path and method; with a slash behind it a path is the same."""
    routes = {
        (route.method, resource.canonical.rstrip("/") or "/")
        for resource in create_app(ServerSettings()).router.resources()
        for route in resource
        if route.method != "HEAD" and not resource.canonical.startswith(FILES)
    }

    assert {(method, path) for method, path, _ in described.operations()} == routes


def test_every_option_is_described(described: Described) -> None:
    """In JSON all of them; in the query those that go with a body that is the manifest."""
    for kind, model in ASKED.items():
        for path, refused in ((kind, set()), (f"{kind}_async", {"ordered", "changes"})):
            said = described.operation("POST", f"/api/v1/{path}")
            content = said["requestBody"]["content"]
            members = described.resolved(content["application/json"]["schema"])
            named = {
                one["name"]
                for one in map(described.resolved, said["parameters"])
                if "schema" in one
            }
            options = set(model.model_fields) - {"filepath", "images"}
            assert set(members["properties"]) == set(model.model_fields)
            assert options - refused <= named
            assert set(content) == {"application/json", *MANIFEST_TYPES}


def test_every_status_of_the_documents_is_described(described: Described) -> None:
    """The table of docs/api.md, and the answers besides."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = text[text.index("## Errors of a request") :]
    told = {
        int(one)
        for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
        for one in row.split(",")
    }
    responses = described.document["components"]["responses"]
    used = {int(status) for *_, said in described.operations() for status in said["responses"]}

    assert {int(name.removeprefix("Refused")) for name in responses} == told
    assert used == (told | {200, 202, 204}) - {405}  # what is not described is by another method


def test_every_operation_is_refused_as_all_are(described: Described) -> None:
    """By the gate, the parser of heads and what answers `Expect`: on any path."""
    for *_, said in described.operations():
        assert set(said["responses"]) >= {"400", "401", "403", "417", "500"}


def test_every_component_is_used(described: Described) -> None:
    """What nothing refers to is left over. Of methods that are not taken the text tells."""
    text = str(described.document)
    for section, found in described.document["components"].items():
        if section != "securitySchemes":
            unused = [name for name in found if f"'#/components/{section}/{name}'" not in text]
            assert unused == ([] if section != "responses" else ["Refused405"])


def test_operations_are_named_once(described: Described) -> None:
    """Programs that are made from the description name functions so."""
    names = [said["operationId"] for *_, said in described.operations()]

    assert len(set(names)) == len(names)


def test_codes_of_errors_are_a_closed_set(described: Described) -> None:
    """Those of the enum, each with its sentence."""
    schema = described.document["components"]["schemas"]["ErrorCode"]

    assert schema["enum"] == [code.value for code in ErrorCode]
    for code in ErrorCode:
        assert f"`{code.value}`: {code.sentence}" in schema["description"]


def test_objects_of_ours_are_closed(described: Described) -> None:
    """Each names its members and takes no other, or says what any member is."""
    open_ones = []

    def look(name: str, schema: Any) -> None:
        if isinstance(schema, list):
            for one in schema:
                look(name, one)
        if isinstance(schema, dict):
            if schema.get("type") == "object" and "additionalProperties" not in schema:
                open_ones.append(name)
            for key, one in schema.items():
                look(f"{name}.{key}" if key != "properties" else name, one)

    for name, schema in described.document["components"]["schemas"].items():
        look(name, schema)
    assert open_ones == ["ImageLine.extra", "BatchRow.extra"]  # the client's own


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
@pytest.mark.asyncio(loop_scope="session")
async def test_it_is_served(served: Served, path: str) -> None:
    """As it was made, of a service without a key."""
    answer = await served.ask(path, method="GET")

    assert answer.json() == describe(keyed=False)
    assert answer.headers["Content-Type"] == "application/json"
    (await served.ask(path, method="POST")).problem(405)
    (await served.ask(path, method="GET", params={"x": "1"})).problem(400)


@pytest.mark.asyncio(loop_scope="session")
async def test_it_is_behind_the_key(serve: Any) -> None:
    """Where there is one; then it says so itself."""
    served: Served = await serve(api_key=KEY)
    (await served.ask(PATH, method="GET")).problem(401)

    answer = await served.ask(PATH, method="GET", headers={"Authorization": f"Bearer {KEY}"})
    assert answer.json() == describe(keyed=True)
    assert answer.json()["security"] == [{"key": []}]


@pytest.mark.asyncio(loop_scope="session")
async def test_what_answers_without_the_key_says_so(serve: Any) -> None:
    """`security` is empty exactly where no key is asked for."""
    served: Served = await serve(api_key=KEY)
    document = Described(describe(keyed=True))

    for method, path, said in document.operations():
        answer = await served.ask(path.replace("{id}", "1-1"), method=method)
        assert (answer.status == 401) == ("security" not in said), path


@pytest.mark.asyncio(loop_scope="session")
async def test_the_page_of_it_is_a_shell(serve: Any) -> None:
    """It answers without the key, tells nothing, and lets no script in that is not a file here."""
    served: Served = await serve(api_key=KEY)
    answer = await served.ask("/docs", method="GET", headers={"Accept-Encoding": "identity"})

    text = answer.body.decode()
    assert answer.status == 200
    assert answer.headers["Content-Security-Policy"] == READER_POLICY
    assert re.findall(r"<script(?![^>]* src=)|<style| on\w+=|https?://", text) == []
    places = re.findall(r'(?:src|href)="(/static/[^"]+)"', text)
    assert len(places) == 5
    for place in places:
        assert (await served.ask(place, method="GET")).status == 200, place
