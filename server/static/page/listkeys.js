/** Keys in a list: up and down, by pages, to its ends; left and right where items have parts. */

const HERE = "list-here"; // the id of the part that keys have come to

export class ListKeys {
  #list;
  #open;
  #cells;
  #cell = 0;

  /** @param {VirtualList} list @param {Object} how `open` and `cells` of the list */
  constructor(list, { open, cells }) {
    [this.#list, this.#open, this.#cells] = [list, open, cells];
    list.element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show which part of an item keys have come to, if that is where they are. */
  mark(element) {
    if (this.#cells === null) return;
    const active = element.at === this.#list.active;
    if (!active && !element.hasAttribute("aria-activedescendant")) return; // each frame, of all that are drawn
    const cells = [...this.#cells(element)];
    const here = active ? cells[Math.min(this.#cell, cells.length - 1)] : undefined;
    if (here) element.setAttribute("aria-activedescendant", HERE);
    else element.removeAttribute("aria-activedescendant");
    for (const cell of cells) {
      cell.classList.toggle("here", cell === here);
      if (cell === here) cell.id = HERE;
      else cell.removeAttribute("id");
    }
  }

  /** The number of the part that was pressed; keys go on from there. */
  chosen(element, target) {
    const at = this.#cells === null ? -1 : [...this.#cells(element)].findIndex((cell) => cell.contains(target));
    this.#cell = Math.max(0, at);
    return this.#cell;
  }

  #key(event) {
    if (event.target.closest("button, input, select, a") || event.ctrlKey || event.metaKey || event.altKey) return;
    const list = this.#list;
    const page = Math.max(1, Math.floor(list.element.clientHeight / list.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const across = { ArrowRight: 1, ArrowLeft: -1 };
    if (event.key in steps) {
      event.preventDefault();
      this.#go(event, steps[event.key]);
    } else if (this.#cells !== null && event.key in across) {
      event.preventDefault();
      this.#across(event, across[event.key]);
    } else if (event.key === "Enter" || event.key === " ") {
      const element = list.drawn(list.active);
      if (element?.item === undefined) return;
      event.preventDefault();
      this.#open(element.item, list.active, event, this.#cell);
    }
  }

  /** So many items on; where the list itself has the focus, first to the item keys have come to. */
  #go(event, items) {
    const list = this.#list;
    const step = event.target === list.element && Math.abs(items) === 1 ? 0 : items;
    list.focus(Math.max(0, Math.min(list.total - 1, list.active + step)));
  }

  /** To the part beside, which may be of the item before or behind. */
  #across(event, step) {
    const list = this.#list;
    const parts = [...this.#cells(list.drawn(list.active) ?? list.element)].length;
    const next = Math.min(this.#cell, parts - 1) + (event.target === list.element ? 0 : step);
    if (next >= 0 && next < parts) {
      this.#cell = next;
      return list.focus(list.active);
    }
    const item = list.active + step;
    if (item < 0 || item >= list.total) return;
    this.#cell = step > 0 ? 0 : Infinity; // the last one, however many there are
    list.focus(item);
    this.#cell = Math.min(this.#cell, Math.max(0, parts - 1));
  }
}
