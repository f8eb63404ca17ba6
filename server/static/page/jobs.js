/** Jobs: those there are, how far they are, and what may be done with them. */
import { ask, JOBS, jobPath, Problem } from "./api.js";
import { firstCommands } from "./commands.js";
import { copyable } from "./copying.js";
import { make, say } from "./dom.js";
import { isOpen, JobCard } from "./job.js";
import { JobActs } from "./jobacts.js";
import { awayWords } from "./jobwords.js";
import { keyOf } from "./key.js";
import { count, some } from "./words.js";

const PAGE = 30;
const OPEN_MS = 2000; // between looks, while something is open
const QUIET_MS = 15_000; // while nothing is: one may be handed in elsewhere
const MOST_AWAY_MS = 30_000; // while the service does not answer
const MOST_SINGLE = 10; // open jobs on later pages that are asked for one by one
const MOST_EMPTY_PAGES = 20;

const gone = (error) => error instanceof Problem && (error.status === 404 || error.status === 410);

/** Newest first, as ids are: milliseconds and a number. */
function newer(one, other) {
  const [[ms, number], [otherMs, otherNumber]] = [one.split("-").map(Number), other.split("-").map(Number)];
  return otherMs - ms || otherNumber - number;
}

export class JobsView {
  #asking;
  #cards = new Map(); // id → JobCard
  #next = null; // cursor of the page behind what is shown
  #shown = false;
  #timer = 0;
  #turn = 0; // of looking: an answer to an earlier one counts no more
  #wait = OPEN_MS;
  #lit = null;

