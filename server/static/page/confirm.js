/** A question before something that cannot be taken back. */
import { make } from "./dom.js";

/**
 * Ask. Escape, and a click beside it, mean no.
 *
 * @param {{title: string, says: string[], yes: string, no: string}} words
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, says, yes, no = "Keep it" }) {
  return new Promise((resolve) => {
    const dialog = make("dialog", { class: "confirm", role: "alertdialog", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-says" });
    const button = (words, value, props = {}) => make("button", { type: "button", onclick: () => dialog.close(value), ...props }, words);
    dialog.append(
      make("h2", { id: "confirm-title" }, title),
      make("div", { id: "confirm-says" }, says.map((text) => make("p", {}, text))),
      make("p", { class: "buttons" }, button(no, "", { autofocus: true }), button(yes, "yes", { class: "danger" })),
    );
    dialog.onclick = (event) => event.target === dialog && dialog.close("");
    dialog.onclose = () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    };
    document.body.append(dialog);
    dialog.showModal();
  });
}
