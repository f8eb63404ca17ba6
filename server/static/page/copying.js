/** A command to be copied. */
import { make, say } from "./dom.js";

const SAID_MS = 1600;

/** A line of text with a button that copies it. */
export function copyable(words, text) {
  const code = make("code", { tabIndex: 0 }, text);
  const button = make("button", { type: "button", "aria-label": `Copy: ${words}` }, "Copy");
  button.onclick = async () => {
    say(button, (await copied(text, code)) ? "Copied" : "Press Ctrl+C");
    setTimeout(() => say(button, "Copy"), SAID_MS);
  };
  return make("div", { class: "copyable" }, make("span", { class: "copy-words" }, words), code, button);
}

/** Whether it is in the clipboard. Where the page may not write there, the text is selected instead. */
async function copied(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return false;
  }
}
