/** One job in the list: its parts are made once, and say something else when there is something else. */
import { make, say } from "./dom.js";
import { commandsOf, isFile, optionsOf } from "./commands.js";
import { copyable } from "./copying.js";
import { FORMS } from "./downloads.js";
import { listName } from "./listnames.js";
import { bytes, count, percent, rate, some, span, unturned } from "./words.js";

const STATES = { queued: "waiting", running: "running", paused: "paused", done: "done", failed: "failed", cancelled: "cancelled" };
const NOBODY_CAME_MS = 15_000;
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** Whether there is more to come of it. */
export const isOpen = ({ state }) => state === "queued" || state === "running";

/** A moment in the reader's time. */
function moment(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return String(text);
  const today = day.format(at) === day.format(new Date());
  return `${today ? "today" : day.format(at)} ${clock.format(at)}`;
}

export class JobCard {
  #parts = {};
  #commandsFor = "";
  #under = new Set(); // what is under way with it: `act` (cancel, delete), `download`

  /** @param {Object} acts `show`, `cancel`, `remove`, `download(card, form)`: what its buttons do */
  constructor(job, acts) {
    this.job = job;
    const button = (words, act, props = {}) => make("button", { type: "button", onclick: () => act(this), ...props }, words);
    const parts = (this.#parts = {
      pill: make("span", { class: "pill" }),
      manifest: make("strong", { class: "job-manifest" }),
      kind: make("span", { class: "soft" }),
      when: make("time", { class: "job-when soft" }),
      ok: make("span", { class: "ok" }),
      bad: make("span", { class: "bad" }),
      counts: make("p", { class: "job-counts" }),
      codes: make("p", { class: "job-codes" }),
      reason: make("p", { class: "note", hidden: true }),
      says: make("ul", { class: "job-says", hidden: true }),
      saving: make("p", { class: "note", hidden: true }), // not read out each time
      told: make("p", { class: "problem", role: "alert", hidden: true }),
      show: button("Show records", acts.show),
      forms: make("span", { class: "job-forms", role: "group", "aria-label": "Save results as" }),
      cancel: button("Cancel", acts.cancel),
      remove: button("Delete", acts.remove, { class: "danger" }),
      commands: make("details", { class: "job-commands", ontoggle: () => this.#commands() }, make("summary", {}, "Commands")),
    });
    parts.bar = make("div", { class: "job-bar", role: "progressbar", "aria-valuemin": 0, "aria-label": "Rows done" }, parts.ok, parts.bad);
    this.forms = FORMS.map((form) => button(form[1], (card) => acts.download(card, form)));
    parts.forms.append(make("span", { class: "soft" }, "Save"), ...this.forms);
    this.element = make(
      "article",
      { class: "job card", tabIndex: -1, "data-job": job.id, "aria-label": `Job ${job.id}` },
      make("div", { class: "job-head" }, parts.pill, parts.manifest, parts.kind, parts.when),
      parts.bar,
      parts.counts,
      parts.codes,
      parts.reason,
      parts.says,
      make("div", { class: "job-buttons" }, parts.show, parts.forms, make("span", { class: "push" }, parts.cancel, parts.remove)),
      parts.saving,
      parts.told,
      parts.commands,
    );
    this.update(job);
  }

  /** Say what is known of it now. */
  update(job) {
    this.job = job;
    const { pill, manifest, kind, when } = this.#parts;
    const state = job.paused && isOpen(job) ? "paused" : job.state;
    pill.dataset.state = state;
    say(pill, STATES[state] ?? state);
    say(manifest, listName(job.id, job.manifest));
    manifest.title = isFile(job) ? unturned(job.manifest) : "";
    say(kind, [job.kind === "batch_predict" ? "predictions" : "facts", ...optionsOf(job).map(optionWords)].join(" · "));
    when.dateTime = job.created;
    when.title = `${job.id}: handed in ${job.created}${job.finished ? `, ended ${job.finished}` : ""}`;
    say(when, ended(job));
    this.#numbers(job);
    this.#reasons(job, state);
    this.#buttons(job);
  }

  /** Those that can be pressed: none twice while what it does is under way, whatever is known meanwhile. */
  #buttons(job) {
    const { show, cancel, remove } = this.#parts;
    const acts = this.#under.has("act");
    cancel.hidden = !isOpen(job);
    cancel.disabled = remove.disabled = acts;
    show.disabled = acts || (job.state === "queued" && job.rows.done === 0 && !this.#began());
    const saves = acts || this.#under.has("download");
    for (const [at, button] of this.forms.entries()) {
      button.disabled = saves || (at > 0 ? job.state !== "done" : job.rows.done === 0);
      button.title = at > 0 && job.state !== "done" ? "A table is of all rows: when the job is done" : isOpen(job) ? "What is there so far" : "";
    }
  }

  /** Something is done with it, an `act` or a `download`, or no longer. */
  under(kind, goesOn) {
    if (goesOn) this.#under.add(kind);
    else this.#under.delete(kind);
    this.#buttons(this.job);
  }

  /** Tell of something that was tried with it; only what is tried next takes it away. */
  tell(words) {
    const { told } = this.#parts;
    say(told, words);
    told.hidden = words === "";
  }

  /** Say how far a download is, with an empty text that there is none. */
  saving(words) {
    const { saving } = this.#parts;
    say(saving, words);
    saving.hidden = words === "";
  }

  /** Have it seen: it was just handed in. */
  light() {
    for (const other of document.querySelectorAll(".job.lit")) other.classList.remove("lit");
    this.element.classList.add("lit");
    this.element.scrollIntoView({ block: "nearest" });
    this.element.focus({ preventScroll: true });
  }

  #began() {
    return this.job.started !== null;
  }

