/** A typed column that grows: `at(row)` and `push(value)` cost what a typed array does. */
export class Column {
  #values;
  #kind;
  length = 0;

  /** @param {Function} kind the constructor of a typed array */
  constructor(kind, room = 4096) {
    this.#kind = kind;
    this.#values = new kind(room);
  }

  push(value) {
    if (this.length === this.#values.length) {
      const larger = new this.#kind(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  at(row) {
    return this.#values[row];
  }

  set(row, value) {
    this.#values[row] = value;
  }

  /** What is in it, without a copy; stale once something is pushed. */
  get values() {
    return this.#values.subarray(0, this.length);
  }
}

/** Texts numbered as they come: a column of them holds numbers. Number 0 is the absent one. */
export class Names {
  #numbers = new Map();
  #texts = [null];

  /** The number of *text*; null has 0. */
  number(text) {
    if (text === null || text === undefined) return 0;
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#texts.length;
      this.#numbers.set(text, number);
      this.#texts.push(text);
    }
    return number;
  }

  /** The number of a text that is known, undefined of any other. */
  find(text) {
    return text === null ? 0 : this.#numbers.get(text);
  }

  text(number) {
    return this.#texts[number];
  }

  get size() {
    return this.#texts.length;
  }
}

/** Which whole numbers were met: a bit each. */
export class Seen {
  #bits = new Uint8Array(4096);

  /** Whether *number* is met for the first time. */
  add(number) {
    const at = Math.floor(number / 8);
    if (at >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(at + 1, this.#bits.length * 2));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    const bit = 1 << number % 8;
    if (this.#bits[at] & bit) return false;
    this.#bits[at] |= bit;
    return true;
  }
}
