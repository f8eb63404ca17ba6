/** What somebody dropped, pasted or named, as the request it becomes. */
import { some } from "./words.js";

export const TYPES = {
  tsv: "text/tab-separated-values",
  csv: "text/csv",
  ndjson: "application/x-ndjson",
  jsonl: "application/x-ndjson",
  parquet: "application/vnd.apache.parquet",
  txt: "text/tab-separated-values",
};

/** A list that is held here: a file, or text. */
export class HeldList {
  /** @param {Blob} blob */
  constructor(blob, name, type, expected = null) {
    Object.assign(this, { blob, name, type, expected });
  }

  /** @throws {Error} a file whose name says nothing of what it is, and whose beginning neither */
  static async ofFile(file) {
    const name = file.name.toLowerCase().replace(/\.(gz|zst)$/, "");
    const packed = name !== file.name.toLowerCase();
    const ending = name.split(".").at(-1);
    const type = (Object.hasOwn(TYPES, ending) ? TYPES[ending] : null) ?? (packed ? null : await seen(file));
    if (type === null) throw new Error(`${file.name}: give a .tsv, .csv, .ndjson or .parquet file, plain, .gz or .zst`);
    return new HeldList(file, file.name, type, packed || type === TYPES.parquet ? null : await linesIn(file));
  }

  /** Text as it stands there; a JSON array, which is taken in files only, as a line for each member. */
  static async ofText(text) {
    const members = array(text);
    const blob = new Blob([members ?? text]);
    const rows = await linesIn(blob);
    return new HeldList(blob, some(rows, "pasted line"), members === null ? typeOf(text.slice(0, 65536)) : TYPES.ndjson, rows);
  }
}

/** The same of a file, null where it is no text: a picture, a table of a spreadsheet. */
async function seen(file) {
  const text = await file.slice(0, 65536).text();
  return text.includes("\0") ? null : typeOf(text);
}

const LOOKED_LINES = 20;

/** The media type of a manifest by its beginning. */
export function typeOf(text) {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/).filter((part) => part.trim()).slice(0, LOOKED_LINES);
  const [first = ""] = lines;
  if (first.trimStart().startsWith("{")) return TYPES.ndjson;
  if (first.includes("\t")) return TYPES.tsv;
  const heads = /[,;]/.test(first) && /(^|[,;])\s*"?url"?\s*([,;]|$)/i.test(first);
  // A URL behind a comma; commas within one are no reason.
  const holds = (line) => /^("[^"]*"|[^,;:]*)([,;]("[^"]*"|[^,;:]*))*[,;]\s*"?[a-z][a-z0-9+.-]*:\/\//i.test(line);
  return heads || lines.some(holds) ? TYPES.csv : TYPES.tsv;
}

/** The lines of NDJSON that a JSON array is; null where the text is none. */
function array(text) {
  if (!text.trimStart().startsWith("[")) return null;
  let members;
  try {
    members = JSON.parse(text);
  } catch {
    return null;
  }
  return members.map((member) => JSON.stringify(typeof member === "string" ? { url: member } : member)).join("\n");
}

const COUNTED_BYTES = 256 * 1024 * 1024;

/** Lines of a blob that are not blank at its end, about: null where there is too much to count. */
async function linesIn(blob) {
  if (blob.size > COUNTED_BYTES) return null;
  let lines = 0;
  let last = 10;
  const reader = blob.stream().getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    for (let at = part.value.indexOf(10); at >= 0; at = part.value.indexOf(10, at + 1)) lines += 1;
    if (part.value.length) last = part.value.at(-1);
  }
  return lines + (last === 10 ? 0 : 1);
}
