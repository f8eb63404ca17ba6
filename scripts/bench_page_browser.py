"""A Chromium that shows the page: what its threads do, and what it holds."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import psutil
from playwright.async_api import Browser as Chromium
from playwright.async_api import CDPSession, Page, async_playwright

__all__ = ["Browser", "Work", "opened"]

MB = 1e6
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
)
#: Counts frames and long tasks (over 50 ms) of the main thread from `begin` to `end`.
METER = """() => {
    const meter = (globalThis.meter = { on: false, frames: [], tasks: [] });
    new PerformanceObserver((list) => {
        if (meter.on) meter.tasks.push(...list.getEntries().map((task) => task.duration));
    }).observe({ type: "longtask" });
    let last = 0;
    const frame = (now) => {
        if (meter.on && last) meter.frames.push(now - last);
        last = now;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""
BEGIN = "() => Object.assign(meter, { on: true, frames: [], tasks: [] })"
END = "() => Object.assign(meter, { on: false })"


@dataclass(frozen=True, slots=True)
class Work:
    """What the main thread did for a while."""

    seconds: float
    frames: list[float]  #: milliseconds from one to the next
    tasks: list[float]  #: milliseconds of tasks over 50 ms
    script: float  #: seconds in scripts
    layout: float  #: seconds of style and layout
    busy: float  #: seconds in tasks of any kind

    def figures(self, what: str) -> dict[str, float]:
        """By names that begin with *what*."""
        frames = sorted(self.frames) or [0.0]
        return {
            f"{what}: frames a second": len(self.frames) / self.seconds,
            f"{what}: script, ms a frame": 1000 * self.script / len(frames),
            f"{what}: style and layout, ms a frame": 1000 * self.layout / len(frames),
            f"{what}: main thread busy, %": 100 * self.busy / self.seconds,
            f"{what}: 99 % of frames within, ms": frames[int(0.99 * (len(frames) - 1))],
            f"{what}: longest frame, ms": frames[-1],
            f"{what}: long tasks": len(self.tasks),
            f"{what}: longest task, ms": max(self.tasks, default=0.0),
        }


class Browser:
    """One page in one browser."""

    def __init__(self, chromium: Chromium, page: Page, session: CDPSession) -> None:
        self.chromium = chromium
        self.page = page
        self._session = session
        self._numbers = count(1)
        self._worker: str | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        session.on("Target.attachedToTarget", self._attached)
        session.on("Target.receivedMessageFromTarget", self._received)

    async def prepare(self) -> None:
        """Begin to look; the page is loaded."""
        attach = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False}
        await self._session.send("Target.setAutoAttach", attach)
        await self._session.send("Performance.enable")
        await self.page.evaluate(METER)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[list[Work]]:
        """What is done within; the list has it afterwards."""
        found: list[Work] = []
        before = await self._metrics()
        await self.page.evaluate(BEGIN)
        yield found
        told = await self.page.evaluate(END)
        after = await self._metrics()
        spent = {name: after[name] - before[name] for name in after}
        found.append(
            Work(
                spent["Timestamp"],
                told["frames"],
                told["tasks"],
                spent["ScriptDuration"],
                spent["LayoutDuration"] + spent["RecalcStyleDuration"],
                spent["TaskDuration"],
            )
        )

    async def memory(self) -> dict[str, float]:
        """MB held, after all rubbish was taken away."""
        await self._session.send("HeapProfiler.collectGarbage")
        await self._of_worker("HeapProfiler.collectGarbage")
        page = await self._session.send("Runtime.getHeapUsage")
        worker = await self._of_worker("Runtime.getHeapUsage")
        rss, pss = _renderer()
        return {
            "heap of the page, MB": page["usedSize"] / MB,
            "heap of the worker, MB": worker["usedSize"] / MB,
            "buffers of the worker, MB": worker.get("backingStorageSize", 0) / MB,
            "renderer process, RSS MB": rss / MB,
            "renderer process, PSS MB": pss / MB,
        }

    async def _metrics(self) -> dict[str, float]:
        told = await self._session.send("Performance.getMetrics")
        return {one["name"]: one["value"] for one in told["metrics"]}

    async def _of_worker(self, method: str) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = json.dumps({"id": number, "method": method})
        to = {"sessionId": self._worker, "message": message}
        await self._session.send("Target.sendMessageToTarget", to)
        return await answer

    def _attached(self, told: dict[str, Any]) -> None:
        if told["targetInfo"]["type"] == "worker":
            self._worker = told["sessionId"]

    def _received(self, told: dict[str, Any]) -> None:
        message = json.loads(told["message"])
        if (waiting := self._answers.pop(message.get("id"), None)) is not None:
            waiting.set_result(message.get("result", {}))


def _renderer() -> tuple[int, int]:
    """Resident and proportional bytes of the largest renderer that this process has started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "--type=renderer" in " ".join(process.cmdline()):
                memory = process.memory_full_info()
                found.append((memory.rss, memory.pss))
        except psutil.NoSuchProcess:
            continue
    return max(found)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Browser]:
    """A browser of its own that shows *url*, 1,280 by 800 pixels."""
    names = (os.environ.get("CHROMIUM_BIN"), *NAMES)
    program = next((found for name in names if name and (found := shutil.which(name))), None)
    if program is None:
        raise SystemExit("bench: there is no Chromium; Debian's package is `chromium`")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        page = await chromium.new_page(viewport={"width": 1280, "height": 800})
        session = await page.context.new_cdp_session(page)
        browser = Browser(chromium, page, session)
        await page.goto(url, wait_until="networkidle")
        await browser.prepare()
        yield browser
        await chromium.close()
