/** What the service refuses about jobs, in words for whoever pressed something. */
import { Problem } from "./api.js";

const REFUSED = {
  404: () => "There is no such job any more: its time was over, or somebody deleted it.",
  406: () => "Tables are not to be had here: the service lacks its extra “parquet”. NDJSON is.",
  409: (error) => `Not now: ${error.message}.`,
  410: (error) => `It is no longer kept: ${error.message}.`,
};

/** Why something cannot be done with a job; what is no problem of the service is an answer that was cut. */
export function refusal(error) {
  if (!(error instanceof Problem)) return "The answer was cut off: nothing was saved. Try again.";
  return REFUSED[error.status]?.(error) ?? `${error.message}.`;
}

/** Why the jobs cannot be seen just now. */
export function awayWords(error) {
  const words = {
    0: "The service does not answer. It is asked again until it does.",
    401: "Jobs can be seen with the key of this service.",
    503: `Jobs live in Redis, and it is away: ${error.message}. Lists are looked at all the same; this is asked again until it is back.`,
  };
  return words[error.status] ?? `${error.message}.`;
}
