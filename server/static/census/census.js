/**
 * One census as it comes: lines are asked for, kept and counted. A stream that is cut has ended; the
 * results of a job are asked for again from where they were cut.
 */
import { Seen } from "./grown.js";
import { paint } from "./pixels.js";
import { Records } from "./records.js";
import { Cut, linesOf, Refused } from "./source.js";
import { Tally } from "./tally.js";

const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 15_000;
const MOST_FAULTS = 3; // in a row, of lines that cannot be taken: asking again will not mend them
const SILENT_MS = 20_000; // longer than the service is ever silent
const MOST_PICTURE_BYTES = 384 * 1024 * 1024;

/** Where a census is: `asking`, `running`, `waiting` (to ask again), `ended`, `cut`, `refused`, `stopped`. */
export class Census {
  records = new Records();
  tally = new Tally();
  state = "asking";
  start = null; // the first line
  summary = null; // the last line
  problem = null; // why it was refused or cut: {status, detail, errors}
  expected = null; // rows, where that is known
  changed = 0; // grows with everything that happens
  firstRecordMs = null; // from asking to the first record
  #control = new AbortController();
  #request;
  #cursor = null;
  #seen = new Seen(); // rows, or batches: what comes again behind a cut has come already
  #wake = () => {};
  #heard = 0; // when something came last
  #connection = null; // ends one answer, not the census
  #pictureBytes = 0;
  #asked = performance.now();
  #encoder = new TextEncoder();
  #decoder = new TextDecoder();

  /** @param {Object} request as `linesOf` takes it, with `resumable` where it may be asked again */
  constructor(request, expected = null) {
    this.#request = request;
    this.expected = expected;
  }

  /** Until it has ended, one way or another. Does not throw. */
  async run() {
    let wait = RETRY_FIRST_MS;
    let faults = 0;
    while (!this.#control.signal.aborted) {
      const before = this.tally.rows;
      try {
        await this.#read();
        if (this.summary) return this.#be("ended");
        throw new Cut("the connection ended before the last line");
      } catch (error) {
        if (this.#control.signal.aborted) break;
        if (error instanceof Refused && !(this.#request.resumable && error.status >= 500)) {
          this.problem = { status: error.status, detail: error.message, errors: error.problem.errors ?? [] };
          return this.#be("refused");
        }
        if (this.tally.rows > before) [wait, faults] = [RETRY_FIRST_MS, 0];
        const fault = !(error instanceof Cut || error instanceof Refused);
        if (fault) console.error(error);
        this.problem = { detail: fault ? `a line came that cannot be read: ${error.message}` : error.message };
        if (!this.#request.resumable || (fault && ++faults >= MOST_FAULTS)) return this.#be("cut");
        this.#be("waiting");
        await this.#rest(wait);
        wait = Math.min(wait * 2, RETRY_MOST_MS);
      }
    }
    this.#be("stopped");
  }

  stop() {
    this.#control.abort();
    this.#wake();
  }

  /** Ask again at once, if it waits to, or waits in vain: the network is back, or somebody looks. */
  wake() {
    this.#wake();
    const silent = performance.now() - this.#heard > SILENT_MS;
    if (this.#request.resumable && this.state === "running" && silent) this.#connection?.abort();
  }

  /** All that came, as a file: the lines of the stream but for those of progress. */
  save() {
    const newline = this.#encoder.encode("\n");
    const parts = [];
    const put = (bytes) => parts.push(bytes, newline);
    if (this.start) put(this.#encoder.encode(JSON.stringify(this.start)));
    if (this.records.batches.length) {
      for (const { head, rows } of this.records.batches) {
        const line = { ...head, rows: rows.map((row) => this.records.read(row)) };
        put(this.#encoder.encode(JSON.stringify(line)));
      }
    } else {
      for (let row = 0; row < this.records.length; row++) put(this.records.lines.raw(row));
    }
    if (this.summary) put(this.#encoder.encode(JSON.stringify(this.summary)));
    return new Blob(parts, { type: "application/x-ndjson" });
  }

  #be(state) {
    this.state = state;
    this.changed += 1;
  }

  async #read() {
    const request = { ...this.#request, path: this.#path() };
    this.#connection = new AbortController();
    const signal = AbortSignal.any([this.#control.signal, this.#connection.signal]);
    let ended = null;
    try {
      for await (const lines of linesOf(request, signal)) {
        this.#heard = performance.now();
        if (this.state !== "running") this.#be("running");
        this.problem = null;
        for (const line of lines) if (line.length) ended = await this.#take(line, ended);
      }
    } catch (error) {
      if (this.#connection.signal.aborted) throw new Cut("the connection had gone silent");
      // Behind the last line nothing is missing, however the connection ended.
      if (ended === null || !(error instanceof Cut)) throw error;
    }
    // Of a job that runs on: `running`, `draining` and the like are not its end.
    if (ended && this.#request.resumable && /^(running|draining|Redis)/.test(ended.reason ?? "")) {
      throw new Cut(ended.reason === "Redis does not answer" ? ended.reason : `the service stopped: ${ended.reason}`);
    }
    this.summary = ended;
    this.changed += 1;
  }

  /** What is asked for: of the results of a job what is behind the last cursor. */
  #path() {
    if (!this.#cursor) return this.#request.path;
    const [path, query] = this.#request.path.split("?");
    const asked = new URLSearchParams(query);
    asked.set("after", this.#cursor);
    return `${path}?${asked}`;
  }

  async #take(bytes, ended) {
    const line = JSON.parse(this.#decoder.decode(bytes));
    this.changed += 1;
    switch (line.type) {
      case "start":
        this.start ??= line;
        return ended;
      case "progress":
        this.#cursor = line.cursor ?? this.#cursor;
        return ended;
      case "summary":
        this.#cursor = line.cursor ?? this.#cursor;
        return line;
      case "image":
        if (this.#isNew(line.index)) this.#add(line, bytes);
        return ended;
      case "batch":
        if (this.#isNew(line.batch)) await this.#batch(line);
        return ended;
      default:
        return ended;
    }
  }

  #add(record, bytes) {
    this.firstRecordMs ??= performance.now() - this.#asked;
    this.tally.count(record);
    return this.records.add(record, bytes);
  }

  /** Only results of a job come twice; in a list of earlier records an index may stand twice. */
  #isNew(number) {
    return !this.#request.resumable || this.#seen.add(number);
  }

  async #batch(line) {
    const { rows, pixels, ...head } = line;
    const kept = [];
    const places = []; // [row here, place in the array]
    for (const row of rows) {
      const at = this.#add(row, this.#encoder.encode(JSON.stringify(row)));
      if (at < 0) continue;
      kept.push(at);
      if (Number.isInteger(row.position)) places.push([at, row.position]);
    }
    if (kept.length === 0) return; // there is no more room: of its rows nothing is held
    this.records.batches.push({ head, rows: kept });
    if (typeof pixels !== "string" || this.#pictureBytes > MOST_PICTURE_BYTES) return;
    try {
      const pictures = await paint(pixels);
      for (const [row, place] of places) {
        if (!pictures[place]) continue;
        this.records.pictures.set(row, pictures[place]);
        this.#pictureBytes += pictures[place].size;
      }
    } catch (error) {
      console.warn(error); // a picture less is no reason to lose what is said of it
    }
  }

  #rest(ms) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, ms);
    });
  }
}
