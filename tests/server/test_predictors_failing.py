"""Rows that a predictor, or a decoder, cannot take cost themselves and no other."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from server import keys
from tests.asserts import wait_until
from tests.hostile.cases import HOSTILE, Case
from tests.picture_hosts import PictureHost
from tests.server.commanded import CLASSES
from tests.server.serving import BATCH, Served
from workers.batches import predictors

pytestmark = pytest.mark.asyncio(loop_scope="session")

Serve = Callable[..., Awaitable[Served]]

#: What the id of a row has the predictor do, and what is said of that row then.
COMMANDS = {
    "raise a tantrum": "ValueError: a tantrum",
    "exit 0": "SystemExit: 0",
    "forget": "the predictor returned 0 values, not 1",
    "object": "object cannot be written as JSON",
    "say 70000": "70002 bytes of JSON, more than 65536",
    "grow": "MemoryError",
    "recurse": "RecursionError",
    "leave 3": "predicting it failed: the process ended with exit code 3",
    "crash": "predicting it failed: the process ended by signal 11 (SIGSEGV)",
    "hang": "the predictor took more than 2 s",
}
#: Files of the page, not misdeeds of a connection: they come last.
FILES = HOSTILE[[case.name for case in HOSTILE].index("png-60000") :]


def at(host: PictureHost, ids: list[str]) -> dict[str, Any]:
    """A request for a picture to each id, by the predictor that obeys."""
    rows = [{"id": one, "url": f"{host}/{number}"} for number, one in enumerate(ids)]
    return {"images": rows, "predictor": "commanded"}


def said(rows: list[dict[str, Any]]) -> dict[int, float]:
    """What the predictor measured of each row, by its index."""
    return {row["index"]: row["prediction"]["mean"] for row in rows if "prediction" in row}


@pytest.mark.parametrize(("command", "told"), COMMANDS.items(), ids=COMMANDS)
async def test_a_row_that_a_predictor_cannot_take(
    serve: Serve, host: PictureHost, command: str, told: str
) -> None:
    """Only it is `predictor_failed`; its neighbours have what they have without it."""
    served = await serve(predictors=CLASSES, predict_timeout=2)
    ids = ["a", "b", command, "d", "e"]

    answer = await served.ask(BATCH, json=at(host, ids))
    without = await served.ask(BATCH, json=at(host, ["a", "b", "c", "d", "e"]))

    (line,) = answer.batches()
    assert line["batch_dimension"] == [5, 3, 12, 16]
    assert [row["position"] for row in line["rows"]] == [0, 1, 2, 3, 4]
    (failed,) = [row for row in line["rows"] if "error" in row]
    assert failed["index"] == 2
    assert (failed["error"]["code"], failed["error"]["stage"]) == ("predictor_failed", "predict")
    assert told in failed["error"]["message"]
    assert failed["error"]["retryable"] is False
    expected = said(without.rows())
    assert said(line["rows"]) == {index: expected[index] for index in (0, 1, 3, 4)}
    assert answer.summary()["errors"] == {"predictor_failed": 1}
    assert answer.summary()["complete"] is True
    await served.at_rest()


async def test_several_of_them_at_once(serve: Serve, host: PictureHost) -> None:
    """Each for its own reason."""
    served = await serve(predictors=CLASSES, predict_timeout=2)
    ids = ["raise it", "b", "forget", "leave 4", "e", "f", "raise that", "h"]

    answer = await served.ask(BATCH, json=at(host, ids))

    failed = [row["id"] for row in answer.rows() if "error" in row]
    assert failed == ["raise it", "forget", "leave 4", "raise that"]
    assert len(said(answer.rows())) == 4


async def test_a_value_that_is_not_finite(serve: Serve, host: PictureHost) -> None:
    """JSON has no word for it: null."""
    served = await serve(predictors=CLASSES)

    answer = await served.ask(BATCH, json=at(host, ["infinite", "b"]))

    assert answer.rows()[0]["prediction"] is None
    assert answer.summary()["ok"] == 2


async def test_a_predictor_that_takes_one_picture(serve: Serve, host: PictureHost) -> None:
    """Is asked for each by itself in the end."""
    served = await serve(predictors=CLASSES)
    rows = [f"{host}/{number}" for number in range(6)]

    answer = await served.ask(BATCH, json={"images": rows, "predictor": "ofone", "batch_size": 4})

    assert [len(line["rows"]) for line in answer.batches()] == [4, 2]
    assert all(0 < row["prediction"] < 255 for row in answer.rows())


async def test_draining_does_not_wait_for_a_predictor(
    serve: Serve, host: PictureHost, tmp_path: Path
) -> None:
    """Rows that are being predicted are `cancelled`; what failed before has failed."""
    served = await serve(predictors=CLASSES)
    go = tmp_path / "go"
    asked = at(host, ["a", f"until {go}", "c"])
    asked["images"].append("foo")
    async with served.talk() as talk:
        await talk.ask(BATCH, body=json.dumps(asked).encode(), Content_Type="application/json")
        await talk.head()
        assert (await talk.line())["type"] == "start"
        await wait_until(Path(f"{go}.begun").exists)

        async with asyncio.timeout(30):
            await served.app[keys.STREAMS].drain()

        line, summary = await talk.line(), await talk.line()
    codes = [row["error"]["code"] for row in line["rows"]]
    assert codes == ["cancelled", "cancelled", "cancelled", "bad_url"]
    assert line["batch_dimension"] == [0, 3, 12, 16]
    assert (summary["rows"], summary["ok"], summary["reason"]) == (4, 0, "draining")
    go.touch()
    await served.at_rest()


def judge(case: Case, row: dict[str, Any]) -> None:
    """A hostile file has the code that the page gives at full depth, or a prediction."""
    error = row.get("error")
    code = "ok" if error is None else error["code"]
    assert case.allows("full", code, None), (case, row)
    assert ("position" in row) == (code == "ok")


async def test_hostile_files_beside_good_ones(serve: Serve, host: PictureHost) -> None:
    """In one batch with every one of them, a picture's prediction is what it is without them."""
    served = await serve(max_image_bytes="8MiB", pool_slots=2)
    rows = []
    for number, case in enumerate(FILES):
        rows.append({"id": case.name, "url": f"{host}/hostile/{case.name}/x"})
        rows.append({"id": "good", "url": f"{host}/good/{number}"})
    good = [row for row in rows if row["id"] == "good"]

    answer = await served.ask(BATCH, json={"images": rows, "batch_size": 32})
    alone = await served.ask(BATCH, json={"images": good, "batch_size": 7})

    found = answer.rows()
    for case, row in zip(FILES, found[::2], strict=True):
        judge(case, row)
    assert [row["prediction"] for row in found[1::2]] == [row["prediction"] for row in alone.rows()]
    for line in answer.batches():
        places = [row["position"] for row in line["rows"] if "position" in row]
        assert places == list(range(line["batch_dimension"][0]))
    errors = Counter(row["error"]["code"] for row in found if "error" in row)
    assert answer.summary()["errors"] == errors
    assert (answer.summary()["rows"], answer.summary()["complete"]) == (len(rows), True)
    assert len(FILES) > 70
    assert served.app[keys.ENGINE].pool.restarts == 0


async def test_a_model_that_is_being_loaded_is_waited_for_but_not_at_the_end(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list says so, a request is answered 503 when the server ends, and one beside it works."""
    monkeypatch.setattr(predictors, "PATIENCE_SECONDS", 0.05)
    served = await serve(predictors="endless=tests.server.commanded:Endless", pool_slots=2)
    body = b'{"images": ["foo"], "predictor": "endless"}'
    async with served.talk() as talk:
        await talk.ask(BATCH, body=body, Content_Type="application/json")
        await wait_until(lambda: served.app[keys.STREAMS]._clocks)
        assert (await served.ask(BATCH, json={"images": ["foo"]})).summary()["rows"] == 1

        await served.app[keys.STREAMS].drain()

        answer = await talk.answer()
    assert answer.problem(503)["error"] == "the server is shutting down"
    told = await served.ask("/api/v1/predictors", method="GET")
    (late,) = [one for one in told.json()["predictors"] if one["name"] == "endless"]
    assert (late["ready"], late["error"]) == (False, "it is still being loaded")
