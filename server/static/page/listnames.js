/** What the list of a job is called. Of one that was uploaded the service keeps no name: this browser does. */
import { isFile } from "./commands.js";
import { local } from "./stored.js";
import { unturned } from "./words.js";

const KEPT = "imagecensus.lists";
const MOST = 500; // names; the oldest go
const LONGEST = 200;
const SEEN = /[\p{L}\p{N}\p{P}\p{S}]/u; // something that can be seen

/** What the list of a job is called, by its id and what the service says of it. */
export function listName(job, manifest) {
  if (isFile({ manifest })) return unturned(manifest);
  if (manifest !== "upload") return "rows of the request";
  return names().get(job) ?? "an uploaded list";
}

/** Keep what was handed in from here as *job*. */
export function keepName(job, name) {
  if (SEEN.test(name)) keep(names().set(job, [...name].slice(0, LONGEST).join("")));
}

/** Keep nothing of a *job* that is deleted. */
export function forgetName(job) {
  const kept = names();
  if (kept.delete(job)) keep(kept);
}

const keep = (names) => local.set(KEPT, JSON.stringify([...names].slice(-MOST)));

/** Those that are kept, the oldest first; whatever else stands there is nothing. */
function names() {
  try {
    const kept = JSON.parse(local.get(KEPT));
    return new Map(kept.filter(([job, name]) => typeof job === "string" && typeof name === "string"));
  } catch {
    return new Map();
  }
}
