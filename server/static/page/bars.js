/** Counts side by side: words, a bar, how many, which part of all. A bar that leads somewhere is a button. */
import { make, say } from "./dom.js";
import { keep } from "./keyed.js";
import { count, percent } from "./words.js";

/**
 * Draw bars into *list*, and change those that are there.
 *
 * @param {{key, words, rows, go?: Function, tone?: string}[]} items `go` is called when it is pressed
 * @param {{all: number, most?: number, label: string}} how *all* is the whole that parts are told of,
 *   *most* what fills the width, without it the most of the items
 */
export function drawBars(list, items, { all, most, label }) {
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", label);
  const full = Math.max(1, most ?? Math.max(...items.map(({ rows }) => rows)));
  keep(list, items, {
    keyOf: ({ key }) => key,
    made: ({ go }) => {
      const parts = ["bars-words", "bars-track", "bars-rows", "bars-share"].map((name) => make("span", { class: name }));
      parts[1].append(make("i"));
      const inner = go ? make("button", { type: "button", onclick: () => inner.go() }, parts) : make("div", {}, parts);
      return make("div", { class: "bars-row", role: "listitem" }, inner);
    },
    drawn: (element, { words, rows, go, tone = "" }) => {
      const inner = element.firstElementChild;
      const [name, track, number, share] = inner.children;
      inner.go = go;
      say(name, words);
      name.title = words;
      say(number, count(rows));
      say(share, percent(rows, all));
      track.firstElementChild.className = tone;
      track.firstElementChild.style.width = `${(100 * rows) / full}%`;
    },
  });
}
