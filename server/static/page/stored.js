/** What is kept of a visit. A browser may keep nothing, and says so by throwing: then this page remembers. */

class Stored {
  #of;
  #texts = new Map();

  /** @param {Function} of gives the storage of the browser, or throws */
  constructor(of) {
    this.#of = of;
  }

  /** The text kept as *name*, null where there is none. */
  get(name) {
    if (this.#texts.has(name)) return this.#texts.get(name);
    try {
      return this.#of().getItem(name);
    } catch {
      return null;
    }
  }

  /** Keep *text*; null is to keep it no more. */
  set(name, text) {
    try {
      if (text === null) this.#of().removeItem(name);
      else this.#of().setItem(name, text);
      this.#texts.delete(name);
    } catch {
      this.#texts.set(name, text);
    }
  }
}

/** For the next visit. */
export const local = new Stored(() => localStorage);
/** For as long as the tab is there. */
export const session = new Stored(() => sessionStorage);
