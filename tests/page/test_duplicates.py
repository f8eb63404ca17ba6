"""Pictures that look the same: groups as a slow and simple comparison makes them."""

from __future__ import annotations

import json
import random
from itertools import pairwise, product
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.acting import ended, look, name, write
from tests.page.conftest import OpenPage
from tests.page.replaying import Replayed, image, start, summary
from tests.page.services import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: What the worker makes of hashes, asked of its modules themselves.
COMPARE = """async ([hashes, bits]) => {
  const { Records } = await import("/static/census/records.js");
  const { compare, rowsOfGroup } = await import("/static/census/duplicates.js");
  const records = new Records();
  for (const [index, phash] of JSON.parse(hashes)) {
    records.add({ index, image_info: { phash } }, new Uint8Array(2));
  }
  const found = await compare(records, { bits, repeats: false });
  return JSON.stringify(Array.from({ length: found.groups.all }, (_, at) =>
    rowsOfGroup(records, { ...found, kind: "all", at }).map((row) => records.index.at(row))));
}"""
#: Compares, and compares anew: tells how many groups of the one before there are meanwhile, how
#: many rows the first of them has; and whether there is any of it afterwards.
AGAIN = """async () => {
  const { Records } = await import("/static/census/records.js");
  const { compare, groupsOf, rowsOfGroup } = await import("/static/census/duplicates.js");
  const records = new Records();
  for (const [index, phash] of ["0".repeat(16), "0".repeat(16), "f".repeat(16)].entries()) {
    records.add({ index, image_info: { phash } }, new Uint8Array(2));
  }
  const how = { bits: 6, repeats: false };
  const { comparison } = await compare(records, how);
  const asked = { comparison, kind: "all", at: 0, from: 0, to: 60 };
  const looked = () => [
    groupsOf(records, asked, (row) => ({ row }))?.total ?? null,
    rowsOfGroup(records, asked)?.length ?? null,
  ];
  // After each hash it stops, as if it took long, and lets questions be answered between.
  const { now } = performance;
  let time = 0;
  performance.now = () => (time += 1000);
  const running = compare(records, { ...how, bits: 12 });
  const meanwhile = looked();
  await running;
  performance.now = now;
  return [meanwhile, looked()];
}"""
#: How far a comparison is, in a worker: at its end, and once another census is begun.
FORGOTTEN = """async () => {
  const page = document.querySelector("script[type=module]").src;
  const { Client } = await import(new URL("client.js", page));
  const client = new Client();
  const over = () => new Promise((resolve) => client.addEventListener("state", function told() {
    if (client.state.state !== "ended") return;
    client.removeEventListener("state", told);
    resolve();
  }));
  const request = { path: "/api/v1/images_info", method: "POST", headers: {}, body: "x" };
  const told = [];
  client.begin(request);
  await over();
  await client.ask("duplicates", { bits: 6, repeats: false });
  told.push(await client.ask("duplicatesDone"));
  client.begin(request);
  told.push(await client.ask("duplicatesDone"));
  return told;
}"""


async def compared(page: Page, hashes: list[tuple[int, int]], bits: int) -> list[list[int]]:
    """The groups that the page makes of these, in which rows come in this order."""
    sent = json.dumps([(index, f"{one:016x}") for index, one in hashes])
    found: list[list[int]] = json.loads(await page.evaluate(COMPARE, [sent, bits]))
    return found


def slowly(hashes: list[tuple[int, int]], bits: int) -> list[list[int]]:
    """Groups by comparing all with all: the first, and what is near it and in no group before."""
    left = sorted(hashes)
    firsts = {one: index for index, one in reversed(left)}  # rows of one hash stand together
    groups = []
    while left:
        (first, centre), *others = left
        near = [((one ^ centre).bit_count(), firsts[one], index) for index, one in others]
        members = sorted(member for member in near if member[0] <= bits)
        if members:
            groups.append([first, *(index for _, _, index in members)])
        taken = {index for _, _, index in members}
        left = [one for one in others if one[0] not in taken]
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def near(chance: random.Random, centre: int, most: int) -> int:
    """A hash that differs by so many bits at most."""
    for bit in chance.sample(range(64), chance.randint(0, most)):
        centre ^= 1 << bit
    return centre