  #numbers(job) {
    const { rows } = job;
    const { ok, bad, bar, counts, codes } = this.#parts;
    const all = rows.total ?? rows.expected;
    const whole = Math.max(all ?? 0, rows.done, 1);
    ok.style.width = `${(100 * rows.ok) / whole}%`;
    bad.style.width = `${(100 * rows.failed) / whole}%`;
    bar.classList.toggle("unknown", all === null && isOpen(job));
    bar.setAttribute("aria-valuemax", String(whole));
    bar.setAttribute("aria-valuenow", String(rows.done));
    bar.setAttribute("aria-valuetext", `${some(rows.done, "row")} done${all === null ? "" : ` of ${count(all)}`}`);
    const of = all === null ? some(rows.done, "row") : `${count(rows.done)} of ${rows.total === null ? "about " : ""}${some(all, "row")}`;
    const parts = [`${of} done`];
    if (all && isOpen(job)) parts.push(percent(rows.done, all));
    if (rows.done) parts.push(`${count(rows.ok)} ok`, `${count(rows.failed)} failed`, `${bytes(job.bytes)} received`);
    if (job.rate > 0 && isOpen(job)) parts.push(`${rate(job.rate)} rows/s`);
    if (job.eta_seconds !== null && isOpen(job)) parts.push(`about ${span(job.eta_seconds)} left`);
    fill(counts, parts, (part) => make("span", {}, part));
    const errors = Object.entries(job.errors).sort((one, other) => other[1] - one[1]);
    fill(codes, errors.map(([code, rows]) => `${code} ${count(rows)}`), (words) => make("span", { class: "tag bad" }, words));
    codes.hidden = errors.length === 0;
  }

  #reasons(job, state) {
    const { reason, says } = this.#parts;
    let words = job.reason ?? "";
    if (state === "failed") words = `Failed: ${words || "nobody said why"}`;
    if (state === "paused") words = `Paused: ${words}`;
    if (job.state === "queued" && Date.now() - Date.parse(job.created) > NOBODY_CAME_MS) {
      words = "Nobody has taken it yet: all consumers are busy, or none runs. Start one with .venv/bin/python -m workers";
    }
    if (job.released) words = `${words ? `${words}. ` : ""}Results up to ${job.released} were released: those behind it can be had.`;
    say(reason, words);
    reason.hidden = words === "";
    reason.classList.toggle("problem", state === "failed");
    reason.classList.toggle("note", state !== "failed");
    fill(says, (job.diagnosis ?? []).map((one) => one.says), (text) => make("li", {}, text));
    says.hidden = !says.childElementCount;
  }

  /** Commands are made when they are looked at: most never are. */
  #commands() {
    const { commands } = this.#parts;
    if (!commands.open) return;
    const list = commandsOf(this.job);
    if (this.#commandsFor === JSON.stringify(list)) return;
    this.#commandsFor = JSON.stringify(list);
    commands.replaceChildren(commands.firstElementChild, ...list.map(([words, text]) => copyable(words, text)));
  }
}

/** Children of *element*, one for each text, made anew only where a text is another. */
function fill(element, texts, made) {
  const key = texts.join("\n");
  if (element.key === key) return;
  element.key = key;
  element.replaceChildren(...texts.map(made));
}

const OPTION_WORDS = {
  depth: (value) => `${value} depth`,
  thumbnail: (value) => `thumbnails of ${value}`,
  limit: (value) => `first ${some(value, "row")}`,
  timeout: (value) => `${value} s for each`,
  extra: () => "other columns too",
  predictor: (value) => value,
  size: (value) => value.join(" × "),
  batch_size: (value) => `batches of ${value}`,
};

const optionWords = ([name, value]) => OPTION_WORDS[name]?.(value) ?? `${name} ${value}`;

function ended(job) {
  if (!job.finished) return `handed in ${moment(job.created)}`;
  const took = (Date.parse(job.finished) - Date.parse(job.started ?? job.created)) / 1000;
  return `${STATES[job.state]} ${moment(job.finished)}${job.started ? `, after ${span(took)}` : ""}`;
}
