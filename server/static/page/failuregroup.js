/** Failures of one error, or at one host: how many, why, where, and one or two of them. */
import { drawBars } from "./bars.js";
import { showDetail } from "./detail.js";
import { make, say } from "./dom.js";
import { keep } from "./keyed.js";
import { count, percent, some } from "./words.js";

const FEW = 6; // parts that are shown before somebody asks for all

/** What tells a host, or an error, from others: `null` is the name of a host too. */
export const partKey = (key) => (key === null ? "none" : `=${key}`);

export class FailureGroup {
  #by;
  #sentences;
  #look;
  #group = null;
  #all = false;
  #parts;

  /** @param {"code"|"host"} by @param {Function} look shows records */
  constructor(by, sentences, look) {
    this.#by = by;
    this.#sentences = sentences;
    this.#look = look;
    const parts = (this.#parts = {
      name: make("h3", {}),
      says: make("span", { class: "failure-says" }),
      rows: make("strong", { class: "failure-rows" }),
      share: make("span", { class: "soft failure-share" }),
      show: make("button", { type: "button", onclick: () => this.#look(this.#view()) }, "Show"),
      fill: make("i", {}),
      notes: make("span", { class: "soft" }),
      statuses: make("span", { class: "failure-statuses" }),
      bars: make("div", { class: "bars" }),
      more: make("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.#more() }),
      examples: make("ul", { class: "failure-examples", "aria-label": "Examples" }),
    });
    this.element = make(
      "section",
      { class: "card failure" },
      make("div", { class: "failure-head" }, make("div", { class: "failure-name" }, parts.name, parts.says), make("div", { class: "failure-figures" }, parts.rows, parts.share), parts.show),
      make("div", { class: "failure-bar", "aria-hidden": "true" }, parts.fill),
      make("p", { class: "failure-notes" }, parts.notes, parts.statuses),
      make("div", { class: "failure-body" }, make("div", {}, parts.bars, parts.more), parts.examples),
    );
  }

  /** Show *group* as it is now; all groups together have *failed* rows. */
  draw(group, failed) {
    this.#group = group;
    const parts = this.#parts;
    const byCode = this.#by === "code";
    const tone = group.retryable === group.rows ? "warn" : group.retryable ? "some" : "bad";
    this.element.dataset.tone = tone;
    say(parts.name, group.key ?? "no host");
    say(parts.says, byCode ? (Object.hasOwn(this.#sentences, group.key) ? this.#sentences[group.key] : "") : group.key === null ? "rows whose URL names none" : "");
    say(parts.rows, count(group.rows));
    say(parts.share, `${percent(group.rows, failed)} of failures`);
    parts.show.setAttribute("aria-label", `Show the ${some(group.rows, "record")} of ${group.key ?? "no host"}`);
    parts.fill.style.width = `${(100 * group.rows) / failed}%`;
    const stages = byCode ? `stage ${group.examples[0].record.error.stage} · ` : "";
    say(parts.notes, `${stages}${passing(group)}`);
    this.#statuses(group);
    this.#bars();
    this.#examples(group);
  }

  #view(more = {}) {
    const { key } = this.#group;
    return this.#by === "code" ? { code: key, ...more } : { host: key, state: "failed", ...more };
  }

  #statuses({ statuses }) {
    keep(this.#parts.statuses, statuses, {
      keyOf: ({ status }) => status,
      made: ({ status }) => make("button", { type: "button", class: "failure-status", onclick: () => this.#look(this.#view({ code: "http_status", status })) }),
      drawn: (element, { status, rows }) => say(element, `${status} × ${count(rows)}`),
    });
  }

  #bars() {
    const { parts, rows, moreParts } = this.#group;
    const { bars, more } = this.#parts;
    const byCode = this.#by === "code";
    const shown = this.#all ? parts : parts.slice(0, FEW);
    drawBars(
      bars,
      shown.map(({ key, rows: some }) => ({
        key: partKey(key),
        words: key ?? "no host",
        rows: some,
        tone: "bad",
        go: () => this.#look(this.#view(byCode ? { host: key } : { code: key })),
      })),
      { all: rows, most: rows, label: byCode ? "By host" : "By error" },
    );
    const hidden = parts.length - shown.length;
    more.hidden = hidden === 0 && moreParts === 0;
    more.disabled = hidden === 0;
    say(more, hidden ? `Show ${count(hidden)} more` : `and ${count(moreParts)} more`);
  }

  #more() {
    this.#all = true;
    this.#bars();
    this.#parts.bars.querySelectorAll("button")[FEW]?.focus();
  }

  #examples({ examples }) {
    keep(this.#parts.examples, examples, {
      keyOf: ({ row }) => row,
      made: (item) => {
        const { record } = item;
        return make(
          "li",
          {},
          make(
            "button",
            { type: "button", onclick: () => showDetail(item) },
            make("span", { class: "failure-message" }, record.error.message || record.error.code),
            make("span", { class: "failure-url", title: record.url ?? "" }, `${record.id} · ${record.url ?? "no URL"}`),
          ),
        );
      },
      drawn: () => {},
    });
  }
}

function passing({ rows, retryable }) {
  if (retryable === 0) return "will not pass by asking again";
  if (retryable === rows) return "may pass when asked for again";
  return `${count(retryable)} of ${count(rows)} may pass when asked for again`;
}
