/**
 * Addresses by which the page shows pictures that are held here: one for each row, so that a row that is
 * drawn again shows the picture it has shown, and nothing flickers.
 */
const MOST = 4000; // more than are ever seen at once

export class PictureUrls {
  #urls = new Map(); // row → address, the one asked for longest ago first

  /** The address of the picture of *row*; null where it has none. */
  of(row, picture) {
    if (picture === undefined) return null;
    const url = this.#urls.get(row) ?? URL.createObjectURL(picture);
    this.#urls.delete(row);
    this.#urls.set(row, url);
    if (this.#urls.size > MOST) {
      const [first, gone] = this.#urls.entries().next().value;
      this.#urls.delete(first);
      URL.revokeObjectURL(gone);
    }
    return url;
  }

  /** Other rows have these numbers from now on. */
  clear() {
    for (const url of this.#urls.values()) URL.revokeObjectURL(url);
    this.#urls.clear();
  }
}
