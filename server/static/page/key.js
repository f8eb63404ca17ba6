/** The key of a service that has one: asked for where it is needed, kept as long as the tab. */
import { byId, make, say } from "./dom.js";
import { session } from "./stored.js";

const KEPT = "imagecensus.key";
const CAN_BE = /^[\x21-\x7e]+$/; // of other signs no service has one, and some cannot even be sent

/** What to say of a text that no key can be. */
export const NO_KEY = "That cannot be the key: it has letters, digits and plain signs only, no space and no curly quotes.";

/** The key that was given, null where there is none. */
export function keyOf() {
  const kept = session.get(KEPT);
  return kept !== null && CAN_BE.test(kept) ? kept : null;
}

/** Keep what was given as the key. @returns {boolean} false where it cannot be one: nothing is kept then */
export function keepKey(text) {
  const key = text.trim();
  if (!CAN_BE.test(key)) return false;
  session.set(KEPT, key);
  return true;
}

/** Header fields that carry the key. */
export function withKey(headers = {}) {
  const key = keyOf();
  return key ? { ...headers, Authorization: `Bearer ${key}` } : headers;
}

let asking = null;

/** Ask for the key. Resolves to whether one was given. */
export function askForKey() {
  asking ??= new Promise((resolve) => {
    const dialog = byId("key");
    const wrong = keyOf() !== null;
    const input = make("input", { type: "password", id: "key-input", autocomplete: "current-password", required: true, spellcheck: false });
    const says = make("p", wrong ? { class: "problem", role: "alert" } : { class: "lead" }, wrong ? "The key that was given is wrong." : "It is what CENSUS_API_KEY was set to. It is kept until this tab is closed.");
    let given = false;
    const use = (event) => {
      given = keepKey(input.value);
      if (given) return;
      event.preventDefault(); // the dialog stays
      says.className = "problem";
      says.setAttribute("role", "alert");
      say(says, NO_KEY);
      input.select();
    };
    const form = make(
      "form",
      { method: "dialog", onsubmit: use },
      make("h2", { id: "key-title" }, "This service has a key"),
      says,
      make("p", {}, make("label", { for: "key-input" }, "Key"), input),
      make(
        "p",
        { class: "row" },
        make("button", { class: "main" }, "Use it"),
        " ",
        make("button", { type: "button", onclick: () => dialog.close() }, "Not now"),
      ),
    );
    dialog.replaceChildren(form);
    dialog.onclose = () => {
      asking = null;
      if (wrong && !given) session.set(KEPT, null); // nobody is served by it
      dialog.replaceChildren();
      document.dispatchEvent(new Event("key"));
      resolve(given);
    };
    dialog.showModal();
  });
  return asking;
}

export function forgetKey() {
  session.set(KEPT, null);
  document.dispatchEvent(new Event("key"));
}
