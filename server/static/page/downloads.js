/**
 * Results of a job as files. Without a key lines come by a plain link, which holds nothing here; a table, and
 * whatever needs the key, is asked for with the fields that say so.
 */
import { ask, jobPath, respond } from "./api.js";
import { keyOf } from "./key.js";

/** Beyond so many rows it is written to disk as it comes, where the browser can. */
const LARGE_ROWS = 100_000;

/** [ending, words, media type] of what results may be had as. */
export const FORMS = [
  ["ndjson", "NDJSON", "application/x-ndjson"],
  ["csv", "CSV", "text/csv"],
  ["parquet", "Parquet", "application/vnd.apache.parquet"],
];

/** Where results are; those that were released cannot be had, those behind them can. */
const resultsOf = ({ id }, { released }) => `${jobPath(id)}/results${released ? `?after=${released}` : ""}`;

/**
 * Have the results of *job* saved as a file.
 *
 * @param {Object} job what is known of it
 * @param {Function} tell called with how many bytes have come
 * @throws {Problem} what the service says; {Error} the answer was cut
 */
export async function download(job, [ending, , type], tell) {
  const name = `job-${job.id}.${ending}`;
  if (ending === "ndjson" && keyOf() === null) {
    const now = await ask("GET", jobPath(job.id)); // what a link leads to cannot say that it is gone
    if (keyOf() === null) return save(name, resultsOf(job, now)); // it may have been asked for
  }
  const response = await respond("GET", resultsOf(job, job), { headers: { Accept: type } });
  let received = 0;
  const counted = response.body.pipeThrough(
    new TransformStream({
      transform(part, control) {
        tell((received += part.length));
        control.enqueue(part);
      },
    }),
  );
  let file = null;
  try {
    if (job.rows.done > LARGE_ROWS) file = await chosen(name);
  } catch (error) {
    counted.cancel().catch(() => {}); // no file was chosen: the service need not hold the answer
    throw error;
  }
  if (file !== null) return counted.pipeTo(file);
  const url = URL.createObjectURL(await new Response(counted, { headers: { "Content-Type": type } }).blob());
  save(name, url);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A file of this machine to write to, null where the browser gives none. */
async function chosen(name) {
  if (!globalThis.showSaveFilePicker || !navigator.userActivation?.isActive) return null;
  const file = await showSaveFilePicker({ suggestedName: name });
  return file.createWritable();
}

function save(name, url) {
  const link = document.createElement("a");
  [link.href, link.download] = [url, name];
  link.click();
}
