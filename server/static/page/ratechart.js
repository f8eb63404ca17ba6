/** Rows a second over time, those that were ok and those that failed. */
import { colourOf } from "./colours.js";
import { make } from "./dom.js";
import { count, rate, span } from "./words.js";

const HEIGHT = 220;
/** Seconds between the lines of the axis. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

export class RateChart {
  element = make("div", { class: "rate-chart", role: "img" });
  #chart = null;
  #data = null;

  constructor() {
    addEventListener("theme", () => this.#again());
    new ResizeObserver(() => this.#fit()).observe(this.element);
  }

  /** @param {{step, ok: number[], failed: number[]}} series */
  draw({ step, ok, failed }) {
    const points = ok.length - 1; // the last is of no whole second
    const at = Array.from({ length: points }, (_, point) => point * step);
    this.#data = [at, ok.slice(0, points), failed.slice(0, points)];
    this.element.setAttribute("aria-label", told(this.#data, step));
    if (this.#chart) this.#chart.setData(this.#data);
    else this.#make();
  }

  #make() {
    const { uPlot } = globalThis;
    if (!uPlot || !this.element.clientWidth) return;
    const [soft, line] = [colourOf("--soft"), colourOf("--line")];
    const axis = (more) => ({
      stroke: soft,
      grid: { stroke: line, width: 1 },
      ticks: { stroke: line, width: 1, size: 4 },
      font: "12px system-ui, sans-serif",
      ...more,
    });
    const series = (label, token) => ({
      label,
      stroke: colourOf(token),
      width: 2,
      points: { show: this.#data[0].length < 40, size: 5 },
      value: (_, value) => (value === null || value === undefined ? "–" : `${rate(value)}/s`),
    });
    this.#chart = new uPlot(
      {
        width: this.element.clientWidth,
        height: HEIGHT,
        padding: [10, 14, 0, 0],
        cursor: { y: false },
        scales: { x: { time: false, range: (_, from, to) => [from, Math.max(to, from + 1)] }, y: { range: (_, __, most) => [0, Math.max(1, most * 1.05)] } },
        axes: [axis({ values: (_, values) => values.map(clock), space: 70, incrs: STEPS }), axis({ values: (_, values) => values.map((value) => (Number.isInteger(value) ? count(value) : value)), size: 56 })],
        series: [{ label: "after", value: (_, value) => (value === null || value === undefined ? "–" : span(value)) }, series("ok", "--accent"), series("failed", "--bad")],
      },
      this.#data,
      this.element,
    );
  }

  #again() {
    this.#chart?.destroy();
    this.#chart = null;
    if (this.#data) this.#make();
  }

  #fit() {
    const width = this.element.clientWidth;
    if (!width || !this.#data) return;
    if (this.#chart === null) this.#make();
    else if (this.#chart.width !== width) this.#chart.setSize({ width, height: HEIGHT });
  }
}

/** Seconds as they stand at an axis. */
function clock(seconds) {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${String(Math.round(seconds % 60)).padStart(2, "0")}`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60}`;
}

function told([at, ok, failed], step) {
  const all = ok.map((rows, point) => rows + failed[point]);
  const most = all.indexOf(Math.max(...all));
  const mean = all.reduce((sum, rows) => sum + rows, 0) / all.length;
  return `Rows a second in ${span(all.length * step)}: ${rate(mean)} on average, most ${rate(all[most])} after ${span(at[most])}; of failed rows most ${rate(Math.max(...failed))}.`;
}
