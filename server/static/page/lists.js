/** What somebody dropped, pasted or named, as the request it becomes. */
import { beginsArray, linesOfJson, mayBeList } from "./jsonlist.js";
import { TYPES, typeOf } from "./listtype.js";
import { some, unturned } from "./words.js";

const LOOKED_BYTES = 65536;
/** JSON that is no NDJSON is read whole before it is sent. */
const JSON_MIB = 64;

/** A list that is held here: a file, or text. */
export class HeldList {
  /** @param {Blob} blob @param {string|null} file the name of the file, where it is one */
  constructor(blob, name, type, expected, file = null) {
    Object.assign(this, { blob, name, type, expected, file });
  }

  /** @throws {Error} a file of which neither name nor beginning says what it is, or JSON that cannot be read */
  static async ofFile(file) {
    const shown = unturned(file.name);
    const name = file.name.toLowerCase().replace(/\.(gz|zst)$/, "");
    const packed = name !== file.name.toLowerCase();
    const ending = name.split(".").at(-1);
    const json = ending === "json";
    if (json && packed) throw new Error(`${shown}: JSON is taken plain; packed, give NDJSON, a value a line`);
    let type = Object.hasOwn(TYPES, ending) ? TYPES[ending] : null;
    if (type === null && !packed) {
      const lines = await jsonIn(file, shown);
      if (lines !== null) return new HeldList(lines, shown, TYPES.ndjson, await linesIn(lines), shown);
      type = json ? TYPES.ndjson : await typeIn(file);
    }
    if (type === null) throw new Error(`${shown}: give a .tsv, .csv, .ndjson, .json or .parquet file, plain, .gz or .zst`);
    return new HeldList(file, shown, type, packed || type === TYPES.parquet ? null : await linesIn(file), shown);
  }

  /** Text as it stands there; a JSON array as a line for each element. */
  static async ofText(text) {
    const lines = linesIfJson(text);
    const blob = new Blob([lines ?? text]);
    const rows = await linesIn(blob);
    return new HeldList(blob, some(rows, "pasted line"), lines === null ? typeOf(text.slice(0, LOOKED_BYTES)) : TYPES.ndjson, rows);
  }
}

/** The type of a file by its beginning; null where it is no text: a picture, a table of a spreadsheet. */
async function typeIn(file) {
  const text = await file.slice(0, LOOKED_BYTES).text();
  return text.includes("\0") ? null : typeOf(text);
}

/** The lines of a file that is a list as JSON; null where it is something else. */
async function jsonIn(file, shown) {
  const begin = await file.slice(0, LOOKED_BYTES).text();
  if (file.size > JSON_MIB * 1024 * 1024) {
    if (!mayBeList(begin)) return null;
    throw new Error(`${shown}: a JSON array of more than ${JSON_MIB} MiB is not taken here: make NDJSON of it, a value a line, or put it into the server's data folder and name it`);
  }
  if (!mayBeJson(begin)) return null;
  try {
    const lines = linesOfJson(await file.text());
    return lines === null ? null : new Blob([lines]);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    if (!beginsArray(begin)) return null; // NDJSON, most likely
    throw new Error(`${shown} begins as a JSON array, and is none: ${error.message}`);
  }
}

const mayBeJson = (text) => /^[\uFEFF \t\r\n]*[[{]/.test(text);

function linesIfJson(text) {
  try {
    return mayBeJson(text) ? linesOfJson(text) : null;
  } catch {
    return null;
  }
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
