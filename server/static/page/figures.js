/** The view of what the pictures are like: how many of each kind, how large, how fast they came. */
import { drawBars } from "./bars.js";
import { make, say } from "./dom.js";
import { keep } from "./keyed.js";
import { Pace } from "./pace.js";
import { RateChart } from "./ratechart.js";
import { lasted } from "./statewords.js";
import { bytes, count, percent, some, span } from "./words.js";

const LEAST_MS = 1000;
const LEAST_SECONDS = 5; // of fewer, a chart of rows a second says nothing

/** A card with bars; `rows` of a figure are all that it counts. */
const CARDS = {
  formats: "Formats",
  side: "Longer side",
  bytes: "Bytes of the file",
  ms: "Time of a row",
  modes: "Colour modes",
  labels: "What predictions say first",
  flags: "Flags of predictions",
};

export class FiguresView {
  #client;
  #look;
  #shown = false;
  #version = -1;
  #chart = new RateChart();
  #cards = {};
  #pace = new Pace(() => this.#refresh(), LEAST_MS);

  constructor(root, client, look) {
    this.#client = client;
    this.#look = look;
    this.empty = make("p", { class: "empty" }, "Formats, dimensions, bytes and times will be drawn here. Drop a list above.");
    this.totals = make("dl", { class: "figures-totals" });
    const cards = Object.entries(CARDS).map(([name, title]) => {
      const [says, bars] = [make("p", { class: "soft figures-says" }), make("div", { class: "bars" })];
      const element = make("section", { class: "card figures-card", "data-figure": name, hidden: true }, make("h2", {}, title), says, bars);
      this.#cards[name] = { element, says, bars, title };
      return element;
    });
    this.body = make(
      "div",
      { class: "figures-view", hidden: true },
      make("section", { class: "card" }, make("h2", {}, "In all"), this.totals),
      cards,
      (this.rate = make("section", { class: "card figures-wide" }, make("h2", {}, "Rows a second"), this.#chart.element)),
    );
    root.append(this.empty, this.body);
    client.addEventListener("begin", () => this.#begin());
    client.addEventListener("state", () => this.#came());
  }

  show() {
    this.#shown = true;
    this.#came();
  }

  hide() {
    this.#shown = false;
    this.#pace.stop();
  }

  #begin() {
    this.#version = -1;
    this.body.hidden = true;
    this.empty.hidden = false;
    say(this.empty, "No row has come yet.");
  }

  #came() {
    const { state } = this.#client;
    if (!this.#shown || !state || state.version === this.#version) return;
    this.#version = state.version;
    this.#pace.soon();
  }

  async #refresh() {
    const { census } = this.#client.state ?? {};
    const found = await this.#client.ask("figures");
    const { state } = this.#client;
    if (!state || state.census !== census) return;
    this.empty.hidden = state.rows > 0;
    this.body.hidden = state.rows === 0;
    if (state.rows === 0) return say(this.empty, this.#client.busy ? "No row has come yet." : "No rows.");
    this.#total(totals(found, state));
    this.#names("formats", found.formats, (format) => ({ format }), formats(found));
    this.#names("modes", found.modes, (mode) => ({ mode }), "As the decoder names them.");
    this.#names("labels", found.labels, (label) => ({ label }), "The label with the highest score.");
    this.#names("flags", found.flags, (flag) => ({ flag }), `${some(found.flagged, "row")} with a flag.`);
    this.#buckets("side", found.side, pixels, sides(found));
    this.#buckets("bytes", found.bytes, bytes, spread(found.bytes, bytes));
    this.#buckets("ms", found.ms, time, `${spread(found.ms, time)} Of ${some(found.ms.rows, "row")} that were fetched, failed ones too.`);
    // What a job recorded is read back faster than it was made: when, nobody can tell here.
    this.rate.hidden = state.series.ok.length * state.series.step < LEAST_SECONDS || lasted(state) > state.seconds;
    if (!this.rate.hidden) this.#chart.draw(state.series);
  }

  /** @param {[string, string][]} pairs what, and how much of it in words */
  #total(pairs) {
    keep(this.totals, pairs, {
      keyOf: ([name]) => name,
      made: ([name]) => make("div", {}, make("dt", {}, name), make("dd", {})),
      drawn: (element, [, words]) => say(element.lastElementChild, words),
    });
  }

  #names(name, { list, others }, view, words) {
    const all = list.reduce((sum, { rows }) => sum + rows, 0) + others;
    const bars = list.map(({ key, rows }) => ({ key, words: key, rows, go: () => this.#look(view(key)) }));
    if (others) bars.push({ key: "\0others", words: "others", rows: others });
    this.#card(name, bars, name === "labels" || name === "flags" ? { all: this.#client.state.kept } : { all }, words);
  }

  #buckets(name, { rows: all, buckets }, unit, words) {
    const bars = buckets.map(({ from, below, rows }) => ({
      key: `${from}${rows ? "" : " none"}`, // one that leads nowhere is no button
      words: between(from, below, unit),
      rows,
      go: rows ? () => this.#look({ range: [name, from, below] }) : undefined,
    }));
    this.#card(name, bars, { all }, words);
  }

  #card(name, bars, { all }, words) {
    const { element, says, bars: list, title } = this.#cards[name];
    element.hidden = bars.length === 0;
    if (element.hidden) return;
    say(says, words);
    drawBars(list, bars, { all, label: title });
  }
}

const pixels = (number) => (Number.isFinite(number) ? `${count(number)} px` : "");

function time(ms) {
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms >= 1000 ? span(ms / 1000) : `${ms >= 10 ? count(ms) : Math.round(ms * 10) / 10} ms`;
}

function between(from, below, unit) {
  if (from < 2) return `under ${unit(below)}`;
  if (!Number.isFinite(below)) return `${unit(from)} and more`;
  const [low, high] = [unit(from), unit(below)];
  const same = low.split(" ").at(-1) === high.split(" ").at(-1);
  return `${same ? low.split(" ").slice(0, -1).join(" ") : low} – ${high}`;
}

/** The middle, the slow or large end, the last. */
function spread({ median, p95, most }, unit) {
  return `Half are up to ${unit(median)}, 95 % up to ${unit(p95)}, the most is ${unit(most)}.`;
}

function sides({ side, shapes }) {
  if (!side.rows) return "";
  const parts = Object.entries(shapes).filter(([, rows]) => rows).sort((one, other) => other[1] - one[1]);
  return `${spread(side, pixels)} ${parts.map(([shape, rows]) => `${percent(rows, side.rows).replace(" ", "\u00a0")} ${shape}`).join(", ")}, as stored.`;
}

function formats({ animated, formats: { list } }) {
  return `${some(list.length, "format")}${animated ? `, ${some(animated, "picture")} animated` : ""}.`;
}

function totals({ rows, failed, received, files, bytes: sizes, pixels: area, side }, state) {
  // While they come the last state is a moment older than the figures.
  const [all, bad] = state.notKept ? [state.rows, state.failed] : [rows, failed];
  const pairs = [["rows", `${count(all)}: ${count(all - bad)} ok, ${count(bad)} failed`]];
  if (rows < state.rows) pairs.push(["shown here", `the first ${count(rows)} rows, which are held`]);
  if (side.rows) pairs.push(["pictures", `${count(side.rows)}, of ${count(area / 1e6)} million pixels`]);
  if (sizes.rows) pairs.push(["their files", `${bytes(sizes.sum)} in ${some(sizes.rows, "file")} whose size is known`]);
  if (received) pairs.push(["received", bytes(received)]);
  const saved = files.bytes - files.received;
  if (saved > 0) pairs.push(["saved", `${bytes(saved)}, ${percent(saved, files.bytes)} of ${some(files.rows, "file")} of which only the beginning was asked for`]);
  return pairs;
}
