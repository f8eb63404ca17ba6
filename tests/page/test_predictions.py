"""Predictions on the page: who may be asked, what is said of each picture, and how often."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.page.acting import ended, look, name, records, write
from tests.page.conftest import OpenPage
from tests.page.handing_in import Api
from tests.page.replaying import Replayed, summary
from tests.page.services import FAILING, WELL, Service
from tests.picture_hosts import PictureHost

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: The mean luma of what an `img` shows, as `appearance` has it (ITU-R 601).
BRIGHTNESS = """async (image) => {
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0;
    for (let at = 0; at < data.length; at += 4)
        sum += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
    return sum / (data.length / 4);
}"""


def lines_of(service: Service, **asked: Any) -> list[dict[str, Any]]:
    """What the API predicts, row by row."""
    connection = service.process.connect()
    try:
        body, kind = json.dumps(asked), {"Content-Type": "application/json"}
        connection.request("POST", "/api/v1/batch_predict", body, kind)
        lines = [json.loads(line) for line in connection.getresponse()]
    finally:
        connection.close()
    return [row for line in lines if line["type"] == "batch" for row in line["rows"]]


def row_of(page: Page, identity: str) -> Locator:
    """The record of that id."""
    return records(page).filter(has=page.get_by_text(identity, exact=True))


async def test_pictures_stand_at_their_rows_where_others_failed(
    page: Page, service: Service, picture_host: PictureHost
) -> None:
    """Each third row fails: what a row shows is as bright as what is said of it."""
    urls = [
        f"{picture_host}/{'hostile/status-404' if row % 3 == 1 else 'picture'}/{row}"
        for row in range(40)
    ]
    urls = [url if "picture/" in url else f"{picture_host}/hostile/status-404" for url in urls]
    await write(page, "\n".join(f"n{row}\t{url}" for row, url in enumerate(urls)))
    await look(page, "predict")
    assert await ended(page) == "Complete: 67.5 % ok"
    said = {
        row["id"]: row
        for row in lines_of(
            service, images=[{"id": f"n{row}", "url": url} for row, url in enumerate(urls)]
        )
    }

    for row in range(10):
        record = row_of(page, f"n{row}")
        if "error" in said[f"n{row}"]:
            await expect(record.locator("img")).to_have_count(0)
            await expect(record).to_contain_text("http 404")
            continue
        shown = await record.locator("img").first.evaluate(BRIGHTNESS)
        prediction = said[f"n{row}"]["prediction"]
        assert shown == pytest.approx(prediction["brightness"], abs=4)
        await expect(record.locator(".swatches").last).to_have_attribute(
            "aria-label", f"Colours: {', '.join(_colours(prediction))}"
        )


def _colours(prediction: dict[str, Any]) -> list[str]:
    told = prediction["dominant_colours"]
    return [f"{one['colour']} {round(100 * one['share'], 1):g} %" for one in told]


async def test_flags_are_counted_and_filtered_by(page: Page, service: Service) -> None:
    """As often as the API says them; pressed, only those are shown, in the list and on the wall."""
    await name(page, "pictures.tsv")
    await look(page, "predict")
    await ended(page)
    said: dict[str, int] = {}
    for row in lines_of(service, filepath="pictures.tsv"):
        for flag in row.get("prediction", {}).get("flags", []):
            said[flag] = said.get(flag, 0) + 1
    assert said

    bar = page.get_by_role("group", name="What is predicted")
    for flag, times in said.items():
        button = bar.get_by_role("button", name=f"{flag.replace('_', ' ')} {times}")
        await expect(button).to_be_visible()
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "true")
        found = page.locator("#view-pictures output.count")
        await expect(found).to_have_text(f"{times} of {WELL + len(FAILING)}")
        await expect(records(page).first.locator(".says")).to_contain_text(flag)
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "false")
    flag = next(iter(said))
    await bar.get_by_role("button", name=flag.replace("_", " ")).click()
    await page.get_by_role("button", name="Wall").click()
    await expect(page.locator(".tile .over").first).to_contain_text(flag)

    # A record tells numbers and colours as well; it is closed by Escape.
    await page.locator("#view-pictures .list-item:not([hidden]) .tile").first.click()
    detail = page.locator("#detail")
    await expect(detail.get_by_role("heading", name="Predicted")).to_be_visible()
    for number in ("brightness", "contrast", "colourfulness", "entropy", "background"):
        await expect(detail.get_by_role("meter", name=number)).to_be_visible()
    await expect(detail.locator(".colours .swatches i").first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(detail).not_to_be_visible()


async def test_a_model_is_chosen_by_what_is_told_of_it(
    open_page: OpenPage, start: Callable[..., Service], tmp_path: Path
) -> None:
    """Its size is its own, proportions are kept where that is wanted; a broken one is told."""
    pytest.importorskip("onnx")
    from tests.imaging.predictors import models

    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "colours.onnx").write_bytes(models.colours(("N", 3, 160, 224), softmax=True))
    (folder / "colours.json").write_text(json.dumps({"labels": ["red", "green", "blue"]}))
    (folder / "broken.onnx").write_bytes(models.colours())
    (folder / "broken.json").write_text(json.dumps({"top_k": "x"}))
    service = start(MODELS_DIR=str(folder))
    page = await open_page(service.url)
    await page.locator("#what").select_option("predict")
    await page.get_by_role("button", name="All predictors").click()
    dialog = page.get_by_role("dialog", name="Predictors")
    await expect(dialog).to_contain_text("broken.onnx: in broken.json: top_k")
    await expect(dialog).to_contain_text("224 × 160")
    told = (await Api(service).ask("predictors"))["predictors"]
    for one in told:
        if one.get("sha256"):
            await expect(dialog).to_contain_text(one["sha256"])
    await dialog.get_by_role("button", name="Use colours").click()
    await expect(page.locator(".predictor-about")).to_contain_text("says red, green, blue")
    await page.locator("#fit").select_option("pad")
    await name(page, "pictures.tsv")
    await look(page)

    assert (await ended(page)).startswith("Complete")
    shown = (
        await records(page)
        .first.locator("img")
        .evaluate(
            "async (image) => (await image.decode(), [image.naturalWidth, image.naturalHeight])"
        )
    )
    assert shown == [128, 91]
    rows = lines_of(service, filepath="pictures.tsv", predictor="colours", fit="pad")
    best = [
        max(row["prediction"]["scores"].items(), key=lambda one: one[1])[0]
        for row in rows
        if "prediction" in row
    ]
    bar = page.get_by_role("group", name="What is predicted")
    for label in set(best):
        await expect(bar.get_by_role("button", name=f"{label} {best.count(label)}")).to_be_visible()


async def test_whatever_a_class_says_is_shown(open_page: OpenPage, replayed: Replayed) -> None:
    """Values of any kind, colours that are none: text, and no style."""
    odd = {"dominant_colours": [{"colour": "url(http://127.0.0.1:9/x)", "share": 1}]}
    said = [0.5, "sharp", None, [1, 2], {"scores": {}}, {"same": True}, odd]
    rows = [
        {"index": at, "id": f"n{at}", "url": f"http://x/{at}", "position": at, "prediction": one}
        for at, one in enumerate(said)
    ]
    begin = {
        "type": "start",
        "schema": 1,
        "kind": "batch_predict",
        "job": None,
        "manifest": None,
        "options": {},
    }
    batch = {
        "type": "batch",
        "batch": 0,
        "batch_dimension": [len(said), 3, 8, 8],
        "predictor": "mine",
        "rows": rows,
        "pixels": "bm8gbnVtcHk=",
    }
    replayed.say(begin, batch, summary(len(said)), path="/api/v1/batch_predict")
    one = {
        "name": "mine",
        "version": None,
        "size": None,
        "layout": "NCHW",
        "labels": [],
        "sha256": None,
        "settings_sha256": None,
        "software": {},
        "ready": True,
    }
    replayed.tell({"predictors": [one], "default": "mine"}, path="/api/v1/predictors")
    page = await open_page(replayed.url)
    await write(page, "\n".join(f"http://x/{at}" for at in range(len(said))))
    await look(page, "predict")

    assert await ended(page) == "Complete: 100 % ok"
    await expect(records(page)).to_have_count(len(said))
    detail = page.locator("#detail")
    for at, one in enumerate(said):
        await row_of(page, f"n{at}").click()
        await expect(detail, str(one)).to_contain_text(f"n{at}")
        await expect(detail, str(one)).to_contain_text("The record")
        assert "null" not in await detail.locator("h2").all_inner_texts(), one
        await page.keyboard.press("Escape")
        await expect(detail).not_to_be_visible()
