/**
 * Groups of pictures that look the same: their perceptual hashes differ by few bits.
 *
 * A group is a star: the picture that stands first in the manifest, and all that differ from it by
 * so many bits at most and are in no group before. Nothing is chained: where A is near B and B near
 * C, C is in the group of A only if it is near A itself, so that a group never drifts from what its
 * first picture shows, whatever lies between. It does not depend on the order in which records came.
 *
 * Rows of one hash are one hash here: fifty thousand times the same placeholder cost as much as one.
 */
import { Near } from "./hamming.js";
import { MARK } from "./records.js";

const SLICE_MS = 25; // other questions are answered between
const MOST_SHOWN = 16; // pictures of a group

let held = null; // the comparison that was finished last: somebody reads its groups
let making = null; // the one that is being made. There is one at a time.
let number = 0; // of comparisons

/**
 * Compare all that have a hash.
 *
 * @param {{bits: number, repeats: boolean}} how at most so many bits; with rows that repeat a URL
 * @returns {Promise<{comparison, hashed, compared, kept, groups, rows, seconds}|null>} null: another was
 *   asked for, or another census. `comparison` is what its groups are asked for by; `hashed` rows have a
 *   hash, `compared` of them are no repeats; of `kept` records; `groups` by kind: `all`, `same` (a file
 *   is in it twice), `similar` (of different files).
 */
export async function compare(records, { bits, repeats }) {
  const began = performance.now();
  const mine = (making = { comparison: ++number, done: 0 });
  const kept = records.length;
  const { rows, hashed } = rowsOf(records, repeats);
  const { hashes, high, low } = distinct(records, rows);
  const near = new Near(high, low, bits);
  const groups = [];
  let slice = performance.now();
  for (let place = 0; place < hashes.length; place++) {
    if (near.isTaken(place)) continue;
    const others = near.take(place);
    if (others.length || hashes[place].length > 1) groups.push(grouped(records, hashes, place, others));
    if (performance.now() - slice > SLICE_MS) {
      mine.done = place / hashes.length;
      await new Promise((resolve) => setTimeout(resolve));
      if (making !== mine) return null;
      slice = performance.now();
    }
  }
  groups.sort((one, other) => other.rows.length - one.rows.length || one.first - other.first);
  const lists = {
    all: groups,
    same: groups.filter((group) => group.files < group.rows.length),
    similar: groups.filter((group) => group.files > 1),
  };
  mine.done = 1;
  held = { records, comparison: mine.comparison, lists };
  return {
    comparison: mine.comparison,
    hashed,
    compared: rows.length,
    kept,
    groups: Object.fromEntries(Object.entries(lists).map(([kind, list]) => [kind, list.length])),
    rows: groups.reduce((sum, group) => sum + group.rows.length, 0),
    seconds: (performance.now() - began) / 1000,
  };
}

/** Another census: nothing of the one before is held, and none of it compared any more. */
export function forget() {
  held = making = null;
}

/** How far the comparison is, 0–1. */
export const compared = () => making?.done ?? 0;

/**
 * Groups of a *comparison* *from* until before *to*, the largest first: {total, groups}; members are what
 * *shown* makes of rows. Null: there is a later one, whose groups stand in other places.
 */
export function groupsOf(records, { comparison, kind, from, to }, shown) {
  const list = listOf(records, comparison, kind);
  if (list === null) return null;
  const groups = list.slice(from, to).map((group, at) => ({
    comparison,
    kind,
    at: from + at,
    size: group.rows.length,
    files: group.files,
    farthest: group.distances.at(-1),
    first: group.first,
    members: Array.from(group.rows.subarray(0, MOST_SHOWN), (row, member) => ({
      ...shown(row),
      distance: group.distances[member],
      same: member > 0 && records.digest.at(row) >= 0 && records.digest.at(row) === records.digest.at(group.rows[0]),
    })),
  }));
  return { total: list.length, groups };
}

/** All rows of a group, named as `groupsOf` does; null where there is a later comparison. */
export function rowsOfGroup(records, { comparison, kind, at }) {
  const list = listOf(records, comparison, kind);
  return list && Array.from(list[at]?.rows ?? []);
}

function listOf(records, comparison, kind) {
  return held?.records === records && held.comparison === comparison ? held.lists[kind] : null;
}

/** Rows to compare, in the order of the manifest, and how many have a hash. */
function rowsOf(records, repeats) {
  const places = new Float64Array(records.length);
  let found = 0;
  let hashed = 0;
  for (let row = 0; row < records.length; row++) {
    const marks = records.marks.at(row);
    if ((marks & MARK.hashed) === 0) continue;
    hashed += 1;
    // An index and a row in one number: typed arrays of numbers are sorted at once.
    if (repeats || (marks & MARK.repeated) === 0) places[found++] = records.index.at(row) * 2 ** 20 + row;
  }
  const rows = Uint32Array.from(places.subarray(0, found).sort(), (place) => place % 2 ** 20);
  return { rows, hashed };
}

/** The hashes that differ, in order of their first rows, and the rows of each. */
function distinct(records, rows) {
  let size = 1024;
  while (size < rows.length * 2) size *= 2;
  const table = new Int32Array(size).fill(-1); // open addressing: a place in `hashes`
  const high = new Uint32Array(rows.length);
  const low = new Uint32Array(rows.length);
  const hashes = [];
  for (const row of rows) {
    const [above, below] = [records.hashHigh.at(row), records.hashLow.at(row)];
    const mixed = Math.imul(above ^ Math.imul(below, 0x9e3779b1), 0x85ebca6b);
    let at = (mixed ^ (mixed >>> 15)) & (size - 1);
    while (table[at] >= 0 && (high[table[at]] !== above || low[table[at]] !== below)) at = (at + 1) & (size - 1);
    if (table[at] < 0) {
      table[at] = hashes.length;
      high[hashes.length] = above;
      low[hashes.length] = below;
      hashes.push([]);
    }
    hashes[table[at]].push(row);
  }
  return { hashes, high: high.subarray(0, hashes.length), low: low.subarray(0, hashes.length) };
}

/** A group: its rows, the nearest first, and how far each is. */
function grouped(records, hashes, place, others) {
  others.sort((one, other) => one[1] - other[1] || one[0] - other[0]);
  const parts = [[place, 0], ...others];
  const size = parts.reduce((sum, [hash]) => sum + hashes[hash].length, 0);
  const rows = new Uint32Array(size);
  const distances = new Uint8Array(size);
  const digests = new Set();
  let at = 0;
  let unknown = 0;
  for (const [hash, distance] of parts) {
    for (const row of hashes[hash]) {
      rows[at] = row;
      distances[at++] = distance;
      const digest = records.digest.at(row);
      if (digest < 0) unknown += 1;
      else digests.add(digest);
    }
  }
  return { first: records.index.at(rows[0]), rows, distances, files: digests.size + unknown };
}
