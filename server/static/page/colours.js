/** A colour of the tokens as a canvas takes it: the one of the theme that is shown. */
import { make } from "./dom.js";

export function colourOf(token) {
  const probe = make("i");
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
