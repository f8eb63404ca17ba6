/**
 * Which of many 64-bit hashes differ from one by few bits, without comparing all with all.
 *
 * Multi-index hashing: Norouzi, Punjani and Fleet, "Fast Exact Search in Hamming Space with
 * Multi-Index Hashing", IEEE TPAMI 36 (2014). A hash is cut into four parts of 16 bits, with a table
 * for each. Two hashes that differ by at most d = 4 r + a bits differ by at most r bits in one of the
 * first a + 1 parts, or by at most r - 1 in one of the others: else they would differ by d + 1. So
 * only tables at parts so near need be looked into, and what lies there is compared whole.
 */

const PARTS = 4;
const KEYS = 1 << 16;
/** The widest that is asked for: parts then differ by three bits at most. */
export const MOST_BITS = 12;

/** All parts with so few bits set, those with fewer first; `WITHIN[r]` of them have r bits at most. */
const FLIPS = [];
const WITHIN = [];
for (let bits = 0; bits <= MOST_BITS / PARTS; bits++) {
  for (let part = 0; part < KEYS; part++) if (bitsOf(part) === bits) FLIPS.push(part);
  WITHIN.push(FLIPS.length);
}

/** How many bits of a 32-bit number are set. */
export function bitsOf(number) {
  number -= (number >>> 1) & 0x55555555;
  number = (number & 0x33333333) + ((number >>> 2) & 0x33333333);
  return Math.imul((number + (number >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Hashes of which each is found once: what is taken is in no later answer. */
export class Near {
  #high;
  #low;
  #taken;
  #tables = []; // for each part: where the places of a key start, where they end, and the places

  /** @param {Uint32Array} high @param {Uint32Array} low the halves of the hashes */
  constructor(high, low) {
    this.#high = high;
    this.#low = low;
    this.#taken = new Uint8Array(high.length);
    for (let part = 0; part < PARTS; part++) {
      const starts = new Uint32Array(KEYS + 1);
      for (let place = 0; place < high.length; place++) starts[this.#key(part, place) + 1] += 1;
      for (let key = 0; key < KEYS; key++) starts[key + 1] += starts[key];
      const ends = starts.slice(0, KEYS);
      const places = new Uint32Array(high.length);
      for (let place = 0; place < high.length; place++) places[ends[this.#key(part, place)]++] = place;
      this.#tables.push({ starts, ends, places });
    }
  }

  isTaken(place) {
    return this.#taken[place] === 1;
  }

  /**
   * Take the hash at *place* and all that differ from it by *most* bits at most.
   *
   * @returns {[number, number][]} place and distance of the others, in no order
   */
  take(place, most) {
    this.#taken[place] = 1;
    const found = [];
    const near = Math.floor(most / PARTS);
    for (let part = 0; part < PARTS; part++) {
      const radius = part <= most % PARTS ? near : near - 1;
      const key = this.#key(part, place);
      const keys = radius < 0 ? 0 : WITHIN[radius];
      for (let flip = 0; flip < keys; flip++) this.#look(part, key ^ FLIPS[flip], place, most, found);
    }
    return found;
  }

  #key(part, place) {
    const half = part < 2 ? this.#high[place] : this.#low[place];
    return part % 2 ? half & 0xffff : half >>> 16;
  }

  #look(part, key, place, most, found) {
    const { starts, ends, places } = this.#tables[part];
    const [high, low, taken] = [this.#high, this.#low, this.#taken];
    let end = ends[key];
    for (let at = starts[key]; at < end; ) {
      const other = places[at];
      if (!taken[other]) {
        const distance = bitsOf(high[place] ^ high[other]) + bitsOf(low[place] ^ low[other]);
        if (distance > most) {
          at += 1;
          continue;
        }
        taken[other] = 1;
        found.push([other, distance]);
      }
      places[at] = places[--end]; // what is taken is never looked at again
    }
    ends[key] = end;
  }
}
