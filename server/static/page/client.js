/** The worker that reads, keeps and counts, as the views see it. */

const WORKER = new URL("../census/worker.js", import.meta.url).href;
/** Of the policy the page is served with: no address but this becomes a script. */
const trusted = globalThis.trustedTypes?.createPolicy("census", { createScriptURL: () => WORKER });

/**
 * Tells `state` (detail: what the worker said last) whenever something came, and `begin` with a new
 * census; `broken` where the worker is lost.
 */
export class Client extends EventTarget {
  state = null;
  broken = false; // nothing can be looked at: a part of the page is not there
  #worker = new Worker(trusted?.createScriptURL(WORKER) ?? WORKER, { type: "module" });
  #asked = new Map();
  #number = 0;
  #list = null;
  #census = 0; // the number of the one that was begun last

  constructor() {
    super();
    this.#worker.onerror = (event) => {
      console.error(event.message ?? "the worker could not be loaded");
      this.broken = true;
      this.dispatchEvent(new Event("broken"));
    };
    this.#worker.onmessage = ({ data }) => {
      if (data.say === "state") {
        if (data.census !== this.#census) return; // of the one before: it was under way when this was begun
        this.state = { ...data, list: this.#list };
        this.dispatchEvent(new CustomEvent("state", { detail: this.state }));
      } else if (data.say === "answer") {
        const { resolve, reject } = this.#asked.get(data.number);
        this.#asked.delete(data.number);
        if (data.error) reject(new Error(data.error));
        else resolve(data.value);
      }
    };
  }

  /** Whether a census runs. */
  get busy() {
    return ["asking", "running", "waiting"].includes(this.state?.state);
  }

  /**
   * Begin a census; one that runs is stopped.
   *
   * @param {Object} request path, method, headers, body; `resumable` for the results of a job
   * @param {number|null} expected rows, where that is known
   * @param {string|null} list the name of the file that is sent: the service is told its lines only
   */
  begin(request, expected = null, list = null) {
    this.state = null;
    this.#list = list;
    this.dispatchEvent(new Event("begin"));
    this.#worker.postMessage({ do: "begin", request, expected, number: ++this.#census });
  }

  stop() {
    this.#worker.postMessage({ do: "stop" });
  }

  wake() {
    this.#worker.postMessage({ do: "wake" });
  }

  /** Ask the worker; what may be asked stands in `census/worker.js`. */
  ask(what, args = {}) {
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject });
      this.#worker.postMessage({ do: "ask", what, args, number });
    });
  }
}
