/** The strip of numbers: how far a census is, how it goes, and how it ended. */
import { colourOf } from "./colours.js";
import { byId, say } from "./dom.js";
import { download, nameOf } from "./download.js";
import { askForKey } from "./key.js";
import { Standstill } from "./standstill.js";
import { dotOf, lasted, leftWords, problemWords, stateWords } from "./statewords.js";
import { bytes, count, rate, some, span } from "./words.js";

export class Progress {
  #client;
  #chart = null;
  #drawn = 0;
  #still = new Standstill();

  /** @param {Function} again called where a key was given, and the same may be asked once more */
  constructor(client, again) {
    this.#client = client;
    this.again = again;
    client.addEventListener("begin", () => {
      byId("tally").hidden = false;
      this.#asks();
      if (client.broken) this.#broken();
    });
    client.addEventListener("broken", () => this.#broken());
    client.addEventListener("state", ({ detail }) => this.#show(detail));
    byId("tally-stop").onclick = () => client.stop();
    byId("tally-save").onclick = () => this.#save();
    addEventListener("theme", () => this.#forget());
  }

  /** What stands there is of the census before: the worker may be busy yet. */
  #asks() {
    byId("tally-dot").dataset.state = "asking";
    say(byId("tally-state"), stateWords({ state: "asking" }));
    say(byId("tally-left"), "");
    byId("tally-stop").hidden = false;
    byId("tally-problem").hidden = true;
  }

  #show(state) {
    const set = (id, words) => say(byId(id), words);
    byId("tally-dot").dataset.state = dotOf(state);
    this.#still.look(state, () => this.#client.state && this.#show(this.#client.state));
    set("tally-state", stateWords(state));
    set("tally-left", this.#still.words ? "" : leftWords(state));
    set("count-rows", count(state.rows));
    set("count-ok", count(state.ok));
    set("count-failed", count(state.failed));
    // Lines of batches do not tell how they were fetched; the last line does.
    const told = state.start?.kind === "batch_predict" ? (state.summary?.bytes ?? null) : state.received;
    set("count-received", bytes(told));
    set("count-rate", rate(this.#client.busy ? state.rate : state.rows / Math.max(lasted(state), 0.001)));
    set("count-time", span(lasted(state)));
    byId("tally-stop").hidden = !this.#client.busy;
    byId("tally-save").hidden = state.kept === 0;
    const progress = byId("tally-progress");
    progress.hidden = state.expected === null || !this.#client.busy;
    if (!progress.hidden) progress.value = Math.min(1, state.rows / Math.max(1, state.expected));
    this.#problem(state);
    const now = performance.now();
    if (now - this.#drawn > 500 || !this.#client.busy) {
      this.#drawn = now;
      this.#draw(state.series);
    }
  }

  /** The worker is lost: nothing more comes. */
  #broken() {
    byId("tally").hidden = false;
    byId("tally-dot").dataset.state = "refused";
    say(byId("tally-state"), "This page is not whole");
    say(byId("tally-problem"), "A part of it could not be loaded, or failed. Load the page again.");
    byId("tally-problem").hidden = false;
    byId("tally-stop").hidden = true;
  }

  #problem(state) {
    const box = byId("tally-problem");
    let words = problemWords(state) || this.#still.words;
    if (!words && state.notKept) {
      // While they come they are not counted here: this is read out whenever it is another.
      const others = this.#client.busy ? "those behind them are" : some(state.notKept, "more row");
      words = `The first ${count(state.kept)} rows are held here; ${others} only counted. Hand such a list in as a job and load its results.`;
    }
    say(box, words);
    box.hidden = words === "";
    if (state.state === "refused" && state.problem.status === 401 && this.#asked !== state.census) {
      this.#asked = state.census;
      askForKey().then((given) => given && this.again());
    }
  }

  #asked = null;

  #draw(series) {
    const box = byId("tally-chart");
    if (!box.offsetParent || !globalThis.uPlot) return;
    const at = series.ok.map((_, point) => point * series.step);
    const data = [at, series.ok.map((ok, point) => ok + series.failed[point]), series.failed];
    if (this.#chart) return this.#chart.setData(data);
    const bars = (name) => ({ stroke: colourOf(name), fill: colourOf(name), width: 0, points: { show: false }, paths: globalThis.uPlot.paths.stepped({ align: 1 }) });
    this.#chart = new globalThis.uPlot(
      {
        width: box.clientWidth,
        height: box.clientHeight,
        padding: [2, 0, 0, 0],
        cursor: { show: false },
        legend: { show: false },
        scales: { x: { time: false }, y: { range: (_, __, most) => [0, Math.max(1, most)] } },
        axes: [{ show: false }, { show: false }],
        series: [{}, bars("--accent"), bars("--bad")],
      },
      data,
      box,
    );
  }

  #forget() {
    this.#chart?.destroy();
    this.#chart = null;
    if (this.#client.state) this.#draw(this.#client.state.series);
  }

  async #save() {
    const blob = await this.#client.ask("save");
    download(blob, `${nameOf(this.#client.state)}.ndjson`);
  }
}
