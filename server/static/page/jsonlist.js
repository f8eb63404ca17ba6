/**
 * A list as JSON: an array, or a request with the array `images` in it. As a body the service takes
 * neither with options beside it, so its elements become lines of NDJSON, each as it is written:
 * a number that is parsed and written again may be another one.
 */

/** Whether a text that begins so may be such a list. */
export const mayBeList = (text) => /^\uFEFF?[ \t\r\n]*(\[|\{[ \t\r\n]*"images"[ \t\r\n]*:)/.test(text);

/** Whether it can be nothing else that is taken. */
export const beginsArray = (text) => /^\uFEFF?[ \t\r\n]*\[/.test(text);

/**
 * @returns {string|null} its lines; null where *text* is JSON, but no such list
 * @throws {SyntaxError} it is not one JSON value
 */
export function linesOfJson(text) {
  text = text.replace(/^\uFEFF/, "");
  const value = JSON.parse(text);
  if (Array.isArray(value)) return lines(text);
  if (!Array.isArray(value?.images) || Object.keys(value).some((name) => name.trim().toLowerCase() === "url")) return null;
  const images = elements(text).map(member).filter(([name]) => name === "images");
  return lines(images.at(-1)[1]); // of two with one name the last counts, as it does for `JSON.parse`
}

const lines = (array) => elements(array).map((element) => element.replace(/[\r\n]+/g, " ")).join("\n");

/** Name and value of a member of an object. */
function member(text) {
  const end = behindString(text, 0);
  return [JSON.parse(text.slice(0, end)), text.slice(text.indexOf(":", end) + 1)];
}

/** What stands between the outermost brackets of valid JSON, cut at its commas. */
function elements(text) {
  const signs = /["{}[\],]/g;
  const found = [];
  let depth = 0;
  let start = 0;
  for (let sign = signs.exec(text); sign !== null; sign = signs.exec(text)) {
    const { 0: what, index } = sign;
    if (what === '"') signs.lastIndex = behindString(text, index);
    else if (what === "{" || what === "[") depth += 1;
    else if (what !== ",") depth -= 1;
    if (depth === 1 && start === 0) start = index + 1;
    else if (depth === 0 || (depth === 1 && what === ",")) {
      found.push(text.slice(start, index).trim());
      start = index + 1;
    }
  }
  return found.length === 1 && found[0] === "" ? [] : found;
}

/** The place behind a string that begins at *at*. */
function behindString(text, at) {
  for (let end = text.indexOf('"', at + 1); ; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text[end - 1 - escapes] === "\\") escapes += 1;
    if (escapes % 2 === 0) return end + 1;
  }
}
