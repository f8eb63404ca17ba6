/** A record as a row of the list, or as a tile of the wall. */
import { make } from "./dom.js";
import { numbersOf, swatches } from "./predicted.js";
import { pictureOf, tagsOf } from "./record.js";
import { bytes, count } from "./words.js";

/** Of the list: [words, what is sorted by, class]. */
const COLUMNS = [
  ["picture", null, ""],
  ["row", "index", "number"],
  ["id and URL", "url", ""],
  ["format", "format", ""],
  ["pixels", "pixels", "number"],
  ["bytes", "bytes", "number"],
  ["ms", "ms", "number"],
  ["result", "code", ""],
];

/**
 * The head of the list.
 *
 * @param {Object} view how it is sorted now
 * @param {Function} sort called with a name of the order
 */
export function listHead(view, sort) {
  return make(
    "div",
    { class: "head-row", role: "row" },
    COLUMNS.map(([words, by, kind]) =>
      make(
        "div",
        { role: "columnheader", class: kind, "data-sort": by ?? undefined, "aria-sort": sortedBy(view, by) },
        by === null && make("span", { class: "unseen" }, words),
        by && make("button", { type: "button", onclick: () => sort(by) }, words),
      ),
    ),
  );
}

/** How a view is sorted by a column, undefined where it is not. */
export function sortedBy(view, by) {
  if (by === null || by !== view.sort) return undefined;
  return view.descending ? "descending" : "ascending";
}

/** Fill an element with a record, or with nothing while it is asked for. */
export function drawRecord(element, item) {
  if (item === undefined) {
    element.replaceChildren(make("div", { class: "record" }, thumb(null)));
    return;
  }
  const { record } = item;
  const info = record.image_info;
  const pixels = info?.image_dimension ? info.image_dimension.join(" × ") : "";
  const size = info && info.image_size !== null ? bytes(info.image_size) : "";
  const tags = () => tagsOf(record).map(([words, tone]) => make("span", { class: `tag ${tone}` }, words));
  const cell = (kind, ...children) => make("div", { class: kind, role: "gridcell" }, ...children);
  element.replaceChildren(
    make(
      "div",
      { class: "record", role: "presentation" },
      cell("", thumb(pictureOf(item), record.error ? "✕" : (info?.image_format ?? ""), record.error)),
      cell("number soft column", count(record.index)),
      cell(
        "name",
        make("span", {}, record.id),
        make("span", { class: "url", title: record.url ?? "" }, record.url ?? ""),
        make("span", { class: "small-facts" }, record.error ? tags() : [`${info?.image_format ?? ""}`, pixels, size, ...tags(), swatches(record.prediction)].filter(Boolean).map((part) => (typeof part === "string" ? make("span", {}, part) : part))),
      ),
      cell("column", info?.image_format ?? ""),
      cell("number column", pixels),
      cell("number column", size),
      cell("number soft column", record.fetch ? count(record.fetch.ms) : ""),
      cell("says column", tags(), record.error && make("span", { class: "soft", title: record.error.message }, record.error.message), swatches(record.prediction), make("span", { class: "soft" }, numbersOf(record.prediction).join(" · "))),
    ),
  );
}

export function drawTiles(element, items) {
  element.replaceChildren(
    ...(items ?? []).map((item) =>
      make(
        "div",
        { class: `tile${item.record.error ? " failed" : ""}`, role: "gridcell", title: `${item.record.id} ${item.record.url ?? ""}` },
        thumb(pictureOf(item), item.record.error ? item.record.error.code : (item.record.image_info?.image_format ?? ""), item.record.error),
        item.record.prediction && swatches(item.record.prediction),
        item.record.prediction && make("div", { class: "over" }, tagsOf(item.record).map(([words]) => make("span", { class: "tag" }, words))),
        make("div", { class: "under" }, item.record.prediction ? item.record.id : [item.record.id, ...tagsOf(item.record).map(([words]) => words)].join(" · ")),
      ),
    ),
  );
}

function thumb(source, words = "", failed = false) {
  if (source === null) return make("div", { class: `thumb none${failed ? " failed" : ""}`, "aria-hidden": "true" }, words);
  return make("img", { class: "thumb", src: source, alt: "", decoding: "async" });
}
