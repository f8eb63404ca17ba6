/** The field of a list: text that is written there, or a list that was dropped, pasted or chosen. */
import { make } from "./dom.js";
import { HeldList } from "./lists.js";
import { bytes, some } from "./words.js";

const LARGE_TEXT = 200_000; // characters; more is held, not shown: a text field would stall
const SAMPLE = "https://…/first.jpg\nhttps://…/second.png";

export class ListField {
  element = make("div", { class: "drop" });
  #how;
  #held = null;
  #taken = 0; // files and large texts that were given
  #text = make("textarea", { id: "list", rows: 4, placeholder: SAMPLE, spellcheck: false, autocapitalize: "off", onpaste: (event) => this.#paste(event), oninput: () => this.#how.told("") });
  #file = make("input", { type: "file", id: "file", accept: ".tsv,.tab,.csv,.txt,.ndjson,.jsonl,.json,.parquet,.gz,.zst", hidden: true, onchange: () => this.#take(this.#file.files[0]) });
  /** To choose a file with. */
  chooser = [make("button", { type: "button", onclick: () => this.#file.click() }, "Choose a file…"), this.#file];

  /**
   * @param {Object} how `told(words)` says what is wrong with a file, nothing where all is well again;
   *   `held()`: a list is there; `over()`: a file is held above the window
   */
  constructor(how) {
    this.#how = how;
    this.element.append(this.#text);
    this.#drops();
  }

  /** @returns {Promise<HeldList|null>} the list that is there */
  async list() {
    if (this.#held !== null || this.#text.value.trim() === "") return this.#held;
    return HeldList.ofText(this.#text.value);
  }

  focus() {
    this.#text.focus();
  }

  #drops() {
    const over = (on) => this.element.classList.toggle("over", on);
    addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      this.#how.over();
      over(true);
    });
    addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
    addEventListener("drop", (event) => {
      over(false);
      const { files } = event.dataTransfer;
      if (!files.length) return;
      event.preventDefault();
      if (files.length > 1) this.#how.told(`${files.length} files were dropped, and none was taken: drop one at a time.`);
      else this.#take(files[0]);
    });
  }

  async #take(file) {
    if (!file) return;
    const turn = ++this.#taken;
    try {
      const list = await HeldList.ofFile(file);
      if (turn === this.#taken) this.#hold(list); // else another came while this was counted
    } catch (error) {
      if (turn === this.#taken) this.#how.told(error.message);
    }
    this.#file.value = "";
  }

  async #paste(event) {
    const text = event.clipboardData.getData("text/plain");
    if (text.length <= LARGE_TEXT) return;
    event.preventDefault();
    const { value, selectionStart, selectionEnd } = this.#text;
    const turn = ++this.#taken;
    const list = await HeldList.ofText(value.slice(0, selectionStart) + text + value.slice(selectionEnd));
    if (turn === this.#taken) this.#hold(list);
  }

  /** Keep a list that is not shown as text. */
  #hold(list) {
    this.#held = list;
    this.#how.told("");
    const rows = list.expected === null ? "" : `, about ${some(list.expected, "line")}`;
    this.element.replaceChildren(
      make(
        "div",
        { class: "held" },
        make("div", {}, make("strong", {}, list.name), make("div", { class: "lead" }, `${bytes(list.blob.size)}${rows}`)),
        make("button", { type: "button", onclick: () => this.#let() }, "Remove"),
      ),
    );
    this.#how.held();
  }

  #let() {
    this.#held = null;
    this.#taken += 1;
    this.element.replaceChildren(this.#text);
    this.focus();
  }
}
