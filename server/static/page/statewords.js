/** How a census is, in words: how far, how it ended, how long it took. */
import { percent, some, span } from "./words.js";

const SAYS = {
  asking: () => "Asking…",
  running: () => "Running",
  waiting: () => "Cut off: it is asked for again…",
  cut: ({ rows }) => `Cut off after ${some(rows, "row")}`,
  refused: ({ problem }) => (problem.status === 0 ? "Nothing was sent" : "The service refused"),
  stopped: ({ rows }) => `Stopped after ${some(rows, "row")}`,
  ended: (state) => (state.summary.complete ? complete(state) : `Not complete: ${reason(state.summary.reason)}`),
};

/** Why a census is not complete, where a word of the protocol is all that is said. */
const REASONS = { draining: "the server was stopped", cancelled: "the job was cancelled", running: "the job goes on" };
const JOBS_LAST = "A list handed in as a job outlives any connection.";

export const stateWords = (state) => SAYS[state.state](state);

function complete(state) {
  const without = released(state);
  return `Complete${without ? ` without ${some(without, "row")} released before` : ""}: ${percent(state.ok, state.rows)} ok`;
}

const reason = (said) => (Object.hasOwn(REASONS, said) ? REASONS[said] : (said ?? "nobody said why"));

/** Rows of a job that come no more: somebody had read them, and let go of them. */
const released = ({ start, summary, rows }) => (start?.job ? Math.max(0, summary.rows - rows) : 0);

/** Half of the rows failed, or some are not there: complete, and yet nothing to be green about. */
export function dotOf(state) {
  if (state.state !== "ended") return state.state;
  if (!state.summary.complete) return "cut";
  return state.failed > state.ok || released(state) ? "doubt" : "ended";
}

/** Seconds that it took. What a job recorded is read back in less. */
export function lasted({ start, summary, seconds }) {
  return start?.job && summary?.seconds > seconds ? summary.seconds : seconds;
}

/** Not a part of what is read out: it changes all the time. */
export function leftWords(state) {
  if (state.state !== "running" || state.expected === null || state.rows === 0) return "";
  const steady = (state.rate + (2 * state.rows) / Math.max(state.seconds, 1)) / 3; // bursts say little
  return ` · about ${span(Math.ceil(Math.max(0, state.expected - state.rows) / Math.max(steady, 0.01)))} left`;
}

/** What went wrong, and what may be done about it; nothing where all is well. */
export function problemWords({ state, start, summary, problem, rows }) {
  if (problem && state !== "running") {
    const { detail: told, errors = [] } = problem;
    const words = [told, ...errors.filter(({ detail }) => !told.includes(detail)).map(({ field, detail }) => `${field}: ${detail}`)].join(" · ");
    return state === "cut" && rows > 0 ? `${words}. What came is kept here. ${JOBS_LAST}` : words;
  }
  if (state !== "ended" || summary.reason !== "draining" || start?.job) return "";
  return `Rows that were under way are “cancelled”, those behind them were not begun: look at the list again. ${JOBS_LAST}`;
}
