/** The key of a service that has one: asked for where it is needed, kept as long as the tab. */
import { byId, make } from "./dom.js";
import { session } from "./stored.js";

const KEPT = "imagecensus.key"; // the API page reads it too

export const keyOf = () => session.get(KEPT);

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
    const form = make(
      "form",
      { method: "dialog" },
      make("h2", { id: "key-title" }, "This service has a key"),
      make("p", wrong ? { class: "problem", role: "alert" } : { class: "lead" }, wrong ? "The key that was given is wrong." : "It is what CENSUS_API_KEY was set to. It is kept until this tab is closed."),
      make("p", {}, make("label", { for: "key-input" }, "Key"), input),
      make(
        "p",
        { class: "row" },
        make("button", { class: "main", value: "given" }, "Use it"),
        " ",
        make("button", { type: "button", onclick: () => dialog.close("") }, "Not now"),
      ),
    );
    dialog.replaceChildren(form);
    dialog.returnValue = "";
    dialog.onclose = () => {
      asking = null;
      const given = dialog.returnValue === "given" && input.value.trim() !== "";
      if (given) session.set(KEPT, input.value.trim());
      else if (wrong) session.set(KEPT, null); // nobody is served by it
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
