/** Who may be asked to predict: the choice in the form, and what the service tells of each. */
import { ask } from "./api.js";
import { choices, make, say } from "./dom.js";

const USUAL_SIZE = [64, 64];
const USUAL_BATCH = 32;
const MOST_PIXELS_BYTES = 16 * 1024 * 1024; // of the array of one batch line
const LABELS_TOLD = 6;
const FITS = [
  ["stretch", "stretched"],
  ["pad", "whole, with a margin"],
  ["crop", "cut at two sides"],
];
const BUILT_IN = {
  appearance: "What a thumbnail shows: brightness, colours, plain backgrounds, and flags for what stands out.",
  none: "Nothing is predicted: the pictures alone, as batches.",
};

const sizeOf = ({ size }) => (size ? `${size[0]} × ${size[1]}` : "any size");

/** What is told of one, in a line. */
function aboutOf(one) {
  if (!one.ready) return `Cannot be used: ${one.error}`;
  const said = [];
  if (Object.hasOwn(BUILT_IN, one.name)) said.push(BUILT_IN[one.name]);
  if (one.version) said.push(`version ${one.version}`);
  said.push(`pictures of ${sizeOf(one)}`);
  if (one.labels.length) {
    const more = one.labels.length - LABELS_TOLD;
    said.push(`says ${one.labels.slice(0, LABELS_TOLD).join(", ")}${more > 0 ? ` and ${more} more` : ""}`);
  }
  if (one.sha256) said.push(`file ${one.sha256.slice(0, 12)}…`);
  return said.join(" · ");
}

export class Predictors {
  #known = [];

  constructor() {
    this.select = make("select", { id: "predictor", onchange: () => this.#tell() });
    this.fit = make("select", { id: "fit", title: "What becomes of pictures of other proportions" }, choices(FITS));
    const field = (words, input) => make("label", { class: "field" }, words, input);
    /** For the row of the form. */
    this.fields = [field("Predictor", this.select), field("Pictures are", this.fit)];
    this.words = make("span", {});
    /** Below that row: who is chosen. */
    this.about = make("p", { class: "predictor-about" }, this.words, " ", make("button", { type: "button", class: "quiet", onclick: () => this.#compare() }, "All predictors"));
    this.dialog = make("dialog", { class: "predictors", "aria-labelledby": "predictors-title" });
    this.show(false);
  }

  /** Whether there is something to choose. */
  show(on) {
    for (const element of [...this.fields, this.about]) element.hidden = !on;
  }

  /** Ask which there are: files are looked at anew each time. Throws what `ask` does. */
  async load() {
    const { predictors, default: usual } = await ask("GET", "/api/v1/predictors");
    this.#known = predictors;
    const wanted = this.select.value || usual;
    const chosen = predictors.some(({ name, ready }) => ready && name === wanted) ? wanted : usual;
    this.select.replaceChildren(
      ...predictors.map((one) => make("option", { value: one.name, disabled: !one.ready, selected: one.name === chosen }, one.ready ? one.name : `${one.name} (cannot be used)`)),
    );
    this.#tell();
  }

  /** Options of a request. The pictures come as what was predicted: no other address is asked for one. */
  options(asJob) {
    const options = { predictor: this.select.value || "appearance" };
    const [width, height] = this.#chosen?.size ?? USUAL_SIZE;
    const picture = 3 * width * height;
    options.batch_size = Math.max(1, Math.min(USUAL_BATCH, Math.floor(MOST_PIXELS_BYTES / picture)));
    if (this.fit.value !== "stretch") options.fit = this.fit.value;
    if (!asJob && picture <= MOST_PIXELS_BYTES) options.pixels = "npy";
    return options;
  }

  get #chosen() {
    return this.#known.find(({ name }) => name === this.select.value);
  }

  #tell() {
    say(this.words, this.#chosen ? aboutOf(this.#chosen) : "");
  }

  async #compare() {
    await this.load().catch(() => {}); // what is known is shown
    const { dialog } = this;
    const close = () => dialog.close();
    dialog.replaceChildren(
      make("div", { class: "dialog-head" }, make("h2", { id: "predictors-title" }, "Predictors"), make("button", { type: "button", onclick: close }, "Close")),
      ...this.#known.map((one) => this.#card(one)),
      make("p", { class: "soft" }, "An ONNX file in the folder that CENSUS_MODELS_DIR names is one more, as soon as it lies there."),
    );
    dialog.onclick = (event) => event.target === dialog && close();
    dialog.onclose = () => dialog.remove();
    if (dialog.open) return; // it was pressed twice
    document.body.append(dialog);
    dialog.showModal();
  }

  #card(one) {
    const pairs = [];
    const tell = (name, value) => value && pairs.push(make("dt", {}, name), make("dd", {}, value));
    if (one.ready) {
      tell("version", one.version);
      tell("pictures", `${sizeOf(one)}${one.layout === "NHWC" ? ", NHWC" : ""}`);
      tell(one.labels.length === 1 ? "label" : `${one.labels.length} labels`, one.labels.length ? `${one.labels.slice(0, 30).join(", ")}${one.labels.length > 30 ? ", …" : ""}` : "");
      tell("file", one.sha256 && make("code", {}, one.sha256));
      tell("its JSON", one.settings_sha256 && make("code", {}, one.settings_sha256));
      tell("runs on", Object.entries(one.software).map(([name, version]) => `${name} ${version}`).join(", "));
    }
    const use = () => {
      this.select.value = one.name;
      this.#tell();
      this.dialog.close();
      this.select.focus();
    };
    return make(
      "article",
      { class: `predictor card${one.ready ? "" : " unready"}` },
      make(
        "div",
        { class: "predictor-head" },
        make("strong", {}, one.name),
        make("span", { class: `tag ${one.ready ? "accent" : "bad"}` }, one.ready ? "ready" : "cannot be used"),
        one.ready && make("button", { type: "button", "aria-label": `Use ${one.name}`, disabled: one.name === this.select.value, onclick: use }, one.name === this.select.value ? "Chosen" : "Use it"),
      ),
      Object.hasOwn(BUILT_IN, one.name) && make("p", {}, BUILT_IN[one.name]),
      !one.ready && make("p", { class: "problem" }, one.error),
      pairs.length > 0 && make("dl", { class: "facts" }, pairs),
    );
  }
}
