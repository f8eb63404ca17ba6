/** The media type of a list, by its beginning: as the service judges a file whose name says nothing. */
export const TYPES = {
  tsv: "text/tab-separated-values",
  csv: "text/csv",
  ndjson: "application/x-ndjson",
  jsonl: "application/x-ndjson",
  parquet: "application/vnd.apache.parquet",
  tab: "text/tab-separated-values",
  txt: "text/tab-separated-values",
};

const LOOKED_LINES = 20;
const BLANK = /^[ \t\r\v\f]*$/;
const SCHEME = /^\s*[a-z][a-z0-9+.-]*:\/\//i;

/** Its first line says it; where that holds no URL, as a header of other names, those behind it may. */
export function typeOf(text) {
  const filled = text.replace(/^\uFEFF/, "").split("\n").filter((line) => !BLANK.test(line));
  const lines = filled.slice(0, LOOKED_LINES).map((line) => line.replace(/\r$/, ""));
  const [line = ""] = lines;
  const first = line.replace(/^ +/, "");
  if (first.startsWith("{") || isQuotedUrl(first)) return TYPES.ndjson;
  if (first.includes("\t")) return TYPES.tsv;
  if (namesUrl(line, ",") || namesUrl(line, ";")) return /[,;"]/.test(first) ? TYPES.csv : TYPES.tsv;
  const second = cells(first.trimEnd(), ",")?.[1] ?? "";
  if (second.includes("://")) return TYPES.csv;
  return (first.includes("://") ? [first] : lines).some(holds) ? TYPES.csv : TYPES.tsv;
}

/** A URL as a JSON string. */
function isQuotedUrl(line) {
  if (!line.startsWith('"')) return false;
  try {
    return JSON.parse(line).includes("://");
  } catch {
    return false;
  }
}

const namesUrl = (line, separator) => cells(line, separator)?.some((cell) => cell.trim().toLowerCase() === "url");

/** Whether a URL stands behind a separator; one within a URL is no reason. */
function holds(line) {
  return [",", ";"].some((separator) => {
    const [id, ...others] = cells(line, separator) ?? [""];
    return !id.includes("://") && others.some((cell) => SCHEME.test(cell));
  });
}

/** The cells of a line of CSV; null where its quotes are not in order. In one pass, however many there are. */
function cells(line, separator) {
  if (!line.includes('"')) return line.split(separator);
  const found = [];
  for (let at = 0; ; at += 1) {
    let end;
    if (line[at] === '"') {
      end = line.indexOf('"', at + 1);
      while (end >= 0 && line[end + 1] === '"') end = line.indexOf('"', end + 2); // a doubled one is text
      if (end < 0) return null;
      found.push(line.slice(at + 1, end).replaceAll('""', '"'));
      end += 1;
      if (end < line.length && line[end] !== separator) return null;
    } else {
      end = line.indexOf(separator, at);
      if (end < 0) end = line.length;
      found.push(line.slice(at, end));
    }
    if (end >= line.length) return found;
    at = end;
  }
}
