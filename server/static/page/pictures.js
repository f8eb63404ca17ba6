/** The view of all records: a bar of filters, and a list or a wall of any length. */
import { showDetail } from "./detail.js";
import { make, say } from "./dom.js";
import { FilterBar } from "./filters.js";
import { drawRecord, drawTiles, listHead, sortedBy } from "./rows.js";
import { VirtualList } from "./virtual.js";

const ROW_HEIGHT = { wide: 60, narrow: 76 };
const TILE = 148;
const FOLLOW_MS = 500; // how often a list that grows is looked at again

export class PicturesView {
  view = {};
  #client;
  #bar;
  #list;
  #wall = false;
  #shown = false;
  #version = -1;
  #looked = 0;
  #last = 0;
  #frame = make("div", { class: "empty" }, "Each row of your list will stand here as soon as it is answered. Drop a list above.");
  #none = make("p", { class: "empty none", hidden: true }, "No row is like that. ", make("button", { type: "button", onclick: () => this.look({}) }, "Show all rows"));
  #narrow = matchMedia("(max-width: 760px)");
  #size = null; // what the list was built for
  #each = 1; // records in an item of the list
  #upper = 0; // the record at the upper edge when the list was built
  #turnButton = make("button", { type: "button", "aria-pressed": "false", onclick: () => this.#turn() }, "Wall");

  constructor(root, client) {
    this.#client = client;
    this.root = root;
    this.#bar = new FilterBar(client, (view) => this.#look(view), this.#turnButton);
    root.append(this.#bar.element, this.#none, this.#frame);
    client.addEventListener("begin", () => this.#begin());
    client.addEventListener("state", () => this.#came());
    this.#narrow.addEventListener("change", () => this.#fit());
    new ResizeObserver(() => this.#fit()).observe(root);
  }

  show() {
    this.#shown = true;
    this.#fit();
    this.#came();
  }

  hide() {
    this.#shown = false;
  }

  /** Look at what *view* asks for, and nothing else; the order stays. */
  look(view) {
    this.#look({ sort: this.view.sort, descending: this.view.descending, ...view });
  }

  #look(view) {
    this.view = view;
    this.#bar.show(view);
    for (const cell of this.root.querySelectorAll("[data-sort]")) {
      const turned = sortedBy(view, cell.dataset.sort);
      if (turned) cell.setAttribute("aria-sort", turned);
      else cell.removeAttribute("aria-sort");
    }
    this.#list?.reset();
  }

  #begin() {
    this.#version = -1;
    this.#bar.element.hidden = false;
    this.#none.hidden = true;
    this.#size = "";
    [this.#list, this.#upper] = [null, 0];
    this.#fit();
    this.look({});
  }

  /** Build the list where it was built for another size, or not at all: what is hidden has no size. */
  #fit() {
    if (this.#size === null || !this.root.clientWidth) return;
    const size = `${this.#narrow.matches} ${this.#wall ? this.#across() : "list"}`;
    if (size === this.#size) return;
    this.#size = size;
    this.#build();
  }

  #came() {
    const state = this.#client.state;
    if (!this.#shown || !this.#list || !state || state.version === this.#version) return;
    const now = performance.now();
    if (this.#client.busy && now - this.#looked < FOLLOW_MS && this.#list.total > 40) return;
    this.#looked = now;
    this.#version = state.version;
    this.#list.refresh();
    this.#bar.fill();
    clearTimeout(this.#last);
    // The last state comes once: what was left out by then is looked at after it.
    this.#last = setTimeout(() => this.#list?.refresh(), 2 * FOLLOW_MS);
  }

  #turn() {
    this.#wall = !this.#wall;
    this.#turnButton.setAttribute("aria-pressed", String(this.#wall));
    say(this.#turnButton, this.#wall ? "List" : "Wall");
    this.#fit();
  }

  #sort(by) {
    this.#look({ ...this.view, sort: by, descending: this.view.sort === by && !this.view.descending });
  }

  #across() {
    const fit = Math.floor((this.root.clientWidth - 48) / (TILE + 8));
    return Math.max(this.#narrow.matches ? 3 : 2, fit);
  }

  /** The list or the wall, in the size of the screen; the record at the upper edge stays there. */
  #build() {
    const place = this.#list?.place ?? 0;
    if (place !== Math.floor(this.#upper / this.#each)) this.#upper = place * this.#each;
    const records = (this.#list?.total ?? 0) * this.#each;
    const [label, open] = ["Records", (item) => showDetail(item)];
    const across = this.#across();
    if (this.#wall) {
      const side = Math.floor((this.root.clientWidth - 32) / across) - 8;
      this.#list = new VirtualList({
        label,
        height: Math.min(side, 200) + 26,
        draw: (element, items) => drawTiles(element, items),
        load: async (from, to) => {
          const { total, rows } = await this.#load(from * across, to * across);
          const items = [];
          for (let at = 0; at < rows.length; at += across) items.push(rows.slice(at, at + across));
          return { total: Math.ceil(total / across), items };
        },
        open: (items, at, event, tile) => open(items[Math.min(tile, items.length - 1)]),
        cells: (element) => element.querySelectorAll(".tile"),
      });
      this.#list.element.classList.add("wall");
      this.#list.element.style.setProperty("--across", across);
    } else {
      this.#list = new VirtualList({
        label,
        head: listHead(this.view, (by) => this.#sort(by)),
        height: this.#narrow.matches ? ROW_HEIGHT.narrow : ROW_HEIGHT.wide,
        draw: drawRecord,
        load: async (from, to) => {
          const { total, rows } = await this.#load(from, to);
          return { total, items: rows };
        },
        open,
      });
    }
    this.#frame.replaceWith(this.#list.element);
    this.#frame = this.#list.element;
    this.#each = this.#wall ? across : 1;
    this.#list.begin(Math.floor(this.#upper / this.#each), Math.ceil(records / this.#each));
  }

  async #load(from, to) {
    if (!this.#client.state) return { total: 0, rows: [] };
    const { view } = this;
    const answer = await this.#client.ask("rows", { view, from, to });
    if (view === this.view) {
      this.#bar.tell(answer.total, this.#client.state?.rows ?? 0);
      this.#none.hidden = answer.total > 0 || this.#client.busy || this.#client.state?.kept === 0;
    }
    return answer;
  }
}
