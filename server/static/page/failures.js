/** The view of what went wrong: what it means, how much of it there is, where, and a list to try again. */
import { SENTENCES } from "./codes.js";
import { Diagnosis } from "./diagnosis.js";
import { download, nameOf } from "./download.js";
import { make, say } from "./dom.js";
import { FailureGroup, partKey } from "./failuregroup.js";
import { keep } from "./keyed.js";
import { drawBars } from "./bars.js";
import { Pace } from "./pace.js";
import { count, percent, some } from "./words.js";

const LEAST_MS = 500;
const SAFE = "TSV of id and URL. A tab or line break in an id becomes a space, in a URL %09, %0A or %0D. Names and passwords in URLs are in no record, so not in the list either.";

export class FailuresView {
  #client;
  #look;
  #shown = false;
  #version = -1;
  #by = "code";
  #groups = new WeakMap(); // element → FailureGroup
  #diagnosis = new Diagnosis();
  #pace = new Pace(() => this.#refresh(), LEAST_MS);
  #parts;

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
    this.#pace.stop();
    this.#diagnosis.hide();
  }

  #build() {
    const by = (name, words) =>
      make("button", { type: "button", "aria-pressed": String(this.#by === name), "data-by": name, onclick: () => this.#group(name) }, words);
    const save = (retryable) => make("button", { type: "button", title: SAFE, onclick: () => this.#save(retryable) });
    const parts = (this.#parts = {
      empty: make("p", { class: "empty" }, "What fails is gathered here by error and by host, with what it means in plain words. Drop a list above."),
      told: make("p", { class: "failures-told", role: "status" }),
      by: make("div", { class: "switch", role: "group", "aria-label": "Grouped by" }, by("code", "By error"), by("host", "By host")),
      saveAll: save(false),
      savePassing: save(true),
      groups: make("div", { class: "failures-groups" }),
      more: make("p", { class: "soft", hidden: true }),
      doubts: make("div", { class: "bars" }),
    });
    parts.saved = make("p", { class: "soft", role: "status", hidden: true });
    parts.head = make(
      "div",
      { class: "failures-head" },
      parts.told,
      parts.by,
      make("div", { class: "failures-save" }, parts.saveAll, parts.savePassing),
    );
    parts.placeholders = make(
      "section",
      { class: "card", hidden: true },
      make("h2", {}, "Not failed, but doubtful: placeholders?"),
      make("p", { class: "soft" }, "Ten or more URLs of a host have this same picture. Perhaps it stands for what is gone: look at one."),
      parts.doubts,
    );
    parts.body = make("div", { class: "failures", hidden: true }, this.#diagnosis.element, parts.head, parts.saved, parts.groups, parts.more, parts.placeholders);
    return [parts.empty, parts.body];
  }

  #begin() {
    this.#version = -1;
    this.#diagnosis.forget();
    keep(this.#parts.groups, [], { keyOf: ({ key }) => key }); // their examples are rows of the one before
    this.#parts.saved.hidden = true;
    this.#parts.body.hidden = true;
    this.#parts.empty.hidden = false;
    say(this.#parts.empty, "Nothing has come yet.");
  }

  #came() {
    const { state } = this.#client;
    if (!this.#shown || !state) return;
    this.#diagnosis.show(state);
    if (state.version === this.#version) return;
    this.#version = state.version;
    this.#pace.soon();
  }

  #group(by) {
    this.#by = by;
    for (const button of this.#parts.by.children) button.setAttribute("aria-pressed", String(button.dataset.by === by));
    this.#pace.now();
  }

  async #refresh() {
    const { census } = this.#client.state ?? {};
    const by = this.#by;
    const found = await this.#client.ask("failures", { by });
    const { state } = this.#client;
    if (!state || state.census !== census || by !== this.#by) return;
    const parts = this.#parts;
    const none = found.failed === 0;
    const doubtful = found.placeholders.length > 0 || Boolean(state.summary?.diagnosis);
    parts.empty.hidden = !none;
    parts.body.hidden = none && !doubtful;
    parts.head.hidden = none;
    say(parts.empty, state.rows === 0 ? "No row has come yet." : `No failures${this.#client.busy ? " so far" : ""}: ${some(state.rows, "row")}, all ok.`);
    this.#tell(found, state);
    this.#draw(found, by);
    this.#doubt(found);
  }

  #tell({ rows, failed, retryable }, state) {
    const { told, saveAll, savePassing } = this.#parts;
    const passing = retryable === 0 ? "none will pass by asking again" : `${retryable === failed ? "all" : count(retryable)} may pass when asked for again`;
    const held = state.notKept ? ` These are the first ${count(state.kept)} rows, which are held here.` : "";
    told.setAttribute("aria-live", this.#client.busy ? "off" : "polite"); // it would be read out all the time
    say(told, `${some(failed, "row")} of ${count(rows)} failed (${percent(failed, rows)}); ${passing}.${held}`);
    say(saveAll, `Save the failed rows (${count(failed)})`);
    say(savePassing, `Only those that may pass (${count(retryable)})`);
    savePassing.disabled = retryable === 0;
  }

  #draw(found, by) {
    const { groups, more } = this.#parts;
    keep(groups, found.groups, {
      keyOf: ({ key }) => `${by} ${partKey(key)}`,
      made: () => {
        const group = new FailureGroup(by, SENTENCES, this.#look);
        this.#groups.set(group.element, group);
        return group.element;
      },
      drawn: (element, group) => this.#groups.get(element).draw(group, found.failed),
    });
    more.hidden = found.moreGroups === 0;
    say(more, `and ${some(found.moreGroups, by === "code" ? "more error" : "more host")} with fewer failures`);
  }

  #doubt(found) {
    const { placeholders, doubts } = this.#parts;
    placeholders.hidden = found.placeholders.length === 0;
    const bars = found.placeholders.map(({ key, rows }) => ({ key: partKey(key), words: key ?? "no host", rows, tone: "warn", go: () => this.#look({ mark: "placeholder", host: key }) }));
    drawBars(doubts, bars, { all: found.rows, label: "Suspected placeholders by host" });
  }

  async #save(retryable) {
    const { blob, rows, left } = await this.#client.ask("failedList", { retryable });
    if (rows) download(blob, `${nameOf(this.#client.state)}-${retryable ? "retry" : "failed"}.tsv`);
    const { saved } = this.#parts;
    say(saved, `${rows ? `Saved ${some(rows, "row")} as a list of id and URL: drop it above to look at them again.` : "There is nothing to save."}${left ? ` ${some(left, "row")} without a URL left out.` : ""}`);
    saved.hidden = false;
  }
}
