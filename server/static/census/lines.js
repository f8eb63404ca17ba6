/**
 * Lines as they came, as bytes in large slabs: a hundred thousand of them are a few dozen buffers
 * that the garbage collector need not look through. A line is parsed again when it is looked at.
 */
import { Column } from "./grown.js";

const SLAB_BYTES = 4 * 1024 * 1024;

export class Lines {
  #slabs = [];
  #used = SLAB_BYTES; // of the last slab: none is there yet
  #slab = new Column(Uint32Array);
  #start = new Column(Uint32Array);
  #size = new Column(Uint32Array);
  #decoder = new TextDecoder();
  bytes = 0;

  get length() {
    return this.#slab.length;
  }

  /** Keep a line; its bytes are copied. Returns its number. */
  push(line) {
    if (this.#used + line.length > (this.#slabs.at(-1)?.length ?? 0)) {
      this.#slabs.push(new Uint8Array(Math.max(SLAB_BYTES, line.length)));
      this.#used = 0;
    }
    this.#slabs.at(-1).set(line, this.#used);
    this.#slab.push(this.#slabs.length - 1);
    this.#start.push(this.#used);
    this.#size.push(line.length);
    this.#used += line.length;
    this.bytes += line.length;
    return this.length - 1;
  }

  /** The bytes of line *number*, not a copy. */
  raw(number) {
    const start = this.#start.at(number);
    return this.#slabs[this.#slab.at(number)].subarray(start, start + this.#size.at(number));
  }

  /** The object that line *number* is. */
  read(number) {
    return JSON.parse(this.#decoder.decode(this.raw(number)));
  }
}
