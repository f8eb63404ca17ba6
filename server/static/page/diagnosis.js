/** What the counts of a census mean, in the words of the service: at its end, of a job while it runs. */
import { ask, jobPath } from "./api.js";
import { make } from "./dom.js";

const OVER = ["stopped", "refused", "cut"]; // nothing more comes, and no last line
const ASK_MS = 5000; // how often a job that runs is asked

export class Diagnosis {
  element = make("section", { class: "card diagnosis", "aria-label": "Diagnosis" });
  #state = null;
  #job = null; // what the service answered of it
  #asked = null; // which job is asked for again and again
  #timer = 0;
  #said = "";

  /** Say what there is to say of a census now. */
  show(state) {
    this.#state = state;
    const job = state.start?.job ?? null;
    if (state.summary || OVER.includes(state.state)) this.hide();
    else if (job !== null && job !== this.#asked) this.#ask((this.#asked = job));
    this.#draw(state, job);
  }

  #draw(state, job) {
    const found = (state.summary ?? this.#job)?.diagnosis ?? [];
    const words = found.length ? found.map(({ says }) => says) : [silence(state, job)];
    if (this.#said === words.join("\n")) return;
    this.#said = words.join("\n");
    this.element.hidden = this.#said === "";
    this.element.replaceChildren(
      make("h2", {}, "Diagnosis"),
      found.length
        ? make("ul", {}, found.map(({ rule, says }) => make("li", { "data-rule": rule }, says)))
        : make("p", { class: "soft" }, words),
    );
  }

  /** Nobody looks, or all is said: ask no more. */
  hide() {
    clearTimeout(this.#timer);
    this.#asked = null;
  }

  /** Another census. */
  forget() {
    this.hide();
    this.#job = null;
    this.#said = "";
    this.element.hidden = true;
  }

  async #ask(job) {
    let answer = null;
    try {
      answer = await ask("GET", jobPath(job));
    } catch (error) {
      if (error.status === 401) return; // no key was given: it is not asked for every few seconds
      // The strip of numbers says that the service does not answer; this is asked again.
    }
    if (this.#asked !== job) return;
    this.#job = answer ?? this.#job;
    this.#draw(this.#state, job);
    this.#timer = setTimeout(() => this.#ask(job), ASK_MS);
  }
}

function silence(state, job) {
  if (["asking", "running", "waiting"].includes(state.state)) {
    return job === null ? "What it all means is said at the end of the list." : "Nothing stands out so far.";
  }
  if (!state.summary) return "The list was not looked at to its end, so there is no diagnosis.";
  return state.failed ? "Too few failures of a kind to say more of than what stands below." : "";
}