  constructor(root, asking) {
    this.#asking = asking;
    this.says = make("p", { class: "jobs-says soft", role: "status", tabIndex: -1 });
    this.problem = make("div", { class: "problem", role: "alert", hidden: true });
    this.list = make("div", { class: "jobs" });
    this.more = make("button", { type: "button", hidden: true, onclick: () => this.#more() }, "Earlier jobs");
    this.empty = make("div", { class: "empty jobs-empty", hidden: true });
    root.append(make("div", { class: "jobs-head" }, this.says, make("span", { class: "push" }, make("button", { type: "button", onclick: () => this.#form() }, "New list"), make("button", { type: "button", onclick: () => this.#look() }, "Refresh"))), this.problem, this.empty, this.list, this.more);
    this.#acts = new JobActs(asking, (id) => this.#removed(id));
    document.addEventListener("visibilitychange", () => this.#soon(0));
    addEventListener("online", () => this.#soon(0));
    addEventListener("dragenter", (event) => this.#shown && event.dataTransfer.types.includes("Files") && this.#form());
    document.addEventListener("key", () => keyOf() !== null && this.#soon(0)); // "not now" is no reason to ask again
  }

  #acts;

  /** @param {string} [job] one that was just handed in */
  show(job) {
    this.#shown = true;
    if (job) this.#lit = job;
    this.#look();
  }

  hide() {
    this.#shown = false;
    clearTimeout(this.#timer);
  }

  /** Look again in so long; never while nobody looks here. */
  #soon(ms) {
    clearTimeout(this.#timer);
    if (this.#shown && document.visibilityState === "visible") this.#timer = setTimeout(() => this.#look(), ms);
  }

  async #look() {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    try {
      const page = await ask("GET", `${JOBS}?limit=${PAGE}`);
      const singles = await this.#singles(page.jobs);
      if (turn !== this.#turn) return;
      this.#took(page, singles);
      this.#away(null);
      this.#wait = [...this.#cards.values()].some(({ job }) => isOpen(job)) ? OPEN_MS : QUIET_MS;
    } catch (thrown) {
      if (turn !== this.#turn) return;
      const error = thrown instanceof Problem ? thrown : new Problem(200, { detail: "What answered is not the service, or of another version" });
      if (error !== thrown) console.warn(thrown); // and it is asked again
      this.#away(error);
      if (error.status === 401) return; // asked for again when somebody wants it
      this.#wait = Math.min(Math.max(this.#wait, OPEN_MS) * 1.6, MOST_AWAY_MS);
    }
    this.#soon(this.#wait);
  }

  /** Open jobs that are shown but stand on a later page, and one just handed in: [id, job or null]. */
  async #singles(first) {
    const there = new Set(first.map(({ id }) => id));
    const later = [...this.#cards.values()].filter(({ job }) => isOpen(job) && !there.has(job.id)).slice(0, MOST_SINGLE);
    const ids = later.map(({ job }) => job.id);
    if (this.#lit && !there.has(this.#lit) && !this.#cards.has(this.#lit)) ids.push(this.#lit);
    return Promise.all(
      ids.map(async (id) => {
        try {
          return [id, await ask("GET", jobPath(id))];
        } catch (error) {
          if (gone(error)) return [id, null];
          throw error;
        }
      }),
    );
  }

  #took({ jobs, next }, singles) {
    const there = new Set(jobs.map(({ id }) => id));
    const last = jobs.at(-1)?.id;
    for (const id of [...this.#cards.keys()]) {
      // What is as new as the first page and not on it is no longer kept.
      if (!there.has(id) && (next === null || (last && newer(id, last) < 0))) this.#drop(id);
    }
    if (this.#cards.size <= jobs.length) this.#next = next;
    for (const job of jobs) this.#put(job);
    for (const [id, job] of singles) job === null ? this.#drop(id) : this.#put(job);
    this.#told();
    const card = this.#cards.get(this.#lit);
    if (card) {
      card.light();
      this.#lit = null;
    }
  }

  #put(job) {
    const card = this.#cards.get(job.id);
    if (card) return card.update(job);
    const made = new JobCard(job, this.#acts);
    this.#cards.set(job.id, made);
    const behind = [...this.list.children].find((element) => newer(job.id, element.dataset.job) < 0);
    this.list.insertBefore(made.element, behind ?? null);
  }

  #drop(id) {
    const card = this.#cards.get(id);
    if (card === undefined) return;
    if (card.element.contains(document.activeElement)) this.says.focus();
    card.element.remove();
    this.#cards.delete(id);
  }

  #removed(id) {
    this.#turn += 1; // a look under way may still have it
    this.#drop(id);
    this.#told();
    this.#soon(OPEN_MS);
  }

  #told() {
    const jobs = [...this.#cards.values()].map(({ job }) => job);
    const open = jobs.filter(isOpen).length;
    this.more.hidden = this.#next === null;
    say(this.says, jobs.length ? `${some(jobs.length, "job")}${this.#next === null ? "" : " and earlier ones"}${open ? `, ${count(open)} open` : ""}` : "");
    this.empty.hidden = jobs.length > 0;
    if (jobs.length === 0 && !this.empty.childElementCount) this.empty.append(...this.#explained());
  }

  #explained() {
    return [
      make("h2", {}, "No jobs yet"),
      make("p", {}, "A job goes on when you close this page, and its results are kept for a while. There are three ways to hand one in:"),
      make("p", {}, make("button", { type: "button", class: "main", onclick: () => this.#form() }, "Fill in the form"), " and choose “Hand in as a job”,"),
      ...firstCommands().map(([by, command]) => copyable(`or with ${by}`, command)),
    ];
  }

  /** The form stands above the pictures: here jobs have its room. */
  #form() {
    this.#asking.go("pictures");
    this.#asking.open();
  }

  /** Say that something is away, or with null that it is not. What is known stays to be seen. */
  #away(error) {
    this.problem.hidden = error === null;
    if (error === null) return;
    this.empty.hidden = true;
    const parts = [make("p", {}, awayWords(error))];
    if (error.status === 401) parts.push(make("button", { type: "button", onclick: () => this.#look() }, "Give the key"));
    if (this.problem.textContent !== parts.map((part) => part.textContent).join("")) this.problem.replaceChildren(...parts);
  }

  async #more() {
    this.more.disabled = true;
    try {
      for (let pages = 0; this.#next !== null && pages < MOST_EMPTY_PAGES; pages++) {
        const { jobs, next } = await ask("GET", `${JOBS}?limit=${PAGE}&after=${encodeURIComponent(this.#next)}`);
        this.#next = next;
        for (const job of jobs) this.#put(job);
        if (jobs.length) break; // those no longer kept are left out: a page may have none
      }
      this.#told();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#away(error);
    } finally {
      this.more.disabled = false;
    }
  }
}
