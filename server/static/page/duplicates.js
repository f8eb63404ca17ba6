/** The view of pictures that look the same, in groups, side by side. */
import { choices, make, say } from "./dom.js";
import { drawGroup } from "./duplicategroup.js";
import { VirtualList } from "./virtual.js";
import { count, percent, some, span } from "./words.js";

const BITS = { usual: 6, most: 12 };
const SLIDING_MS = 250;
const HEIGHT = 226;
const ASK_MS = 300; // how far a comparison is
const REST_MS = 3000; // between comparisons of a census that grows

export class DuplicatesView {
  #client;
  #look;
  #shown = false;
  #comparing = false;
  #found = null; // what the last comparison found
  #wanted = null; // how the one is made that is, or will be, shown
  #next = 0;
  #timer = 0;
  #sliding = 0;
  #parts;
  #list;

  constructor(root, client, look) {
    this.#client = client;
    this.#look = look;
    root.append(...this.#build());
    client.addEventListener("begin", () => this.#begin());
    client.addEventListener("state", () => this.#came());
  }

  show() {
    this.#shown = true;
    this.#came();
  }

  hide() {
    this.#shown = false;
    clearTimeout(this.#timer);
  }

  #build() {
    const parts = (this.#parts = {
      empty: make("div", { class: "empty" }, "Pictures that look alike stand side by side here. Drop a list above."),
      bits: make("input", {
        type: "range",
        id: "duplicates-bits",
        min: 0,
        max: BITS.most,
        step: 1,
        value: BITS.usual,
        oninput: () => {
          this.#sayBits();
          clearTimeout(this.#sliding);
          this.#sliding = setTimeout(() => this.#compare(), SLIDING_MS);
        },
      }),
      bitsSay: make("output", { for: "duplicates-bits", "aria-live": "off" }), // the slider says it
      kind: make("select", { "aria-label": "Which groups", onchange: () => this.#show() }),
      repeats: make("input", { type: "checkbox", onchange: () => this.#compare() }),
      again: make("button", { type: "button", hidden: true, onclick: () => this.#compare() }),
      told: make("p", { class: "count", role: "status" }),
      explained: make("p", { class: "soft duplicates-explained" }),
    });
    this.#list = new VirtualList({
      label: "Groups of pictures that look the same",
      height: HEIGHT,
      draw: (element, group) => drawGroup(element, group, (one) => this.#pictures(one)),
      load: async (from, to) => {
        const kind = parts.kind.value;
        if (!this.#found) return { total: 0, items: [] };
        const { comparison } = this.#found;
        const answer = await this.#client.ask("duplicateGroups", { comparison, kind, from, to });
        // Of one that is over no more is told: what the later one found has come before this answer.
        return { total: answer?.total ?? 0, items: answer?.groups ?? [] };
      },
      open: (group, at, event) => event.type === "keydown" && this.#pictures(group),
    });
    parts.body = make(
      "div",
      { class: "duplicates", hidden: true },
      make(
        "div",
        { class: "duplicates-bar" },
        make("label", { class: "duplicates-bits" }, "Differ by at most ", parts.bits, parts.bitsSay),
        parts.kind,
        make("label", { class: "duplicates-check", title: "Rows whose URL stands in the list more than once" }, parts.repeats, "rows of the same URL too"),
        parts.again,
        parts.told,
      ),
      parts.explained,
      this.#list.element,
    );
    this.#sayBits();
    this.#kinds({ all: 0, same: 0, similar: 0 });
    return [parts.empty, parts.body];
  }

  #sayBits() {
    const { bits, bitsSay, explained } = this.#parts;
    const most = Number(bits.value);
    say(bitsSay, `${most} of 64 bits`);
    bits.setAttribute("aria-valuetext", `${most} of 64 bits`);
    say(explained, `Perceptual hashes are compared. A group is the first picture of the list and all that differ from it by ${most ? `at most ${some(most, "bit")}` : "nothing"}; each picture is in one group. Crops, turned and framed pictures have other hashes: they are not found.`);
  }

  #kinds(groups) {
    const { kind } = this.#parts;
    const words = { all: "all groups", same: "with a file more than once", similar: "with different files" };
    const options = Object.entries(words).map(([name, text]) => [name, `${text} (${count(groups[name])})`]);
    if (!kind.options.length) kind.replaceChildren(...choices(options, "all"));
    else options.forEach(([, text], at) => say(kind.options[at], text));
  }

  #begin() {
    this.#found = this.#wanted = null;
    this.#next = 0;
    clearTimeout(this.#timer);
    clearTimeout(this.#sliding);
    this.#parts.body.hidden = true;
    this.#parts.empty.hidden = false;
    this.#parts.again.hidden = true;
    say(this.#parts.empty, "No row has come yet.");
    this.#kinds({ all: 0, same: 0, similar: 0 });
    this.#list.reset();
  }

  /** Something came: compare again, unless somebody reads what is there. */
  #came() {
    const { state } = this.#client;
    if (!this.#shown || !state) return;
    const fresh = this.#found ? state.kept - this.#found.kept : state.kept;
    if (this.#comparing) return;
    if (this.#found?.hashed === 0) this.#none(state); // it says why, and may say another thing at the end
    if (fresh === 0 && this.#found) return;
    if (state.kept === 0) return this.#none(state);
    const reads = this.#found?.groups.all && (this.#list.element.scrollTop > 0 || this.#list.element.matches(":hover, :focus-within"));
    this.#parts.again.hidden = !reads;
    say(this.#parts.again, `Compare again: ${some(fresh, "more row")}`);
    if (reads) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#compare(), Math.max(0, this.#next - performance.now()));
  }

  async #compare() {
    const { bits, repeats, told, again } = this.#parts;
    const how = (this.#wanted = { bits: Number(bits.value), repeats: repeats.checked });
    clearTimeout(this.#timer);
    this.#comparing = true;
    again.hidden = true;
    const watch = setInterval(async () => {
      const done = await this.#client.ask("duplicatesDone");
      if (this.#comparing && this.#wanted === how) say(told, `Comparing… ${percent(done, 1)}`);
    }, ASK_MS);
    let found = null;
    try {
      found = await this.#client.ask("duplicates", how);
    } finally {
      clearInterval(watch);
      if (this.#wanted === how || this.#wanted === null) this.#comparing = false;
    }
    if (found === null || this.#wanted === null) return this.#came(); // the one before: of this one nothing may come any more
    // Also where another distance is wanted by now: the worker holds these groups, no others.
    this.#found = { ...found, bits: how.bits };
    this.#next = performance.now() + Math.max(REST_MS, 8000 * found.seconds);
    this.#show();
    this.#came(); // what came meanwhile
  }

  #show() {
    const { empty, body, told, kind } = this.#parts;
    const { hashed, compared, groups, rows, seconds } = this.#found;
    if (hashed === 0) return this.#none(this.#client.state);
    empty.hidden = true;
    body.hidden = false;
    this.#kinds(groups);
    const took = seconds > 1 ? ` in ${span(seconds)}` : "";
    say(told, groups.all ? `${some(groups.all, "group")} of ${some(rows, "picture")}, of ${count(compared)}${took}` : `${unlike(this.#found)}${took}`);
    this.#list.element.hidden = groups[kind.value] === 0;
    this.#list.reset({ scroll: false });
  }

  #none(state) {
    const { empty, body } = this.#parts;
    body.hidden = true;
    empty.hidden = false;
    say(empty, missing(state, this.#client.busy));
  }

  async #pictures({ comparison, kind, at }) {
    const rows = await this.#client.ask("duplicateRows", { comparison, kind, at });
    if (rows) this.#look({ rows }); // else others are drawn in this moment
  }
}

/** That there is no group. */
function unlike({ compared, bits }) {
  if (compared < 2) return "One picture: there is no other to compare it with";
  return `No two of ${count(compared)} pictures ${bits ? `differ by ${some(bits, "bit")} or less` : "have the same hash"}`;
}

/** Why there is nothing to compare, and how there would be. */
function missing(state, busy) {
  const options = state.start?.options ?? {};
  if (state.kept === 0) return busy ? "No row has come yet." : "No rows.";
  if (state.start?.kind === "batch_predict") return "Predictions bring no perceptual hashes. Look at the list again and ask for “pictures and all facts”.";
  if (options.depth !== "full" && !options.thumbnail) return "Only whole pictures have a perceptual hash, and only the first bytes of each were read. Look at the list again and ask for “pictures and all facts” or “all facts”: by curl, depth=full.";
  return busy ? "No picture with a perceptual hash has come yet." : "No picture could be read, so there is nothing to compare.";
}
