/** Where lines come from: one request, its answer cut into lines, each as the bytes it came as. */
import { problemIn, unread } from "./problem.js";

/** The service says something every ten seconds; after so much silence a connection is dead. */
const LOOK_MS = 5000;
const MOST_SILENT_LOOKS = 12;

/** The service said no. `problem` is what it said; a `status` of 0: it was not asked, the list cannot be read. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `the service answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** The connection could not be made, or ended before the answer did. */
export class Cut extends Error {}

/**
 * Ask and give out lines, a list of byte arrays at a time. What is given out is valid until the next.
 *
 * @param {{path: string, method: string, headers: Object, body?: BodyInit}} request
 * @throws {Refused} @throws {Cut}
 */
export async function* linesOf(request, signal) {
  let response;
  try {
    response = await fetch(request.path, {
      method: request.method,
      headers: { Accept: "application/x-ndjson", ...request.headers },
      body: request.body,
      signal,
      cache: "no-store",
    });
  } catch (error) {
    if (signal.aborted) throw error;
    const detail = await unread(request.body);
    if (detail !== null) throw new Refused(0, { detail });
    throw new Cut("the service does not answer");
  }
  if (!response.ok) throw new Refused(response.status, await problemIn(response));
  if (!/ndjson/.test(response.headers.get("Content-Type") ?? "")) {
    throw new Refused(response.status, { detail: "what answered is not the service: these are no lines of records" });
  }
  const reader = response.body.getReader();
  // Counted by looks, not by the clock: a machine that slept is given time to hear what came meanwhile.
  let silent = 0;
  const watch = setInterval(() => ++silent > MOST_SILENT_LOOKS && reader.cancel(), LOOK_MS);
  let parts = []; // of a line whose end has not come
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) {
        if (silent > MOST_SILENT_LOOKS) throw new Cut("nothing came for a minute");
        return;
      }
      const lines = [];
      let from = 0;
      for (let end = value.indexOf(10); end >= 0; end = value.indexOf(10, from)) {
        const part = value.subarray(from, end);
        lines.push(parts.length ? joined([...parts, part]) : part);
        if (parts.length) parts = [];
        from = end + 1;
      }
      if (from < value.length) parts.push(value.subarray(from));
      if (lines.length) yield lines;
      silent = 0; // behind what is done with the lines: only waiting counts
    }
  } catch (error) {
    if (signal.aborted || error instanceof Cut) throw error;
    throw new Cut("the connection was cut");
  } finally {
    clearInterval(watch);
    reader.cancel().catch(() => {});
  }
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

