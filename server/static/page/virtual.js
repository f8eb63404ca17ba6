/**
 * A list of any length of which only what is seen is there: a frame with a scrollbar, and as many items
 * as fit. What an item shows is asked for by pages, and kept while it is near.
 */
import { make } from "./dom.js";
import { ListKeys } from "./listkeys.js";

const PAGE = 60;
const BESIDE = 8; // items drawn above and below what is seen
const KEPT_PAGES = 24;
const MOST_ASKED = 2; // pages at a time: what has been scrolled past meanwhile is not asked for at all
const MOST_PIXELS = 15_000_000; // browsers lose count of higher elements

export class VirtualList {
  /**
   * @param {Object} how `height` of an item in pixels; `draw(element, item, at)` fills an element (item
   *   is undefined while it is asked for); `load(from, to)` resolves to {total, items}; `open(item, at,
   *   event, cell)`; `cells(element)` are the parts of an item, where it has some to choose from
   */
  constructor({ label, height, draw, load, open, head = null, cells = null }) {
    this.height = height;
    this.total = 0;
    this.active = 0; // the item that has the focus, or would
    this.#draw = draw;
    this.#load = load;
    this.#open = open;
    this.size = make("div", { class: "list-size", role: "presentation" });
    this.element = make("div", { class: "list", role: "grid", tabIndex: 0, "aria-label": label }, head, this.size);
    this.#head = head;
    this.element.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.#keys = new ListKeys(this, { open, cells });
    new ResizeObserver(() => this.#soon()).observe(this.element);
  }

  #draw;
  #load;
  #open;
  #head;
  #keys;
  #pages = new Map(); // number → items; null while they are asked for
  #elements = new Map(); // place → element
  #spare = [];
  #question = 0;
  #asking = 0;
  #frame = 0;

  /** Forget everything: another question is asked. */
  reset({ scroll = true } = {}) {
    this.#question += 1;
    this.#pages.clear();
    if (scroll) {
      this.total = 0;
      this.active = 0;
      this.element.scrollTop = 0;
    }
    this.refresh();
  }

  /** Ask anew for what is seen: there may be more of it, or other. */
  refresh() {
    const [first, last] = this.#seen();
    const pages = new Set();
    for (let page = Math.floor(first / PAGE); page <= Math.floor(Math.max(last - 1, first) / PAGE); page++) pages.add(page);
    for (const page of [...this.#pages.keys()]) if (!pages.has(page)) this.#pages.delete(page);
    for (const page of pages) this.#ask(page);
  }

  /** The item at the upper edge. */
  get place() {
    return Math.max(0, Math.round(this.#first()));
  }

  /** Begin with the item *at* of *total* at the upper edge. */
  begin(at, total) {
    this.total = total;
    this.active = Math.max(0, Math.min(at, total - 1));
    this.size.style.height = `${this.#pixels()}px`;
    this.element.scrollTop = this.#scrollOf(at);
    this.refresh();
  }

  /** Show the item at *at*, and let it have the focus. */
  focus(at) {
    this.active = Math.max(0, Math.min(at, this.total - 1));
    const first = this.#first();
    const fit = this.#room() / this.height;
    if (this.active < first) this.element.scrollTop = this.#scrollOf(this.active);
    else if (this.active + 1 > first + fit) this.element.scrollTop = this.#scrollOf(this.active + 1 - fit);
    this.#paint();
    this.#elements.get(this.active)?.focus({ preventScroll: true });
  }

  /** The element that shows the item at *at*, where it is drawn. */
  drawn(at) {
    return this.#elements.get(at);
  }

  /** Pixels in which items are seen. */
  #room() {
    const head = this.#head?.offsetParent ? this.#head.offsetHeight : 0;
    return Math.max(this.element.clientHeight - head, this.height);
  }

  /** Pixels that all of it would take, or as many as there may be. */
  #pixels() {
    return Math.min(this.total * this.height, MOST_PIXELS);
  }

  /** The item at the upper edge, a fraction where it is half out of sight. */
  #first() {
    const way = this.#pixels() - this.#room();
    if (way <= 0) return 0;
    return (Math.min(this.element.scrollTop, way) / way) * (this.total - this.#room() / this.height);
  }

  /** Where to scroll to for *first* to be at the upper edge. */
  #scrollOf(first) {
    const items = this.total - this.#room() / this.height;
    return items <= 0 ? 0 : (first / items) * (this.#pixels() - this.#room());
  }

  #seen() {
    const first = Math.max(0, Math.floor(this.#first()) - BESIDE);
    return [first, Math.min(this.total, first + Math.ceil(this.#room() / this.height) + 2 * BESIDE)];
  }

  #soon() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  async #ask(page) {
    const question = this.#question;
    if (!this.#pages.has(page)) this.#pages.set(page, null);
    this.#asking += 1;
    try {
      const { total, items } = await this.#load(page * PAGE, (page + 1) * PAGE);
      if (question !== this.#question) return;
      this.#pages.set(page, items);
      this.total = total;
      while (this.#pages.size > KEPT_PAGES) this.#pages.delete(this.#pages.keys().next().value);
    } finally {
      this.#asking -= 1;
      this.#soon();
    }
  }

  #paint() {
    const pixels = `${this.#pixels()}px`;
    if (this.size.style.height !== pixels) this.size.style.height = pixels;
    this.element.setAttribute("aria-rowcount", String(this.total));
    const [first, last] = this.#seen();
    for (const [at, element] of this.#elements) {
      if (at < first || at >= last) {
        // Out of sight a row loses the focus: the list has it then, for keys to go back to the row.
        if (element.contains(document.activeElement)) this.element.focus({ preventScroll: true });
        this.#elements.delete(at);
        element.hidden = true;
        this.#spare.push(element);
      }
    }
    // Of more than fits the pixels, the list is drawn where one has scrolled to, in its true size.
    const offset = this.element.scrollTop - this.#first() * this.height;
    const missing = new Set();
    for (let at = first; at < last; at++) {
      const page = Math.floor(at / PAGE);
      const held = this.#pages.get(page);
      if (held === undefined) missing.add(page);
      const item = held?.[at % PAGE];
      let element = this.#elements.get(at);
      if (element === undefined) {
        element = this.#spare.pop() ?? this.#made();
        element.hidden = false;
        this.#elements.set(at, element);
        element.at = at;
        element.setAttribute("aria-rowindex", String(at + 1));
      }
      element.style.transform = `translateY(${offset + at * this.height}px)`;
      element.tabIndex = at === this.active ? 0 : -1;
      element.item = item;
      if (element.question !== this.#question || !same(element.drawn, item)) {
        element.question = this.#question;
        element.drawn = item;
        this.#fill(element, item, at);
      }
      this.#keys.mark(element);
    }
    for (const page of missing) if (this.#asking < MOST_ASKED) this.#ask(page);
  }

  /** An item that cannot be drawn is no reason to draw no other. */
  #fill(element, item, at) {
    try {
      this.#draw(element, item, at);
    } catch (error) {
      console.error(error);
      element.replaceChildren("This one cannot be shown.");
    }
  }

  #made() {
    const element = make("div", { class: "list-item", role: "row" });
    element.style.height = `${this.height}px`;
    element.addEventListener("click", (event) => {
      if (element.item === undefined || event.target.closest("a, button")) return;
      this.active = element.at;
      this.#open(element.item, element.at, event, this.#keys.chosen(element, event.target));
    });
    this.size.append(element);
    return element;
  }
}

/** Whether two items look the same: a row that is asked for again need not be drawn again. */
function same(one, other) {
  if (one === other) return true;
  if (!one || !other) return false;
  if (Array.isArray(one)) return one.length === other.length && one.every((part, at) => same(part, other[at]));
  return Number.isInteger(one.row) && one.row === other.row && one.picture === other.picture;
}
