/** Light, dark, or as the system has it: kept for the next visit. */
import { byId } from "./dom.js";
import { local } from "./stored.js";

const KEPT = "imagecensus.theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const SAYS = { auto: "as the system has them", light: "light", dark: "dark" };

/** The one that was chosen here before. */
export function chosenTheme() {
  const theme = local.get(KEPT);
  return Object.hasOwn(NEXT, theme) ? theme : "auto";
}

export function setUpTheme() {
  const button = byId("theme-button");
  const show = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-label", `Colours: ${SAYS[theme]}`);
    button.title = `Colours: ${SAYS[theme]}`;
    dispatchEvent(new Event("theme"));
  };
  let theme = chosenTheme();
  show(theme);
  button.onclick = () => {
    theme = NEXT[theme];
    local.set(KEPT, theme);
    show(theme);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("theme")));
}
