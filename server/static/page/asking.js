/** The form: a list, and what is asked of it. */
import { ask, jobPath, Problem } from "./api.js";
import { byId, choices, make, say } from "./dom.js";
import { withKey } from "./key.js";
import { ListField } from "./listfield.js";
import { keepName, listName } from "./listnames.js";
import { TYPES } from "./listtype.js";
import { Predictors } from "./predictors.js";
import { unturned } from "./words.js";

const THUMBNAIL = 96;
const JOB_MS = 10_000; // so long a job is asked where its results begin

const WHAT = [
  ["thumbnails", "pictures and all facts"],
  ["header", "facts from the first bytes (fastest)"],
  ["full", "all facts, no pictures"],
  ["predict", "predictions"],
];
const COSTS = {
  header: "Asks for some 16 KiB of each picture: right for long lists.",
  thumbnails: "Downloads every picture whole and decodes it.",
  full: "Downloads every picture whole and decodes it.",
  predict: "Downloads every picture whole, and has the predictor look at it.",
};
const KINDS = [
  ["", "as it looks"],
  [TYPES.tsv, "TSV, or a URL a line"],
  [TYPES.csv, "CSV"],
  [TYPES.ndjson, "NDJSON"],
];

export class Asking {
  #client;
  #list = new ListField({ told: (words) => this.#told(words), held: () => this.#parts.look.focus(), over: () => this.open() });
  #predictors = new Predictors();
  #parts = {};

  /** @param {Function} go shows a view by its name */
  constructor(root, client, go) {
    this.#client = client;
    this.root = root;
    this.go = go;
    this.#build();
    client.addEventListener("state", ({ detail }) => this.#answered(detail));
  }

  /**
   * Show the results of a job as a census of its own: those behind the cursor *after*, null where none
   * were released. Without it the job is asked.
   */
  async showJob(job, expected = null, after = undefined) {
    const turn = ++this.#turn;
    this.#shows(`Job ${job}`);
    history.replaceState(null, "", `?job=${encodeURIComponent(job)}${location.hash}`); // for a reload, or somebody else
    const known = after === undefined ? await this.#known(job) : { expected, after, sure: false };
    if (turn !== this.#turn) return; // something else is shown by now
    const path = `${jobPath(job)}/results?follow=1${known.after === null ? "" : `&after=${known.after}`}`;
    this.#last = { request: { path, method: "GET", headers: {}, resumable: true }, expected: known.expected, job, sure: known.sure };
    this.#send();
  }

  /** Where the results of a job begin, how many they come to, and whether that is sure. */
  async #known(job) {
    try {
      const { rows, released } = await ask("GET", jobPath(job), { asksKey: false, signal: AbortSignal.timeout(JOB_MS) });
      return { expected: rows.total ?? rows.expected, after: released, sure: true };
    } catch (error) {
      // Its results are refused likewise, and there it is told why, a key is asked for, or waited for the service.
      return { expected: null, after: null, sure: error.status === 404 || error.status === 410 };
    }
  }

  /** Whether what is shown now ends with the page. */
  get fleeting() {
    return this.#last !== null && !this.#last.request.resumable;
  }

  /** A job is named; what was refused is put right in the form. */
  #answered({ state, start, problem, rows }) {
    if (start?.job) say(this.brief.firstElementChild, `Job ${start.job} · ${listName(start.job, start.manifest)}`);
    const { request, job, sure } = this.#last;
    if (state === "cut" && rows === 0 && !request.resumable && this.form.hidden) return this.open();
    if (state !== "refused") return;
    if (problem.status === 410 && rows === 0 && job && !sure) {
      this.#last.sure = true; // results were released since that was known: once more, from where they begin now
      this.showJob(job);
    } else if (this.form.hidden && problem.status !== 401 && !request.resumable) this.open();
  }

  /** Ask the same once more: there is a key now. */
  again() {
    const { request, expected, words, file, job } = this.#last;
    if (job) this.showJob(job);
    else this.#begin(request, expected, words, file);
  }

  #last = null; // what was asked for: {request, expected, words, file} of a list, {request, expected, job, sure} of a job
  #turn = 0; // of showing: what is known of a job later counts no more

