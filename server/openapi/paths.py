"""The table of routes: of each operation what it takes, what it answers, how it refuses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from server.openapi import examples
from server.openapi.answers import LINES, TABLES, json_answer
from server.openapi.requests import body_of, query_of
from server.openapi.shapes import TEXT, Schema, constant, ref, shape
from server.openapi.statuses import ALWAYS, QUEUE, UPLOAD, refusing, request_id
from workers.asked import ASKED

__all__ = ["paths"]

_WORK = "/api/v1/{}"
_JOBS = "/api/v1/jobs"
#: Of an operation that answers without a key.
_OPEN: dict[str, Any] = {"security": []}
#: Where it is not looked at but with one form of the answer.
_KEY: dict[str, Any] = {"name": "Idempotency-Key", "in": "header", "schema": TEXT}
_DISPOSITION = {
    "Content-Disposition": {"description": "of a table: a name for its file", "schema": TEXT}
}


def paths() -> dict[str, Any]:
    """Every route, with its operations."""
    return {
        **_works("images_info", "Facts of every picture of a list"),
        **_works("batch_predict", "Predictions for a list, in batches"),
        "/api/v1/predictors": _get("predictors", "What may be asked to predict", "PredictorList"),
        **_jobs(),
        "/api/v1/openapi.json": _get("openapi", "This description", {"type": "object"}),
        **_service(),
        **_pages(),
    }


def _operation(
    name: str,
    summary: str,
    tag: str,
    answers: dict[str, Any],
    refused: Iterable[int] = (),
    *,
    parameters: Iterable[dict[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """One operation. Every one has a request id, and is refused as all are."""
    return {
        "operationId": name,
        "summary": summary,
        "tags": [tag],
        "parameters": [*parameters, _parameter("RequestId")],
        "responses": {**answers, **refusing({*ALWAYS, *refused})},
        **more,
    }


def _parameter(name: str) -> dict[str, Any]:
    return ref(name, "parameters")


def _answer(description: str, content: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"description": description, "headers": request_id(), **more}
    return found if content is None else {**found, "content": content}


def _get(name: str, summary: str, schema: str | Schema, **more: Any) -> dict[str, Any]:
    """A path with one `GET` that answers JSON."""
    said = ref(schema) if isinstance(schema, str) else schema
    answers = {"200": _answer(summary, json_answer(said))}
    refused = (503,) if name == "predictors" else ()
    return {"get": _operation(name, summary, "service", answers, refused, **more)}


def _works(kind: str, summary: str) -> dict[str, Any]:
    """The routes of one kind of work: as a stream, and as a job."""
    info = kind == "images_info"
    keyed = "`application/json`: one object keyed by id" if info else "`application/json`: a job"
    content: dict[str, Any] = {
        LINES: {
            "itemSchema": ref("InfoAnswerLine" if info else "BatchAnswerLine"),
            "examples": examples.lines(kind),
        },
        **(json_answer(ref("Keyed")) if info else {}),
        **TABLES,
    }
    answers = {"200": _answer("The records, as they come", content, headers=_of_tables())}
    if not info:
        answers["202"] = _accepted()
    encoding, key = _parameter("ContentEncoding"), _parameter("IdempotencyKey")
    unread = {**_KEY, "description": "of a job, which `Accept: application/json` makes it"}
    stream = _operation(
        kind,
        summary,
        "work",
        answers,
        {*UPLOAD, 406} if info else {*UPLOAD, 406, 410},
        parameters=[*query_of(ASKED[kind], job=False), encoding, *([] if info else [unread])],
        requestBody=body_of(kind, job=False),
        description="NDJSON, one line at a time. `Accept` asks for something else:"
        f" {keyed}, `text/csv` or `application/vnd.apache.parquet`: a table.",
    )
    job = _operation(
        f"{kind}_async",
        f"{summary}, as a job",
        "work",
        {"202": _accepted()},
        {*UPLOAD, 410},
        parameters=[*query_of(ASKED[kind], job=True), encoding, key],
        requestBody=body_of(kind, job=True),
    )
    path = _WORK.format(kind)
    return {path: {"post": stream}, f"{path}_async": {"post": job}}


def _of_tables() -> dict[str, Any]:
    return {**request_id(), **_DISPOSITION}


def _accepted() -> dict[str, Any]:
    """A job was handed in."""
    of_job = {"id": "$response.body#/job"}
    return _answer(
        "The job is noted",
        json_answer(ref("Submitted")),
        headers={
            **request_id(),
            "Location": {
                "required": True,
                "description": "where the job is",
                "schema": {"type": "string", "format": "uri-reference"},
            },
        },
        links={
            name: {"operationId": name, "parameters": of_job}
            for name in ("get_job", "get_results", "cancel_job", "delete_job")
        },
    )


def _jobs() -> dict[str, Any]:
    one = [_parameter("Job")]
    job = json_answer(ref("Job"))
    lines = {
        LINES: {"itemSchema": ref("ResultLine"), "examples": examples.lines("results")},
        **TABLES,
    }
    missing = (*QUEUE, 404, 410)
    listed = _operation(
        "list_jobs",
        "The jobs, newest first",
        "jobs",
        {"200": _answer("A page of them", json_answer(ref("JobList")))},
        QUEUE,
        parameters=[_parameter("After"), _parameter("Limit")],
    )
    told = _operation(
        "get_job",
        "One job: state, counts, rate",
        "jobs",
        {"200": _answer("The job", job)},
        missing,
        parameters=one,
    )
    removed = _operation(
        "delete_job",
        "Remove a job, or results that were read",
        "jobs",
        {
            "200": _answer("With `through`: what was dropped", json_answer(ref("Released"))),
            "204": _answer("The job, its results and its upload are gone"),
        },
        missing,
        parameters=[*one, _parameter("Through")],
    )
    results = _operation(
        "get_results",
        "The records of a job, resumable, while it runs and after",
        "jobs",
        {"200": _answer("The records there are", lines, headers=_of_tables())},
        {*missing, 406, 409},
        parameters=[*one, _parameter("After"), _parameter("Follow")],
    )
    cancelled = _operation(
        "cancel_job",
        "End a job",
        "jobs",
        {"200": _answer("The job, cancelled", job)},
        {*missing, 409},
        parameters=one,
    )
    return {
        _JOBS: {"get": listed},
        f"{_JOBS}/{{id}}": {"get": told, "delete": removed},
        f"{_JOBS}/{{id}}/results": {"get": results},
        f"{_JOBS}/{{id}}/cancel": {"post": cancelled},
    }


def _service() -> dict[str, Any]:
    ready = {
        "200": _answer("Work would be done", json_answer(ref("Ready"))),
        "503": _answer("`checks` says what is missing", json_answer(ref("Ready"))),
    }
    formats = ("text/plain", "application/openmetrics-text")
    content = {name: {"schema": TEXT} for name in formats}
    numbers = {"200": _answer("docs/metrics.md has them", content)}
    return {
        "/ping": _get("ping", "For older clients", _only("ping", "pong"), **_OPEN),
        "/healthz": _get("healthz", "The process lives", _only("status", "alive"), **_OPEN),
        "/readyz": {
            "get": _operation("readyz", "Whether work would be done", "service", ready, **_OPEN)
        },
        "/metrics": {
            "get": _operation("metrics", "Numbers for Prometheus", "service", numbers, **_OPEN)
        },
    }


def _only(name: str, value: str) -> Schema:
    return shape({name: constant(value)})


def _pages() -> dict[str, Any]:
    """Pages for people; what they load lies below `/static/`."""
    html = {"text/html": {"schema": TEXT}}
    titles = {"/": ("page", "The page of the service"), "/docs": ("docs", "This, to be read")}
    return {
        path: {"get": _operation(name, said, "service", {"200": _answer(said, html)}, **_OPEN)}
        for path, (name, said) in titles.items()
    }
