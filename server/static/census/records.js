/**
 * The records of one census: a column for each thing that is filtered, sorted or counted by, and
 * the line itself for everything else.
 *
 * A row of it is the answer to one row of the manifest, in the order they came: an `image` line, or
 * one of the rows of a `batch` line.
 */
import { Column, Names } from "./grown.js";
import { Lines } from "./lines.js";
import { mayPass } from "./passing.js";

/** So many rows, and so much of lines, are kept. What comes behind them is counted only. */
export const MOST_ROWS = 500_000;
export const MOST_BYTES = 768 * 1024 * 1024;

/** Bits of the column `marks`. */
export const MARK = { placeholder: 1, animated: 2, repeated: 4, thumbnail: 8, hashed: 16, retryable: 32 }; // retryable: may pass

/** The host of a URL as it is written, lower case; null where there is none. */
export function hostOf(url) {
  if (typeof url !== "string") return null;
  const found = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)(:\d+)?/i.exec(url);
  return found && found[1] ? (found[1] + (found[2] ?? "")).toLowerCase() : null;
}

export class Records {
  lines = new Lines();
  ids = [];
  urls = [];
  index = new Column(Uint32Array);
  code = new Column(Uint16Array); // of `codes`; 0: there was no error
  status = new Column(Uint16Array); // of HTTP, of errors only
  host = new Column(Uint32Array); // of `hosts`
  format = new Column(Uint16Array); // of `formats`
  mode = new Column(Uint16Array); // of `modes`
  width = new Column(Uint32Array);
  height = new Column(Uint32Array);
  bytes = new Column(Float64Array); // of the file; -1: not known
  ms = new Column(Float32Array); // -1: nothing was fetched
  change = new Column(Uint8Array); // of `changes`
  marks = new Column(Uint8Array);
  hashHigh = new Column(Uint32Array); // phash, where `marks` has `hashed`
  hashLow = new Column(Uint32Array);
  digest = new Column(Float64Array); // the first 52 bits of sha256; -1: not known
  label = new Column(Uint32Array); // of `labels`: what a prediction says first
  flags = new Column(Uint32Array); // a bit for each of `flagNames`
  codes = new Names();
  hosts = new Names();
  formats = new Names();
  modes = new Names();
  changes = new Names();
  labels = new Names();
  flagNames = [];
  pictures = new Map(); // row → Blob, of pictures that came as pixels
  batches = []; // of batch lines: the line without its rows, and which rows here are its
  notKept = 0;

  get length() {
    return this.index.length;
  }

  get full() {
    return this.length >= MOST_ROWS || this.lines.bytes >= MOST_BYTES;
  }

  /** Keep the record of one row and its line. Returns its row here, -1 where there is no more room. */
  add(record, line) {
    if (this.full) {
      this.notKept += 1;
      return -1;
    }
    const { error, image_info: info, fetch } = record;
    this.lines.push(line);
    this.ids.push(String(record.id ?? ""));
    this.urls.push(String(record.url ?? ""));
    this.index.push(record.index);
    this.code.push(error ? this.codes.number(String(error.code ?? "unknown")) : 0);
    this.status.push(error?.http_status ?? 0);
    this.host.push(this.hosts.number(hostOf(record.url)));
    this.format.push(this.formats.number(info?.image_format));
    this.mode.push(this.modes.number(info?.image_mode));
    this.width.push(info?.image_dimension?.[0] ?? 0);
    this.height.push(info?.image_dimension?.[1] ?? 0);
    this.bytes.push(info?.image_size ?? -1);
    this.ms.push(fetch ? fetch.ms : -1);
    this.change.push(this.changes.number(record.change));
    const hash = typeof info?.phash === "string" && /^[0-9a-f]{16}$/.test(info.phash) ? info.phash : null;
    this.hashHigh.push(hash ? parseInt(hash.slice(0, 8), 16) : 0);
    this.hashLow.push(hash ? parseInt(hash.slice(8), 16) : 0);
    this.digest.push(/^[0-9a-f]{64}$/.test(info?.sha256 ?? "") ? parseInt(info.sha256.slice(0, 13), 16) : -1);
    this.marks.push(
      (fetch?.suspect_placeholder ? MARK.placeholder : 0) |
        (info?.animated ? MARK.animated : 0) |
        (Number.isInteger(fetch?.same_as) ? MARK.repeated : 0) |
        (record.thumbnail ? MARK.thumbnail : 0) |
        (hash ? MARK.hashed : 0) |
        (error && mayPass(error) ? MARK.retryable : 0),
    );
    const said = record.prediction ? told(record.prediction) : { label: null, flags: [] };
    this.label.push(this.labels.number(said.label));
    this.flags.push(this.#bits(said.flags));
    return this.length - 1;
  }

  /** The record of *row*, as it came. */
  read(row) {
    return this.lines.read(row);
  }

  #bits(flags) {
    let bits = 0;
    for (const flag of flags) {
      let at = this.flagNames.indexOf(flag);
      if (at < 0 && this.flagNames.length < 32) at = this.flagNames.push(flag) - 1;
      if (at >= 0) bits |= 1 << at;
    }
    return bits >>> 0;
  }
}

/** What a prediction says first: its flags, and the label of the highest score. */
function told(prediction) {
  const flags = Array.isArray(prediction.flags) ? prediction.flags.filter((flag) => typeof flag === "string") : [];
  let label = null;
  let highest = -Infinity;
  for (const [name, score] of Object.entries(prediction.scores ?? {})) {
    if (typeof score === "number" && score > highest) [label, highest] = [name, score];
  }
  return { label, flags };
}
