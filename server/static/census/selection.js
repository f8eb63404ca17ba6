/**
 * Which rows are looked at, in which order. Rows that come are looked at as they come; a new question
 * looks through all of them again.
 */
import { Column } from "./grown.js";
import { MARK } from "./records.js";

/** A sorted selection that grows is sorted anew so often, no more. */
const SORT_MS = 700;

/**
 * @typedef {Object} View what is asked for; what is missing does not narrow it
 * @property {string} [text] in the id or the URL, in any case
 * @property {"ok"|"failed"} [state]
 * @property {string} [code] an error code
 * @property {number} [status] of HTTP, with `code: "http_status"`
 * @property {string|null} [host]
 * @property {string} [format]
 * @property {string} [mode] of colours
 * @property {string} [change]
 * @property {string} [flag] of a prediction
 * @property {string} [label] of a prediction
 * @property {string} [mark] a name of `MARK`
 * @property {[string, number, number]} [range] a column (`bytes`, `ms`, `side`), from, below
 * @property {number[]} [rows] of these rows only, in this order
 * @property {string} [sort] `arrival` (as it is without), `index`, `id`, `url`, `format`, `pixels`, `bytes`, `ms`, `code`
 * @property {boolean} [descending]
 */

export class Selection {
  #records;
  #seen = 0;
  #found = new Column(Uint32Array);
  #sorted = null; // the rows found, in order
  #sortedAt = 0;
  #matches;
  view;

  /** @param {View} view */
  constructor(records, view = {}) {
    this.#records = records;
    this.view = view;
    this.#matches = predicate(records, view);
  }

  get length() {
    this.#look();
    return this.#found.length;
  }

  /** Rows at the places *from* until before *to*. */
  slice(from, to) {
    this.#look();
    return Array.from(this.#order().subarray(from, to));
  }

  /** All rows, in order: not a copy. */
  all() {
    this.#look();
    return this.#order();
  }

  #look() {
    const { rows } = this.view;
    const end = rows ? rows.length : this.#records.length;
    for (; this.#seen < end; this.#seen++) {
      const row = rows ? rows[this.#seen] : this.#seen;
      if (this.#matches(row)) this.#found.push(row);
    }
  }

  #order() {
    const by = this.view.sort ?? "arrival";
    if (by === "arrival" && !this.view.descending) return this.#found.values;
    const stale = this.#sorted?.length !== this.#found.length;
    if (stale && (this.#sorted === null || performance.now() - this.#sortedAt > SORT_MS)) {
      this.#sorted = sorted(this.#records, this.#found.values, by, this.view.descending);
      this.#sortedAt = performance.now();
    }
    return this.#sorted;
  }
}

function predicate(records, view) {
  const tests = [];
  const none = () => false;
  const named = (names, column, text) => {
    // A text nobody has said yet may still come.
    let number;
    tests.push((row) => (number ??= names.find(text)) !== undefined && column.at(row) === number);
  };
  if (view.state === "ok") tests.push((row) => records.code.at(row) === 0);
  if (view.state === "failed") tests.push((row) => records.code.at(row) !== 0);
  if (view.code) named(records.codes, records.code, view.code);
  if (view.status) tests.push((row) => records.status.at(row) === view.status);
  if (view.host !== undefined) named(records.hosts, records.host, view.host);
  if (view.format) named(records.formats, records.format, view.format);
  if (view.mode) named(records.modes, records.mode, view.mode);
  if (view.change) named(records.changes, records.change, view.change);
  if (view.label) named(records.labels, records.label, view.label);
  if (view.mark) tests.push(MARK[view.mark] ? (row) => (records.marks.at(row) & MARK[view.mark]) !== 0 : none);
  if (view.flag) {
    tests.push((row) => {
      const at = records.flagNames.indexOf(view.flag);
      return at >= 0 && ((records.flags.at(row) >>> at) & 1) === 1;
    });
  }
  if (view.range) {
    const [name, from, below] = view.range;
    const value =
      name === "side"
        ? (row) => Math.max(records.width.at(row), records.height.at(row)) || -1
        : (row) => records[name].at(row);
    tests.push((row) => value(row) >= from && value(row) < below);
  }
  if (view.text) {
    const wanted = view.text.toLowerCase();
    tests.push(
      (row) =>
        records.urls[row].toLowerCase().includes(wanted) || records.ids[row].toLowerCase().includes(wanted),
    );
  }
  if (tests.length === 1) return tests[0];
  return (row) => tests.every((test) => test(row));
}

const KEYS = {
  arrival: () => (row) => row,
  index: (records) => (row) => records.index.at(row),
  pixels: (records) => (row) => records.width.at(row) * records.height.at(row),
  bytes: (records) => (row) => records.bytes.at(row),
  ms: (records) => (row) => records.ms.at(row),
};
const TEXTS = {
  id: (records) => (row) => records.ids[row],
  url: (records) => (row) => records.urls[row],
  format: (records) => (row) => records.formats.text(records.format.at(row)) ?? "",
  code: (records) => (row) => records.codes.text(records.code.at(row)) ?? "",
};

function sorted(records, rows, by, descending) {
  const sign = descending ? -1 : 1;
  const order = Uint32Array.from(rows);
  if (by in TEXTS) {
    const text = TEXTS[by](records);
    return order.sort((one, other) => {
      const [a, b] = [text(one), text(other)];
      return a < b ? -sign : a > b ? sign : one - other;
    });
  }
  const number = (KEYS[by] ?? KEYS.arrival)(records);
  return order.sort((one, other) => sign * (number(one) - number(other)) || one - other);
}
