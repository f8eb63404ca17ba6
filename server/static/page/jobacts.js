/** What may be done with a job: show it, cancel it, delete it, have its results as a file. */
import { ask, jobPath, Problem } from "./api.js";
import { confirmed } from "./confirm.js";
import { download } from "./downloads.js";
import { isOpen } from "./job.js";
import { refusal } from "./jobwords.js";
import { forgetName } from "./listnames.js";
import { bytes, some } from "./words.js";

/** As the buttons of a card have them: functions of that card. */
export class JobActs {
  #asking;
  #removed;

  /** @param {Function} removed is told the id of a job that is no more */
  constructor(asking, removed) {
    this.#asking = asking;
    this.#removed = removed;
  }

  show = ({ job }) => this.#asking.showJob(job.id, job.rows.total ?? job.rows.expected, job.released);

  cancel = async (card) => {
    const { id, rows } = card.job;
    const says = ["Rows that nobody has begun get no record.", `${some(rows.done, "record")} that came so far are kept, and can be had.`];
    if (!(await confirmed({ title: "Cancel this job?", says, yes: "Cancel the job", no: "Let it run" }))) return;
    await this.#act(card, "act", async () => card.update(await ask("POST", `${jobPath(id)}/cancel`)));
  };

  remove = async (card) => {
    const { id, rows, manifest } = card.job;
    const says = [
      `Gone for good: the job, its ${some(rows.done, "record")}${manifest === "upload" ? ", and the list that was uploaded" : ""}.`,
      isOpen(card.job) ? "It has not ended: what is under way is dropped." : manifest === "upload" ? "" : "The list itself is not touched.",
    ].filter(Boolean);
    if (!(await confirmed({ title: "Delete this job?", says, yes: "Delete it" }))) return;
    await this.#act(card, "act", async () => {
      await ask("DELETE", jobPath(id));
      forgetName(id);
      this.#removed(id);
    });
  };

  download = async (card, form) => {
    const progress = (received) => card.saving(`${form[1]}: ${bytes(received)} so far…`);
    await this.#act(card, "download", () => download(card.job, form, progress));
    card.saving("");
  };

  /** Do it, and say so where it cannot be done. */
  async #act(card, kind, act) {
    card.tell("");
    card.under(kind, true);
    try {
      await act();
    } catch (error) {
      if (error.name === "AbortError") return; // no file was chosen
      card.tell(refusal(error));
      if (!(error instanceof Problem)) console.warn(error);
    } finally {
      card.under(kind, false);
    }
  }
}
