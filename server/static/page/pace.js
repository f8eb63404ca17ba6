/**
 * How often something is asked again while a census grows: no more often than that, and never so often
 * that answering takes all the time.
 */
export class Pace {
  #look;
  #least;
  #timer = 0;
  #busy = false;
  #again = false;
  #next = 0;
  #urgent = false;

  /** @param {Function} look async: asks and shows @param {number} least milliseconds between */
  constructor(look, least) {
    this.#look = look;
    this.#least = least;
  }

  /** Something changed: look when it is time. */
  soon() {
    if (this.#busy) this.#again = true;
    else if (!this.#timer) this.#timer = setTimeout(() => this.#run(), Math.max(0, this.#next - performance.now()));
  }

  /** Somebody waits: look at once. */
  now() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#next = 0;
    this.#urgent = this.#busy;
    this.soon();
  }

  /** Nobody looks any more. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#again = false;
  }

  async #run() {
    this.#timer = 0;
    this.#busy = true;
    const began = performance.now();
    try {
      await this.#look();
    } finally {
      const ended = performance.now();
      this.#busy = false;
      this.#next = this.#urgent ? 0 : ended + Math.max(this.#least, 4 * (ended - began));
      this.#urgent = false;
      if (this.#again) this.soon();
      this.#again = false;
    }
  }
}
