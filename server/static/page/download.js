/** Something that was made here, as a file. */
import { make } from "./dom.js";
import { listName } from "./listnames.js";

const HELD_MS = 60_000; // a browser may ask where to put it

export function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), HELD_MS);
}

/** A name for a file about a census: that of its list, without its ending. */
export function nameOf(state) {
  const { job, manifest } = state?.start ?? {};
  const name = String(state?.list ?? (job ? listName(job, manifest) : manifest) ?? "census").split("/").at(-1);
  return name.replace(/(\.(tsv|csv|txt|ndjson|jsonl|parquet|json))?(\.(gz|zst))?$/i, "").replace(/[^\w.-]+/g, "-") || "census";
}
