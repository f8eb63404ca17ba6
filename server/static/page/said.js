/** Above the pictures: what is predicted, how often, and a press to see only those. */
import { make } from "./dom.js";
import { count, percent, spoken } from "./words.js";

const EVERY_MS = 600;
const MOST_SHOWN = 14;

export class SaidBar {
  #client;
  #pictures;
  #asked = 0;
  #later = 0;
  #key = "";

  /** @param {PicturesView} pictures what is pressed is looked at there */
  constructor(client, pictures) {
    this.#client = client;
    this.#pictures = pictures;
    this.element = make("div", { class: "said", role: "group", "aria-label": "What is predicted", hidden: true });
    client.addEventListener("begin", () => this.#begin());
    client.addEventListener("state", ({ detail }) => this.#came(detail));
    // The same may be chosen, or taken back, by the bar of filters above.
    for (const kind of ["change", "click"]) pictures.root.addEventListener(kind, () => this.#press());
  }

  #begin() {
    clearTimeout(this.#later);
    this.#asked = 0;
    this.element.hidden = true;
    this.element.replaceChildren();
    this.#key = "";
    this.#pictures.root.classList.remove("predicts");
  }

  #came(state) {
    const predicts = state.start?.kind === "batch_predict";
    this.#pictures.root.classList.toggle("predicts", predicts);
    if (!predicts) return;
    const now = performance.now();
    clearTimeout(this.#later);
    if (now - this.#asked < EVERY_MS) {
      this.#later = setTimeout(() => this.#came(state), EVERY_MS);
      return;
    }
    this.#asked = now;
    this.#ask();
  }

  async #ask() {
    const { census } = this.#client.state;
    const { rows, flags, labels } = await this.#client.ask("said");
    if (this.#client.state?.census !== census) return; // another was begun
    const said = [...flags.map(([name, times]) => ["flag", name, times]), ...labels.map(([name, times]) => ["label", name, times])];
    this.element.hidden = said.length === 0;
    const names = said.slice(0, MOST_SHOWN);
    const key = names.map(([kind, name]) => `${kind}:${name}`).join("\n");
    if (key !== this.#key) {
      this.#key = key;
      this.#build(names, said.length);
    }
    for (const [at, [, , times]] of names.entries()) {
      const button = this.element.children[at];
      button.lastElementChild.textContent = count(times);
      button.title = `${percent(times, rows)} of the rows that were predicted`;
    }
    this.#press();
  }

  #build(names, all) {
    const focused = document.activeElement?.dataset?.said;
    this.element.replaceChildren(
      ...names.map(([kind, name]) =>
        make("button", { type: "button", "data-said": `${kind}:${name}`, "aria-pressed": "false", onclick: () => this.#choose(kind, name) }, `${spoken(name)} `, make("b")),
      ),
    );
    if (all > names.length) this.element.append(make("span", { class: "soft" }, `and ${count(all - names.length)} more: see “any mark”`));
    if (focused) [...this.element.children].find((button) => button.dataset.said === focused)?.focus();
  }

  #choose(kind, name) {
    const { view } = this.#pictures;
    const chosen = view[kind] === name;
    this.#pictures.look({ ...view, flag: undefined, label: undefined, mark: undefined, ...(chosen ? {} : { [kind]: name }) });
    this.#press();
  }

  #press() {
    const { view } = this.#pictures;
    for (const button of this.element.querySelectorAll("button")) {
      const [kind, ...name] = button.dataset.said.split(":");
      button.setAttribute("aria-pressed", String(view[kind] === name.join(":")));
    }
  }
}
