/** What is asked of the service besides streams: small answers, as JSON. */
import { problemIn, unread } from "../census/problem.js";
import { askForKey, keyOf, withKey } from "./key.js";

export const JOBS = "/api/v1/jobs";

/** Where a job is asked for. */
export const jobPath = (id) => `${JOBS}/${encodeURIComponent(id)}`;

/** The service said no, or nothing. `status` is 0 where it does not answer. */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail ?? (status ? `the service answered ${status}` : "the service does not answer"));
    this.status = status;
    this.fields = problem.errors ?? [];
  }
}

/**
 * Ask; where the key is wrong or missing it is asked for, until one is right or none is given. With
 * `asksKey: false` that is a problem like any other.
 *
 * @returns {Promise<Object|null>} the answer, null where there is no content
 * @throws {Problem}
 */
export async function ask(method, path, options = {}) {
  const response = await respond(method, path, options);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    throw new Problem(response.status, { detail: "the answer is not JSON" });
  }
}

/** The same, for an answer that is read by whoever asks. @returns {Promise<Response>} a good one */
export async function respond(method, path, { body, headers = {}, signal, asksKey = true } = {}) {
  for (;;) {
    const used = keyOf();
    let response;
    try {
      response = await fetch(path, { method, body, headers: withKey(headers), signal, cache: "no-store" });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Problem(0, { detail: (await unread(body)) ?? undefined });
    }
    if (response.ok) return response;
    // While this was under way another may have been given.
    if (response.status === 401 && (keyOf() !== used || (asksKey && (await askForKey())))) continue;
    throw new Problem(response.status, await problemIn(response));
  }
}
