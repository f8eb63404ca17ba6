/** How formats, dimensions, bytes and times are distributed over all rows that are kept. */
import { MARK } from "./records.js";

const SIDES = [1, 64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192, Infinity];
/** One and three of each power of ten: a tenth more of anything is rarely another bucket. */
const BYTES = [0, 300, ...thirds(1e3, 1e8), Infinity];
// What repeats another row's URL took no time at all: it is not a fetch.
const TIMES = [0.001, 3, ...thirds(10, 1e4), 60_000, 300_000, Infinity];
const MOST_NAMES = 12;

/**
 * @returns {Object} `formats`, `modes`, `labels`, `flags`: {list: [{key, rows}], others}, most first, rows
 *   of what is not in the list in `others`; `side` (the longer one, pixels), `bytes` (of files), `ms`
 *   (of rows that were fetched): {rows, buckets: [{from, below, rows}], median, p95, most, sum};
 *   `shapes`; `animated`; `pixels` of all pictures; `flagged` and `failed` rows
 */
export function figuresOf(records) {
  const rows = records.length;
  const sides = new Float64Array(rows);
  const sizes = new Float64Array(rows);
  const times = new Float64Array(rows);
  const counts = { sides: 0, sizes: 0, times: 0 };
  const shapes = { landscape: 0, portrait: 0, square: 0 };
  const names = { formats: [], modes: [], labels: [] };
  const flags = new Array(records.flagNames.length).fill(0);
  let [animated, pixels, flagged, failed] = [0, 0, 0, 0];
  for (let row = 0; row < rows; row++) {
    const [width, height] = [records.width.at(row), records.height.at(row)];
    if (width && height) {
      sides[counts.sides++] = Math.max(width, height);
      pixels += width * height;
      shapes[width > height ? "landscape" : width < height ? "portrait" : "square"] += 1;
    }
    if (records.bytes.at(row) >= 0) sizes[counts.sizes++] = records.bytes.at(row);
    if (records.ms.at(row) >= TIMES[0]) times[counts.times++] = records.ms.at(row);
    if (records.marks.at(row) & MARK.animated) animated += 1;
    if (records.code.at(row) !== 0) failed += 1;
    more(names.formats, records.format.at(row));
    more(names.modes, records.mode.at(row));
    more(names.labels, records.label.at(row));
    const bits = records.flags.at(row);
    if (bits) flagged += 1;
    for (let flag = 0; flag < flags.length; flag++) flags[flag] += (bits >>> flag) & 1;
  }
  return {
    rows,
    failed,
    formats: ranked(names.formats, records.formats),
    modes: ranked(names.modes, records.modes),
    labels: ranked(names.labels, records.labels),
    flags: { list: flags.map((found, at) => ({ key: records.flagNames[at], rows: found })).sort((one, other) => other.rows - one.rows), others: 0 },
    flagged,
    side: told(sides.subarray(0, counts.sides), SIDES),
    bytes: told(sizes.subarray(0, counts.sizes), BYTES),
    ms: told(times.subarray(0, counts.times), TIMES),
    shapes,
    animated,
    pixels,
  };
}

function thirds(from, to) {
  const edges = [];
  for (let edge = from; edge <= to; edge *= 10) edges.push(edge, edge * 3);
  return edges;
}

function more(counts, number) {
  if (number) counts[number] = (counts[number] ?? 0) + 1;
}

function ranked(counts, names) {
  const all = [];
  counts.forEach((rows, number) => all.push({ key: names.text(number), rows })); // of numbers that were met
  all.sort((one, other) => other.rows - one.rows);
  return { list: all.slice(0, MOST_NAMES), others: all.slice(MOST_NAMES).reduce((sum, { rows }) => sum + rows, 0) };
}

/** What *values* are, in buckets and in words. They are sorted in place. */
function told(values, edges) {
  values.sort();
  const buckets = [];
  let at = 0;
  let sum = 0;
  for (const value of values) sum += value;
  for (let edge = 0; edge + 1 < edges.length; edge++) {
    const start = at;
    while (at < values.length && values[at] < edges[edge + 1]) at += 1;
    buckets.push({ from: edges[edge], below: edges[edge + 1], rows: at - start });
  }
  while (buckets.length && buckets.at(-1).rows === 0) buckets.pop();
  while (buckets.length && buckets[0].rows === 0) buckets.shift();
  // The nearest rank: a value that is there.
  const rank = (share) => (values.length ? values[Math.max(0, Math.ceil(values.length * share) - 1)] : null);
  return { rows: values.length, buckets, median: rank(0.5), p95: rank(0.95), most: rank(1), sum };
}