  #begin(request, expected, words, file) {
    this.#turn += 1;
    this.#last = { request, expected, words, file };
    if (location.search) history.replaceState(null, "", `${location.pathname}${location.hash}`);
    this.#send();
    this.#shows(words);
  }

  #send() {
    const { request, expected, file = null } = this.#last;
    this.#client.begin({ ...request, headers: withKey(request.headers) }, expected, file);
  }

  /** The form makes room for what was asked for. */
  #shows(words) {
    this.#brief(words);
    this.go("pictures");
  }

  #build() {
    const parts = (this.#parts = {
      path: make("input", { type: "text", id: "path", placeholder: "sample.tsv", autocomplete: "off", autocapitalize: "off", spellcheck: false }),
      what: make("select", { id: "what", onchange: () => this.#asksFor() }, choices(WHAT)),
      kind: make("select", { id: "kind" }, choices(KINDS)),
      limit: make("input", { type: "number", id: "limit", min: 1, step: 1, placeholder: "all" }),
      told: make("p", { class: "problem", role: "alert", hidden: true }),
      look: make("button", { class: "main", type: "submit" }, "Look now"),
      job: make("button", { type: "button", title: "Kept in Redis: it goes on without this page", onclick: () => this.#submitJob() }, "Hand in as a job"),
    });
    const field = (words, input, kind = "") => make("label", { class: `field ${kind}` }, words, input);
    this.form = make(
      "form",
      { onsubmit: (event) => (event.preventDefault(), this.#submit(false)) },
      make("h2", {}, "Which pictures?"),
      make("p", { class: "lead" }, "Drop a list of image URLs here, paste it, or name a file on the server. Every row is answered: with the facts of its picture, or with the reason why there are none."),
      make("label", { for: "list", class: "field" }, "One URL a line, or columns of which one is named url and, maybe, one id; TSV, CSV, NDJSON, JSON"),
      this.#list.element,
      make(
        "div",
        { class: "row" },
        ...this.#list.chooser,
        field("or a file in the server's data folder", parts.path, "grow"),
        field("The list is", parts.kind),
        field("What to ask for", parts.what),
        ...this.#predictors.fields,
        field("First rows only", parts.limit),
        make("div", { class: "push" }, parts.job, parts.look),
      ),
      (this.costs = make("p", { class: "lead" }, COSTS.thumbnails)),
      this.#predictors.about,
      parts.told,
    );
    this.brief = make("div", { class: "brief", hidden: true }, make("p"), make("button", { type: "button", onclick: () => this.open() }, "New list"));
    this.root.append(this.form, this.brief);
  }

  /** Show the form again. */
  open() {
    this.form.hidden = false;
    this.brief.hidden = true;
    this.root.classList.remove("brief-only");
    this.#list.focus();
  }

  #brief(words) {
    const had = this.form.contains(document.activeElement);
    this.form.hidden = true;
    this.brief.hidden = false;
    this.root.classList.add("brief-only");
    say(this.brief.firstElementChild, words);
    if (had) byId("view").focus({ preventScroll: true }); // what had the focus is hidden: keys go on in the view
  }

  #told(words) {
    say(this.#parts.told, words);
    this.#parts.told.hidden = words === "";
  }

  async #asksFor() {
    say(this.costs, COSTS[this.#parts.what.value]);
    const predicts = this.#parts.what.value === "predict";
    this.#predictors.show(predicts);
    if (!predicts) return;
    try {
      await this.#predictors.load();
      this.#told("");
    } catch (error) {
      this.#told(error.message);
    }
  }

  /** The options of a request, and which route they are for. */
  #options(asJob) {
    const { what, limit } = this.#parts;
    const options = {};
    if (limit.value) options.limit = Number(limit.value);
    if (what.value === "predict") {
      return ["batch_predict", { ...options, ...this.#predictors.options(asJob) }];
    }
    if (what.value === "thumbnails") options.thumbnail = THUMBNAIL;
    else options.depth = what.value;
    return ["images_info", options];
  }

  async #submit(asJob) {
    this.#told("");
    const list = await this.#list.list();
    const named = this.#parts.path.value.trim();
    if (list === null && named === "") return this.#told("There is no list yet: drop, paste or name one.");
    if (list !== null && named !== "") return this.#told("There are a list and a file's name: take one of them away.");
    const [route, options] = this.#options(asJob);
    const request = { method: "POST", path: `/api/v1/${route}${asJob ? "_async" : ""}` };
    if (list === null) {
      request.headers = { "Content-Type": "application/json" };
      request.body = JSON.stringify({ filepath: named, ...options });
    } else {
      request.headers = { "Content-Type": this.#parts.kind.value || list.type };
      request.path += `?${new URLSearchParams(options)}`;
      request.body = list.blob;
    }
    const expected = options.limit ? Math.min(options.limit, list?.expected ?? options.limit) : (list?.expected ?? null);
    if (asJob) return this.#handIn(request, list);
    this.#begin(request, expected, `${list?.name ?? unturned(named)} · ${this.#parts.what.selectedOptions[0].textContent}`, list?.file);
  }

  /** Pressed twice, a list is one job all the same. */
  async #submitJob() {
    const { job } = this.#parts;
    job.disabled = true;
    try {
      await this.#submit(true);
    } finally {
      job.disabled = false;
    }
  }

  async #handIn({ method, path, body, headers }, list) {
    try {
      const { job } = await ask(method, path, { body, headers });
      if (list !== null) keepName(job, list.name);
      this.go("jobs", job);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#told(error.message);
    }
  }
}