def clustered(seed: int) -> list[tuple[int, int]]:
    """Around centres, some so near that chains would join them; many are the same."""
    chance = random.Random(seed)
    centres = [chance.getrandbits(64) for _ in range(12)]
    centres += [near(chance, centre, 10) for centre in centres]
    found = [near(chance, chance.choice(centres), 9) for _ in range(500)]
    found += [chance.getrandbits(64) for _ in range(100)] + [0] * 40
    return list(enumerate(chance.sample(found, len(found))))


def alike(seed: int) -> list[tuple[int, int]]:
    """Hashes that are the same in a part, and differ in the others."""
    chance = random.Random(seed)
    return [(index, chance.getrandbits(10) | 0xABCD << 48) for index in range(400)]


async def test_groups_are_those_of_comparing_all(open_page: OpenPage, replayed: Replayed) -> None:
    """Whatever the tables leave out is no neighbour; the order of coming does not matter.

    At the distances where a part of the hash has to be looked at more widely, and between.
    """
    page = await open_page(replayed.url)
    for made, bits in product((clustered, alike), (0, 3, 4, 7, 10, 12)):
        hashes = made(bits)
        sent = random.Random(7).sample(hashes, len(hashes))

        found = await compared(page, sent, bits)

        case = f"{made.__name__} within {bits} bits"
        assert found == slowly(hashes, bits), case
        assert bits == 0 or found, case


