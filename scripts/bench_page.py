"""`bench page`: the page in Chromium, with a hundred thousand records.

A real census with thumbnails is recorded, its lines are varied to as many as are asked for, and
sent to the page as fast as it takes them, by a process of its own. Each turn has a browser of its
own, headless, without a graphics card.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import urllib.request
from collections import defaultdict
from pathlib import Path

import bench_machine
import bench_processes as processes
from bench_page_browser import Browser, opened
from bench_page_lines import write_stream
from bench_page_visits import visits
from bench_report import Spread

__all__ = ["measure"]

SERVER = Path(__file__).with_name("bench_page_server.py")
PATIENCE_MS = 1_800_000
#: In the page: waits, frame by frame, until something is drawn; milliseconds since *begin*.
UNTIL = """async (begin, done) => {
    const began = performance.now();
    await begin();
    while (!done()) await new Promise((resolve) => requestAnimationFrame(resolve));
    return performance.now() - began;
}"""
#: The id of the first record, as it is drawn.
FIRST = """() => [...document.querySelectorAll(".list-item:not([hidden])")]
    .find((one) => one.at === 0)?.querySelector(".name > span")"""
#: From the click to a record that is there to be seen.
CLICK = f"""() => ({UNTIL})(
    () => document.querySelector("#ask button.main").click(),
    {FIRST},
)"""
#: Chooses in a field of the bar; until the first record is drawn anew.
CHOOSE = f"""([label, value]) => {{
    const field = document.querySelector(`[aria-label="${{label}}"]`);
    const first = {FIRST};
    const before = first();
    return ({UNTIL})(
        () => {{
            field.value = value;
            field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input"));
        }},
        () => ![undefined, null, before].includes(first()),
    );
}}"""
#: Scrolls by so many pixels a frame, to the end or for so many frames.
SCROLL = """async ([pixels, frames]) => {
    const list = document.querySelector(".list");
    list.scrollTop = 0;
    const step = pixels ?? list.scrollHeight / frames;
    for (let frame = 0; frame < frames; frame++) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        list.scrollTop += step;
    }
}"""
FRAMES = 600
WHEEL_PIXELS = 120
#: What is chosen, one after the other: [words of the report, field, value].
CHOICES = [
    ("filter by outcome", "Outcome", "failed"),
    ("no filter", "Outcome", ""),
    ("sort by bytes", "Order", "bytes"),
    ("sort by URL", "Order", "url"),
    ("search (180 ms of it waits for the next key)", "Search ids and URLs", "99"),
]


def measure(options: argparse.Namespace) -> int:
    """Measure, print the table, write the JSON; 1 if a row was lost."""
    turns: list[dict[str, float]] = []
    facts = bench_machine.facts(options, ["playwright"])
    with tempfile.TemporaryDirectory(prefix="bench-page-") as folder:
        stream = write_stream(Path(folder), options.folder, options.rows)
        facts["MB of lines"] = round(stream.stat().st_size / 1e6)
        command = [sys.executable, str(SERVER), str(stream)]
        with processes.running(command, env=processes.environment()) as (_, url):
            for turn in range(options.runs):
                version, weight, figures = asyncio.run(_turn(url, options.rows))
                facts["chromium"] = version
                turns.append(figures)
                print(f"bench: turn {turn + 1} is over", file=sys.stderr, flush=True)
    print(", ".join(f"{name} {fact}" for name, fact in facts.items()), end="\n\n")
    print(_weights(weight), end="\n\n")
    print("median [least..most] of the turns; MB are 1,000,000 bytes\n")
    for name in turns[0]:
        spread = Spread.of([turn[name] for turn in turns])
        print(f"{name:60} {spread.told(0 if spread.most >= 100 else 1):>24}")
    lost = sum(int(turn["rows lost"]) for turn in turns)
    if options.json:
        told = {"machine": facts, "weight": weight, "turns": turns, "lost": lost}
        options.json.write_text(json.dumps(told, indent=1) + "\n")
    return 1 if lost else 0


Weight = dict[str, dict[str, int]]


async def _turn(url: str, rows: int) -> tuple[str, Weight, dict[str, float]]:
    """Everything once: the browser's version, what the page weighs, the figures."""
    seen = len(_served(url))
    async with opened(url) as browser:
        weight = _weight(_served(url)[seen:])
        figures = {f"{name}, before": told for name, told in (await browser.memory()).items()}
        figures |= await _streamed(browser, rows)
        figures |= await browser.memory()
        for words, label, value in CHOICES:
            figures[f"{words}, ms"] = await browser.page.evaluate(CHOOSE, [label, value])
        await browser.page.evaluate(CHOOSE, ["Search ids and URLs", ""])
        await browser.page.evaluate(CHOOSE, ["Order", "arrival"])
        for what, pixels in (("scrolling through all", None), ("by the wheel", WHEEL_PIXELS)):
            async with browser.working() as work:
                await browser.page.evaluate(SCROLL, [pixels, FRAMES])
            figures |= work[0].figures(what)
        figures |= {f"{name}, at the end": told for name, told in (await browser.memory()).items()}
        figures |= await visits(browser.chromium, url)
        return browser.chromium.version, weight, figures


async def _streamed(browser: Browser, rows: int) -> dict[str, float]:
    page = browser.page
    await page.locator("#list").fill("https://host.example/1.jpg")
    async with browser.working() as work:
        first = await page.evaluate(CLICK)
        await page.get_by_text("Complete").wait_for(timeout=PATIENCE_MS)
    shown = await page.locator("#count-rows").inner_text()
    return {
        "rows lost": rows - int(shown.replace(",", "")),
        "click to the first record, ms": first,
        "rows a second that the page takes": rows / work[0].seconds,
        **work[0].figures("while they come"),
    }


def _served(url: str) -> list[tuple[str, str, int, int]]:
    with urllib.request.urlopen(f"{url}/_served") as answer:  # noqa: S310 - our own server
        told: list[tuple[str, str, int, int]] = json.loads(answer.read())
        return told


def _weight(served: list[tuple[str, str, int, int]]) -> Weight:
    """Of one visit by who has nothing of it yet, by kind of file."""
    kinds: Weight = defaultdict(lambda: {"requests": 0, "sent": 0, "plain": 0})
    for _, kind, sent, plain in served:
        for name in (kind, "all"):
            kinds[name]["requests"] += 1
            kinds[name]["sent"] += sent
            kinds[name]["plain"] += plain
    return dict(sorted(kinds.items(), key=lambda item: item[1]["sent"]))


def _weights(weight: Weight) -> str:
    lines = [f"{'the page':20} {'requests':>8} {'kB sent':>9} {'kB plain':>9}"]
    for kind, told in weight.items():
        sizes = f"{told['sent'] / 1000:>9.1f} {told['plain'] / 1000:>9.1f}"
        lines.append(f"{kind:20} {told['requests']:>8} {sizes}")
    return "\n".join(lines)
