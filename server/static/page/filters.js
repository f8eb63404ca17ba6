/** The bar above the pictures: what narrows them, and in which order they stand. */
import { choices, make, say } from "./dom.js";
import { count } from "./words.js";

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
const MARKS = {
  placeholder: "placeholder?",
  animated: "animated",
  repeated: "same URL again",
  retryable: "may pass another time",
};
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

export class FilterBar {
  view = {};
  #client;
  #controls = {};
  #chips = make("span", { class: "chips" });
  #found = make("output", { class: "count" });
  #changed;

  /**
   * @param {Function} changed called with another view
   * @param {HTMLElement} beside a further button of the bar
   */
  constructor(client, changed, beside) {
    this.#client = client;
    this.#changed = changed;
    this.#build(beside);
  }

  /** Have what a view asks for stand in the bar. */
  show(view) {
    this.view = view;
    const { search, state, sort } = this.#controls;
    if (document.activeElement !== search) search.value = view.text ?? "";
    state.value = view.state ?? "";
    sort.value = view.sort ?? "arrival";
    this.fill();
    this.#choose();
  }

  /** Say how many there are. */
  tell(found, rows) {
    this.#found.setAttribute("aria-live", this.#client.busy ? "off" : "polite"); // it would be read out twice a second
    say(this.#found, `${count(found)} of ${count(rows)}`);
  }

  /** What may be chosen grows with what comes. */
  async fill() {
    if (!this.#client.state) return;
    const names = await this.#client.ask("names");
    const fill = (select, first, options) => {
      const texts = [first, ...options];
      if (select.options.length === texts.length && !options.some(([one], at) => select.options[at + 1].value !== one)) return;
      select.replaceChildren(...choices(texts));
    };
    const sorted = (texts) => [...texts].sort();
    fill(this.#controls.code, ["", "any error"], sorted(names.codes).map((code) => [code, code]));
    fill(this.#controls.format, ["", "any format"], sorted(names.formats).map((format) => [format, format]));
    fill(this.#controls.mark, ["", "any mark"], [
      ...sorted(names.flags).map((flag) => [`flag:${flag}`, `flag ${flag}`]),
      ...sorted(names.labels).map((label) => [`label:${label}`, `label ${label}`]),
      ...sorted(names.changes).map((change) => [`change:${change}`, change]),
      ...Object.keys(MARKS).map((mark) => [`mark:${mark}`, MARKS[mark]]),
    ]);
    this.#choose(); // another view may have asked for what was no choice until now
  }

  #build(beside) {
    const change = (name, value) => this.#changed({ ...this.view, [name]: value || undefined });
    let typing = 0;
    const { search, state, code, format, mark, sort, filters } = (this.#controls = {
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
      mark: make("select", { "aria-label": "What stands out", onchange: () => this.#mark(mark.value) }),
      sort: make("select", { "aria-label": "Order", onchange: () => this.#changed({ ...this.view, sort: sort.value, descending: false }) }, choices(SORTS)),
      filters: make("button", { type: "button", class: "filters", "aria-expanded": "false", onclick: () => this.#unfold() }, "Filters"),
    });
    this.element = make("div", { class: "bar", role: "search", hidden: true }, search, filters, state, code, format, mark, sort, beside, this.#chips, this.#found);
  }

  #mark(value) {
    const [kind, ...parts] = value.split(":"); // names may have colons too
    this.#changed({ ...this.view, mark: undefined, flag: undefined, change: undefined, label: undefined, ...(kind ? { [kind]: parts.join(":") } : {}) });
  }

  /** Where there is little room, what narrows the list is folded away. */
  #unfold() {
    const open = this.element.classList.toggle("unfolded");
    this.#controls.filters.setAttribute("aria-expanded", String(open));
  }

  /** Have what is chosen stand in the bar. */
  #choose() {
    const { view } = this;
    const { code, format, mark } = this.#controls;
    const marked = ["mark", "flag", "change", "label"].find((name) => view[name]);
    code.value = view.code ?? "";
    format.value = view.format ?? "";
    mark.value = marked ? `${marked}:${view[marked]}` : "";
    const chips = Object.entries(CHIPS).filter(([name]) => view[name] !== undefined && mark.value !== `${name}:${view[name]}`);
    const key = JSON.stringify(chips.map(([name]) => [name, view[name]]));
    if (key === this.#chipped) return;
    this.#chipped = key;
    this.#chips.replaceChildren(
      ...chips.map(([name, words]) =>
        make(
          "span",
          { class: "chip" },
          words(view[name]),
          make("button", { type: "button", "aria-label": "Remove this filter", onclick: () => this.#changed({ ...this.view, [name]: undefined }) }, "×"),
        ),
      ),
    );
  }

  #chipped = "[]";
}
