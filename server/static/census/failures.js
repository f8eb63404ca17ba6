/** What went wrong, counted by error or by host, and the rows of it as a list for another run. */
import { MARK } from "./records.js";

const MOST_GROUPS = 60;
const MOST_PARTS = 60;
const EXAMPLES = 2;

/**
 * @param {{by: "code"|"host"}} how what groups are made by; their parts are by the other
 * @returns {{rows, failed, retryable, groups, moreGroups, placeholders}} groups with most rows first:
 *   {key, rows, retryable, parts, moreParts, statuses, examples}; a key of null is no host, examples are
 *   what *shown* makes of rows
 */
export function failuresOf(records, { by }, shown) {
  const [keys, names] = by === "host" ? [records.host, records.hosts] : [records.code, records.codes];
  const [inner, innerNames] = by === "host" ? [records.code, records.codes] : [records.host, records.hosts];
  const groups = new Map();
  const placeholders = new Map();
  let failed = 0;
  let retryable = 0;
  for (let row = 0; row < records.length; row++) {
    const marks = records.marks.at(row);
    if (marks & MARK.placeholder) more(placeholders, records.host.at(row));
    if (records.code.at(row) === 0) continue;
    const number = keys.at(row);
    let group = groups.get(number);
    if (group === undefined) {
      group = { number, rows: 0, retryable: 0, parts: new Map(), statuses: new Map(), examples: [] };
      groups.set(number, group);
    }
    const passes = marks & MARK.retryable ? 1 : 0;
    failed += 1;
    retryable += passes;
    group.rows += 1;
    group.retryable += passes;
    more(group.parts, inner.at(row));
    if (records.status.at(row)) more(group.statuses, records.status.at(row));
    if (group.examples.length < EXAMPLES) group.examples.push(row);
  }
  const sorted = [...groups.values()].sort((one, other) => other.rows - one.rows || one.number - other.number);
  const told = sorted.slice(0, MOST_GROUPS).map((group) => ({
    key: names.text(group.number),
    rows: group.rows,
    retryable: group.retryable,
    parts: ranked(group.parts, innerNames).slice(0, MOST_PARTS),
    moreParts: Math.max(0, group.parts.size - MOST_PARTS),
    statuses: [...group.statuses].map(([status, rows]) => ({ status, rows })).sort((one, other) => other.rows - one.rows),
    examples: group.examples.map(shown),
  }));
  return {
    rows: records.length,
    failed,
    retryable,
    groups: told,
    moreGroups: sorted.length - told.length,
    placeholders: ranked(placeholders, records.hosts).slice(0, MOST_PARTS),
  };
}

/**
 * The rows that failed as a TSV manifest, those that may pass only where *retryable* is true. Rows
 * without a URL cannot be asked for again: they are counted in `left`.
 *
 * @returns {{blob: Blob, rows: number, left: number}}
 */
export function failedList(records, { retryable }) {
  const lines = ["id\turl\n"];
  let left = 0;
  for (let row = 0; row < records.length; row++) {
    if (records.code.at(row) === 0) continue;
    if (retryable && (records.marks.at(row) & MARK.retryable) === 0) continue;
    if (records.urls[row].trim() === "") left += 1;
    else lines.push(`${plain(records.ids[row])}\t${encoded(records.urls[row])}\n`);
  }
  return { blob: new Blob(lines, { type: "text/tab-separated-values" }), rows: lines.length - 1, left };
}

/** TSV has no quotes: what would end a cell or a line, or is no text, becomes a space. */
const plain = (id) => id.replace(/[\t\n\r\0]/g, " ");

/** Of a URL such characters are written as `%09` and the like. */
const encoded = (url) => url.replace(/[\t\n\r\0]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);

const more = (counts, number) => counts.set(number, (counts.get(number) ?? 0) + 1);

function ranked(counts, names) {
  return [...counts]
    .sort((one, other) => other[1] - one[1] || one[0] - other[0])
    .map(([number, rows]) => ({ key: names.text(number), rows }));
}
