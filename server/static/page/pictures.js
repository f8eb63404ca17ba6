/** The view of all records: a bar of filters, and a list or a wall of any length. */
import { showDetail } from "./detail.js";
import { choices, make, say } from "./dom.js";
import { numbersOf, swatches } from "./predicted.js";
import { pictureOf, tagsOf } from "./record.js";
import { VirtualList } from "./virtual.js";
import { bytes, count, spoken } from "./words.js";

const ROW_HEIGHT = { wide: 60, narrow: 76 };
const TILE = 148;
const FOLLOW_MS = 500; // how often a list that grows is looked at again
const TYPING_MS = 180;

const SORTS = [
  ["arrival", "as they came"],
  ["index", "row of the list"],
  ["id", "id"],
  ["url", "URL"],
  ["format", "format"],
  ["pixels", "pixels"],
  ["bytes", "bytes"],
  ["ms", "time"],
  ["code", "error"],
];
/** Of the list: [words, what is sorted by, class]. */
const COLUMNS = [
  ["picture", null, ""],
  ["row", "index", "number"],
  ["id and URL", "url", ""],
  ["format", "format", ""],
  ["pixels", "pixels", "number"],
  ["bytes", "bytes", "number"],
  ["ms", "ms", "number"],
  ["says", "code", ""],
];
/** Members of a view that stand in a chip, with their words. */
const CHIPS = {
  host: (host) => `host ${host ?? "none"}`,
  status: (status) => `HTTP ${status}`,
  mode: (mode) => `mode ${mode}`,
  range: ([name, from, below]) => `${name} ${count(from)} – ${Number.isFinite(below) ? count(below) : "…"}`,
  rows: (rows) => `${count(rows.length)} chosen`,
  label: (label) => `label ${label}`,
  change: (change) => change,
};

export class PicturesView {
  view = {};
  #client;
  #list;
  #wall = false;
  #shown = false;
  #version = -1;

