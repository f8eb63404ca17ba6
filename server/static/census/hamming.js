/**
 * Which of many 64-bit hashes differ from one by few bits, without comparing all with all.
 *
 * Multi-index hashing (Norouzi, Punjani, Fleet: "Fast Exact Search in Hamming Space with Multi-Index
 * Hashing", IEEE TPAMI 36, 2014): a hash is cut into four parts of 16 bits, with a table for each.
 * Hashes that differ by at most d bits cannot differ by more than r bits in every part, if all r + 1
 * together are more than d. So only table entries so near need be looked at, and are compared whole.
 *
 * The r need not be equal (Qin and others: "GPH: Similarity Search in Hamming Space", ICDE 2018). A
 * part that is the same in many hashes would find them all: it gets a small r, or none. What costs
 * least is seen by trying some of the hashes.
 */

const PARTS = 4;
const KEYS = 1 << 16;
const SAMPLES = 48;
/** The widest that a part is searched: two parts could then do it alone for a distance of twelve bits. */
const WIDEST = 6;

/** Differences of a part, those of fewer bits first; `WITHIN[r + 1]` of them have r bits at most. */
const FLIPS = [];
const WITHIN = [0];
for (let bits = 0; bits <= WIDEST; bits++) {
  for (let part = 0; part < KEYS; part++) if (bitsOf(part) === bits) FLIPS.push(part);
  WITHIN.push(FLIPS.length);
}

/** How many bits of a 32-bit number are set. */
function bitsOf(number) {
  number -= (number >>> 1) & 0x55555555;
  number = (number & 0x33333333) + ((number >>> 2) & 0x33333333);
  return Math.imul((number + (number >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Hashes of which each is found once: what is taken is in no later answer. */
export class Near {
  #high;
  #low;
  #most;
  #taken;
  #tables = []; // for each part: where the places of a key start, where they end, and the places
  #widths; // for each part: so many of FLIPS are looked at

  /**
   * @param {Uint32Array} high @param {Uint32Array} low the halves of hashes, each another
   * @param {number} most bits by which what is found differs
   */
  constructor(high, low, most) {
    [this.#high, this.#low, this.#most] = [high, low, most];
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
    // Each is another: none differs by no bit.
    this.#widths = most ? cheapest(this.#tables.map((_, part) => this.#costs(part)), most) : [];
  }

  isTaken(place) {
    return this.#taken[place] === 1;
  }

  /**
   * Take the hash at *place* and all that are near it.
   *
   * @returns {[number, number][]} place and distance of the others, in no order
   */
  take(place) {
    const [highs, lows, taken, most] = [this.#high, this.#low, this.#taken, this.#most];
    const [high, low] = [highs[place], lows[place]];
    const found = [];
    taken[place] = 1;
    for (let part = 0; part < this.#widths.length; part++) {
      const { starts, ends, places } = this.#tables[part];
      const own = this.#key(part, place);
      const width = this.#widths[part];
      for (let flip = 0; flip < width; flip++) {
        const key = own ^ FLIPS[flip];
        let end = ends[key];
        for (let at = starts[key]; at < end; ) {
          const other = places[at];
          if (!taken[other]) {
            const distance = bitsOf(high ^ highs[other]) + bitsOf(low ^ lows[other]);
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
    return found;
  }

  #key(part, place) {
    const half = part < 2 ? this.#high[place] : this.#low[place];
    return part % 2 ? half & 0xffff : half >>> 16;
  }

  /** What it costs to search a part so wide, by `WITHIN`: entries that are looked at, of some hashes. */
  #costs(part) {
    const { starts } = this.#tables[part];
    const costs = new Array(WITHIN.length).fill(0);
    for (let sample = 0; sample < SAMPLES; sample++) {
      const own = this.#key(part, Math.floor((sample * this.#high.length) / SAMPLES));
      let cost = 0;
      for (let width = 1; width < WITHIN.length; width++) {
        for (let flip = WITHIN[width - 1]; flip < WITHIN[width]; flip++) {
          const key = own ^ FLIPS[flip];
          cost += 1 + starts[key + 1] - starts[key];
        }
        costs[width] += cost;
      }
    }
    return costs;
  }
}

/** How wide to search each part so that all widths together are more than *most*, at the least cost. */
function cheapest(costs, most) {
  let best = null;
  const widths = new Array(costs.length).fill(0);
  const choose = (part, left, cost) => {
    if (best !== null && cost >= best.cost) return;
    if (part === costs.length) {
      if (left <= 0) best = { cost, widths: widths.map((width) => WITHIN[width]) };
      return;
    }
    for (let width = 0; width < WITHIN.length; width++) {
      widths[part] = width;
      choose(part + 1, left - width, cost + costs[part][width]);
    }
  };
  choose(0, most + 1, 0);
  return best.widths;
}
