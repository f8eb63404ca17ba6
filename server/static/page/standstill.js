/** Why a job whose records are awaited stands still: it may wait for somebody to read what there is. */
import { ask, jobPath, Problem } from "./api.js";

const STILL_MS = 8000;

export class Standstill {
  words = "";
  #rows = -1;
  #next = 0;
  #census = null;

  /** Look at what came; where nothing did for a while, ask for the job. *told* is called where there are words. */
  async look({ census, state, start, rows }, told) {
    const now = performance.now();
    if (census !== this.#census || rows !== this.#rows || state !== "running" || !start?.job) {
      [this.#census, this.#rows, this.#next, this.words] = [census, rows, now + STILL_MS, ""];
      return;
    }
    if (now < this.#next) return;
    this.#next = now + STILL_MS;
    let job;
    try {
      job = await ask("GET", jobPath(start.job), { asksKey: false });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return; // its stream tells
    }
    if (census !== this.#census || rows !== this.#rows) return;
    this.words = job.paused ? (job.reason ?? "The job is paused.") : "";
    if (this.words) told();
  }
}