  constructor(root, client) {
    this.#client = client;
    this.root = root;
    this.#bar();
    this.#frame = make("div", { class: "empty" }, "Each row of your list will stand here as soon as it is answered. Drop a list above.");
    root.append(this.#frame);
    client.addEventListener("begin", () => this.#begin());
    client.addEventListener("state", () => this.#came());
    this.#narrow = matchMedia("(max-width: 760px)");
    this.#narrow.addEventListener("change", () => this.#list && this.#build());
    new ResizeObserver(() => this.#wall && this.#list && this.#across() !== this.#acrossNow && this.#build()).observe(root);
  }

  #frame;
  #barElement;
  #narrow;
  #acrossNow = 1;
  #controls = {};
  #chips;
  #found;

  show() {
    this.#shown = true;
    this.#came();
  }

  hide() {
    this.#shown = false;
  }

  /** Look at what *view* asks for, and nothing else. */
  look(view) {
    this.view = { sort: this.view.sort, descending: this.view.descending, ...view };
    this.#changed();
  }

  #begin() {
    const { sort, descending } = this.view;
    this.view = { sort, descending };
    this.#version = -1;
    this.#barElement.hidden = false;
    this.#build();
    this.#changed();
  }

  #came() {
    const state = this.#client.state;
    if (!this.#shown || !this.#list || !state || state.version === this.#version) return;
    const now = performance.now();
    if (this.#client.busy && now - this.#looked < FOLLOW_MS && this.#list.total > 40) return;
    this.#looked = now;
    this.#version = state.version;
    this.#list.refresh();
    this.#options();
    clearTimeout(this.#last);
    // The last state comes once: what was left out by then is looked at after it.
    this.#last = setTimeout(() => this.#list.refresh(), 2 * FOLLOW_MS);
  }

  #looked = 0;
  #last = 0;

  #bar() {
    const change = (name, value) => {
      this.view = { ...this.view, [name]: value || undefined };
      this.#changed();
    };
    let typing = 0;
    const { search, state, code, format, mark, sort, filters, wall } = (this.#controls = {
      search: make("input", {
        type: "search",
        placeholder: "Search ids and URLs",
        "aria-label": "Search ids and URLs",
        oninput: () => {
          clearTimeout(typing);
          typing = setTimeout(() => change("text", search.value.trim()), TYPING_MS);
        },
      }),
      state: make("select", { "aria-label": "Outcome", onchange: () => change("state", state.value) }, choices([["", "all rows"], ["ok", "ok"], ["failed", "failed"]])),
      code: make("select", { "aria-label": "Error", onchange: () => change("code", code.value) }),
      format: make("select", { "aria-label": "Format", onchange: () => change("format", format.value) }),
      mark: make("select", {
        "aria-label": "What stands out",
        onchange: () => {
          const [kind, ...parts] = mark.value.split(":"); // names may have colons too
          const name = parts.join(":");
          this.view = { ...this.view, mark: undefined, flag: undefined, change: undefined, label: undefined, ...(kind ? { [kind]: name } : {}) };
          this.#changed();
        },
      }),
      sort: make("select", { "aria-label": "Order", onchange: () => this.#sort(sort.value, false) }, choices(SORTS)),
      filters: make("button", { type: "button", class: "filters", "aria-expanded": "false", onclick: () => this.#unfold() }, "Filters"),
      wall: make("button", { type: "button", "aria-pressed": "false", onclick: () => this.#turn() }, "Wall"),
    });
    this.#chips = make("span", { class: "chips" });
    this.#found = make("output", { class: "count" });
    this.#barElement = make("div", { class: "bar", role: "search", hidden: true }, search, filters, state, code, format, mark, sort, wall, this.#chips, this.#found);
    this.root.append(this.#barElement);
  }

  /** Where there is little room, what narrows the list is folded away. */
  #unfold() {
    const open = this.#barElement.classList.toggle("unfolded");
    this.#controls.filters.setAttribute("aria-expanded", String(open));
  }

  #turn() {
    this.#wall = !this.#wall;
    this.#controls.wall.setAttribute("aria-pressed", String(this.#wall));
    say(this.#controls.wall, this.#wall ? "List" : "Wall");
    if (this.#list) this.#build();
  }

  #sort(by, descending) {
    this.view = { ...this.view, sort: by, descending };
    this.#changed();
  }

  /** The view is another: ask for it, and have the bar say what it is. */
  #changed() {
    const { view } = this;
    const { search, state, mark, sort } = this.#controls;
    if (document.activeElement !== search) search.value = view.text ?? "";
    state.value = view.state ?? "";
    this.#options();
    this.#choose();
    sort.value = view.sort ?? "arrival";
    const chips = Object.entries(CHIPS).filter(([name]) => view[name] !== undefined && mark.value !== `${name}:${view[name]}`);
    this.#chips.replaceChildren(
      ...chips.map(([name, words]) =>
        make(
          "span",
          { class: "chip" },
          words(view[name]),
          make("button", { type: "button", "aria-label": "Remove this filter", onclick: () => this.look({ ...view, [name]: undefined }) }, "×"),
        ),
      ),
    );
    for (const cell of this.root.querySelectorAll("[data-sort]")) {
      const turned = this.#turned(cell.dataset.sort);
      if (turned) cell.setAttribute("aria-sort", turned);
      else cell.removeAttribute("aria-sort");
    }
    this.#list?.reset();
  }

  /** How the list is sorted by a column, undefined where it is not. */
  #turned(by) {
    if (by === null || by !== this.view.sort) return undefined;
    return this.view.descending ? "descending" : "ascending";
  }

  /** Have what is chosen stand in the bar. */
  #choose() {
    const { view } = this;
    const { code, format, mark } = this.#controls;
    const marked = ["mark", "flag", "change", "label"].find((name) => view[name]);
    code.value = view.code ?? "";
    format.value = view.format ?? "";
    mark.value = marked ? `${marked}:${view[marked]}` : "";
  }

  /** What may be chosen grows with what comes. */
  async #options() {
    if (!this.#client.state) return;
    const names = await this.#client.ask("names");
    const fill = (select, first, options) => {
      const texts = [first, ...options];
      if (select.options.length === texts.length && !options.some(([one], at) => select.options[at + 1].value !== one)) return;
      select.replaceChildren(...choices(texts));
    };
    const sorted = (texts) => [...texts].sort();
    fill(this.#controls.code, ["", "any error"], sorted(names.codes).map((code) => [code, spoken(code)]));
    fill(this.#controls.format, ["", "any format"], sorted(names.formats).map((format) => [format, format]));
    fill(this.#controls.mark, ["", "any mark"], [
      ...sorted(names.flags).map((flag) => [`flag:${flag}`, `flag ${flag}`]),
      ...sorted(names.labels).map((label) => [`label:${label}`, `label ${label}`]),
      ...sorted(names.changes).map((change) => [`change:${change}`, change]),
      ...["placeholder", "animated", "repeated", "retryable"].map((mark) => [`mark:${mark}`, mark === "placeholder" ? "placeholder?" : mark]),
    ]);
    this.#choose(); // another view may have asked for what was no choice until now
  }

  #across() {
    const fit = Math.floor((this.root.clientWidth - 48) / (TILE + 8));
    return Math.max(this.#narrow.matches ? 3 : 2, fit);
  }

  #build() {
    const [label, open] = ["Records", (item) => showDetail(item)];
    const across = (this.#acrossNow = this.#across());
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
        open: (items, _, event) => {
          const tile = event.target.closest(".tile");
          open(items[tile ? [...tile.parentNode.children].indexOf(tile) : 0] ?? items[0]);
        },
      });
      this.#list.element.classList.add("wall");
      this.#list.element.style.setProperty("--across", across);
    } else {
      this.#list = new VirtualList({
        label,
        head: this.#head(),
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
    this.#list.reset();
  }

  async #load(from, to) {
    if (!this.#client.state) return { total: 0, rows: [] };
    const { view } = this;
    const answer = await this.#client.ask("rows", { view, from, to });
    if (view === this.view) {
      this.#found.setAttribute("aria-live", this.#client.busy ? "off" : "polite"); // it would be read out twice a second
      say(this.#found, `${count(answer.total)} of ${count(this.#client.state?.rows ?? 0)}`);
    }
    return answer;
  }

  #head() {
    return make(
      "div",
      { class: "head-row", role: "row" },
      COLUMNS.map(([words, by, kind]) =>
        make(
          "div",
          { role: "columnheader", class: kind, "data-sort": by ?? undefined, "aria-sort": this.#turned(by) },
          by === null && make("span", { class: "unseen" }, words),
          by && make("button", { type: "button", onclick: () => this.#sort(by, this.view.sort === by && !this.view.descending) }, words),
        ),
      ),
    );
  }
}

/** Fill an element with a record, or with nothing while it is asked for. */
function drawRecord(element, item) {
  if (item === undefined) {
    element.replaceChildren(make("div", { class: "record" }, thumb(null)));
    return;
  }
  const { record } = item;
  const info = record.image_info;
  const pixels = info?.image_dimension ? info.image_dimension.join(" × ") : "";
  const size = info && info.image_size !== null ? bytes(info.image_size) : "";
  const tags = () => tagsOf(record).map(([words, tone]) => make("span", { class: `tag ${tone}` }, words));
  const cell = (kind, ...children) => make("div", { class: kind, role: "gridcell" }, ...children);
  element.replaceChildren(
    make(
      "div",
      { class: "record", role: "presentation" },
      cell("", thumb(pictureOf(item), record.error ? "✕" : (info?.image_format ?? ""), record.error)),
      cell("number soft column", count(record.index)),
      cell(
        "name",
        make("span", {}, record.id),
        make("span", { class: "url", title: record.url ?? "" }, record.url ?? ""),
        make("span", { class: "small-facts" }, record.error ? tags() : [`${info?.image_format ?? ""}`, pixels, size, ...tags(), swatches(record.prediction)].filter(Boolean).map((part) => (typeof part === "string" ? make("span", {}, part) : part))),
      ),
      cell("column", info?.image_format ?? ""),
      cell("number column", pixels),
      cell("number column", size),
      cell("number soft column", record.fetch ? count(record.fetch.ms) : ""),
      cell("says column", tags(), swatches(record.prediction), make("span", { class: "soft" }, numbersOf(record.prediction).join(" · "))),
    ),
  );
}

function drawTiles(element, items) {
  element.replaceChildren(
    ...(items ?? []).map((item) =>
      make(
        "div",
        { class: `tile${item.record.error ? " failed" : ""}`, role: "gridcell", title: `${item.record.id} ${item.record.url ?? ""}` },
        thumb(pictureOf(item), item.record.error ? spoken(item.record.error.code) : (item.record.image_info?.image_format ?? ""), item.record.error),
        item.record.prediction && swatches(item.record.prediction),
        item.record.prediction && make("div", { class: "over" }, tagsOf(item.record).map(([words]) => make("span", { class: "tag" }, words))),
        make("div", { class: "under" }, item.record.prediction ? item.record.id : [item.record.id, ...tagsOf(item.record).map(([words]) => words)].join(" · ")),
      ),
    ),
  );
}

function thumb(source, words = "", failed = false) {
  if (source === null) return make("div", { class: `thumb none${failed ? " failed" : ""}`, "aria-hidden": "true" }, words);
  return make("img", { class: "thumb", src: source, alt: "", decoding: "async" });
}