async def test_a_chain_is_not_one_group_and_a_flood_is(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Each is near the next, and the last is as far from the first as can be."""
    hashes = [(step, (1 << (4 * step)) - 1) for step in range(17)]
    assert all((one ^ other).bit_count() == 4 for (_, one), (_, other) in pairwise(hashes))
    page = await open_page(replayed.url)

    found = await compared(page, hashes, 6)

    assert found == [[at, at + 1] for at in range(0, 16, 2)]

    # Of one hash there is one: compared with each other these would take an hour.
    chance = random.Random(1)
    flood = [0xFF] * 50_000 + [chance.getrandbits(64) for _ in range(10_000)]
    chance.shuffle(flood)

    found = await compared(page, list(enumerate(flood)), 4)

    assert found == [[index for index, one in enumerate(flood) if one == 0xFF]]


async def test_groups_that_are_read_stay_while_others_are_made(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """They are whole until the new ones are; then their places lead nowhere, not elsewhere."""
    page = await open_page(replayed.url)

    assert await page.evaluate(AGAIN) == [[1, 2], [None, None]]


async def test_another_census_holds_no_groups_of_the_one_before(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Nor its records, which may be hundreds of megabytes."""
    replayed.say(start(depth="full"), *lines(), summary(9))
    page = await open_page(replayed.url)

    assert await page.evaluate(FORGOTTEN) == [1, 0]


def picture(index: int, phash: int | None, sha256: str, **fetch: Any) -> dict[str, Any]:
    """A line of full depth."""
    line = image(index)
    line["image_info"] |= {
        "sha256": sha256 * 64,
        "phash": None if phash is None else f"{phash:016x}",
    }
    line["fetch"] |= fetch
    return line


def lines() -> list[dict[str, Any]]:
    """Two files of one hash, one a bit away, one ten bits away, one repeated URL, two the same."""
    return [
        picture(0, 0b0, "a"),
        picture(1, 0b0, "a"),
        picture(2, 0b0, "b"),
        picture(3, 0b1, "c"),
        picture(4, 0b11_1111_1111, "d"),
        picture(5, 0b0, "a", same_as=0, requests=0, bytes=0),
        picture(6, 0xFFFF_FFFF_0000_0000, "e"),
        picture(7, 0xFFFF_FFFF_0000_0000, "e"),
        picture(8, None, "f"),
    ]


async def opened(
    open_page: OpenPage, replayed: Replayed, *told: dict[str, Any], depth: str
) -> Page:
    """The near-duplicates of these lines."""
    replayed.say(start(depth=depth), *told, summary(len(told)))
    page = await open_page(replayed.url)
    await write(page, "http://pictures.invalid/1.jpg")
    await look(page)
    await ended(page)
    await page.get_by_role("tab", name="Near-duplicates").click()
    return page


async def test_groups_are_shown_side_by_side(open_page: OpenPage, replayed: Replayed) -> None:
    """Same files and similar ones are told apart, and repeats of a URL count when they are to."""
    page = await opened(open_page, replayed, *lines(), depth="full")
    groups = page.locator(".list-item:not([hidden]) .twins")
    told = page.locator(".duplicates .count")

    await expect(told).to_have_text("2 groups of 6 pictures, of 7")
    await expect(groups.locator("strong")).to_have_text(["4 pictures", "2 pictures"])
    await expect(groups.nth(0)).to_contain_text("3 different files, up to 1 bit from the first")
    await expect(groups.nth(0).locator(".tag")).to_have_text(
        ["first", "same file", "same hash", "1 bit"]
    )
    await expect(groups.nth(1)).to_contain_text("the same file twice")

    await page.get_by_label("rows of the same URL too").check()
    await expect(told).to_have_text("2 groups of 7 pictures, of 8")
    await page.get_by_label("rows of the same URL too").uncheck()
    await page.get_by_label("Which groups").select_option("similar")
    await expect(groups.locator("strong")).to_have_text(["4 pictures"])

    # The distance is chosen, by the keyboard: no more than twelve bits.
    await page.get_by_label("Which groups").select_option("all")
    slider = page.get_by_role("slider")
    await expect(told).to_have_text("2 groups of 6 pictures, of 7")

    await slider.press("End")
    await expect(slider).to_have_attribute("aria-valuetext", "12 of 64 bits")
    await expect(told).to_have_text("2 groups of 7 pictures, of 7")
    await slider.press("Home")
    await expect(told).to_have_text("2 groups of 5 pictures, of 7")


async def test_a_group_leads_to_its_records(open_page: OpenPage, replayed: Replayed) -> None:
    """In the list of pictures; one of them is shown whole."""
    page = await opened(open_page, replayed, *lines(), depth="full")

    await page.locator(".twin").nth(3).click()
    await expect(page.locator("#detail")).to_contain_text("0000000000000001")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Show these 4 in Pictures").click()

    await expect(page.locator("#view-pictures .count")).to_have_text("4 of 9")


async def test_the_records_of_a_group_are_filtered_as_others(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """By what is searched, by an outcome, and in any order."""
    page = await opened(open_page, replayed, *lines(), depth="full")
    await page.get_by_role("button", name="Show these 4 in Pictures").click()
    found = page.locator("#view-pictures .count")
    await expect(found).to_have_text("4 of 9")

    await page.get_by_role("searchbox").fill("/2.jpg")
    await expect(found).to_have_text("1 of 9")
    await page.get_by_role("searchbox").fill("")
    await expect(found).to_have_text("4 of 9")
    await page.get_by_label("Outcome").select_option("failed")
    await expect(found).to_have_text("0 of 9")


async def test_that_there_is_no_group_is_said_as_it_was_found(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """Crops look alike to the eye: what is said is how hashes differ."""
    apart = [picture(row, 0xFFFF << 16 * row, f"{row}") for row in range(3)]
    page = await opened(open_page, replayed, *apart, depth="full")
    told = page.locator(".duplicates .count")

    await expect(told).to_have_text("No two of 3 pictures differ by 6 bits or less")
    await expect(page.locator(".duplicates-explained")).to_contain_text(
        "Crops, turned and framed pictures"
    )
    await page.get_by_role("slider").press("Home")
    await expect(told).to_have_text("No two of 3 pictures have the same hash")


async def test_without_hashes_it_is_said_how_to_get_them(
    open_page: OpenPage, replayed: Replayed
) -> None:
    """The first bytes of a picture have none."""
    page = await opened(open_page, replayed, image(0), image(1), depth="header")

    await expect(page.locator("#view-duplicates .empty")).to_contain_text("all facts")
    await expect(page.locator(".duplicates")).to_be_hidden()


async def test_pictures_of_the_service(page: Page, service: Service) -> None:
    """Real pictures, hashed by it: all that are alike have a thumbnail."""
    await name(page, "pictures.tsv")
    await look(page, "thumbnails")
    await ended(page)
    await page.get_by_role("tab", name="Near-duplicates").click()

    await expect(page.locator(".duplicates .count, #view-duplicates .empty").first).to_be_attached()
    await expect(page.locator(".duplicates .count")).to_contain_text("of 120")
