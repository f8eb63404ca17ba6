/**
 * The half of the page that reads, keeps and counts, beside the one that draws: however much comes,
 * scrolling stays smooth.
 *
 * It is told: `begin` (with a request), `stop`, `wake`, and `ask` (a question with a number, whose
 * answer has it). It tells: `state`, at most ten times a second.
 */
import { Census } from "./census.js";
import { compare, compared, forget, groupsOf, rowsOfGroup } from "./duplicates.js";
import { failedList, failuresOf } from "./failures.js";
import { figuresOf } from "./figures.js";
import { PictureUrls } from "./picture_urls.js";
import { saidOf } from "./said.js";
import { Selection } from "./selection.js";

const TELL_MS = 100;
const STILL_MS = 1000;
const LOOK_MS = 20;

let census = null;
let selection = null;
const pictureUrls = new PictureUrls();
let number = 0; // of the census
let told = -1;
let firstTold = 0; // the census whose first record was told

/** What may be asked, by name: (census, arguments) → what can be cloned. */
const ANSWERS = {
  /** {view, from, to} → {total, rows: [{row, record, picture}]} */
  rows({ view, from, to }) {
    const looked = selected(view);
    const rows = looked.slice(from, to).map(shown);
    return { total: looked.length, rows };
  },
  /** What may be filtered by: texts that were met, with no order. */
  names() {
    const of = (names) => Array.from({ length: names.size - 1 }, (_, at) => names.text(at + 1));
    const { records } = census;
    return {
      codes: of(records.codes),
      formats: of(records.formats),
      changes: of(records.changes),
      labels: of(records.labels).slice(0, 500),
      flags: records.flagNames,
    };
  },
  /** What is predicted, counted. */
  said() {
    return saidOf(census.records);
  },
  save() {
    return census.save();
  },
  failures: (args) => failuresOf(census.records, args, shown),
  failedList: (args) => failedList(census.records, args),
  figures: () => ({ ...figuresOf(census.records), received: census.tally.received, files: census.tally.files }),
  duplicates: (args) => compare(census.records, args),
  duplicatesDone: () => compared(),
  duplicateGroups: (args) => groupsOf(census.records, args, shown),
  duplicateRows: (args) => rowsOfGroup(census.records, args),
};

/** A row as views show it: its record, and the address of the picture that came as pixels. */
function shown(row) {
  return { row, record: census.records.read(row), picture: pictureUrls.of(row, census.records.pictures.get(row)) };
}

/** The selection of a view; the last one is kept, as it grows with what comes. */
function selected(view) {
  if (selection === null || JSON.stringify(selection.view) !== JSON.stringify(view)) {
    selection = new Selection(census.records, view);
  }
  return selection;
}

function begin({ request, expected, number: given }) {
  census?.stop();
  census = new Census(request, expected);
  selection = null;
  forget();
  pictureUrls.clear();
  told = -1;
  number = given;
  const mine = census;
  mine.run().then(() => mine === census && tell());
  tell();
}

/** What is new; of one that goes on, once a second at least: its time goes on too. */
function tell() {
  if (census === null) return;
  const late = performance.now() - sentAt > STILL_MS && ["asking", "running", "waiting"].includes(census.state);
  if (census.changed === told && !late) return;
  told = census.changed;
  sentAt = performance.now();
  const { tally, records } = census;
  self.postMessage({
    say: "state",
    census: number,
    state: census.state,
    start: census.start,
    summary: census.summary,
    problem: census.problem,
    expected: census.expected,
    firstRecordMs: census.firstRecordMs,
    rows: tally.rows,
    ok: tally.ok,
    failed: tally.failed,
    received: tally.received,
    seconds: tally.seconds,
    rate: tally.rate,
    series: tally.series(),
    kept: records.length,
    notKept: records.notKept,
    version: census.changed,
  });
}

let sentAt = 0;
let toldAt = 0;
setInterval(() => {
  // The first record is told at once: somebody waits for it.
  const first = firstTold !== number && census?.firstRecordMs !== null;
  const now = performance.now();
  if (!first && now - toldAt < TELL_MS) return;
  if (first) firstTold = number;
  toldAt = now;
  tell();
}, LOOK_MS);

self.onmessage = async ({ data }) => {
  switch (data.do) {
    case "begin":
      return begin(data);
    case "stop":
      return census?.stop();
    case "wake":
      return census?.wake();
    case "ask": {
      const answer = { say: "answer", number: data.number };
      try {
        if (census === null) throw new Error("there is no census yet");
        answer.value = await ANSWERS[data.what](data.args ?? {}, census);
      } catch (error) {
        answer.error = String(error.message ?? error);
      }
      return self.postMessage(answer);
    }
  }
};
