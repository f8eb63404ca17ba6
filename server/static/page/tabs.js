/** Which view is shown: by its tab, by the address behind `#`, by the arrow keys. */
import { byId } from "./dom.js";

export class Tabs {
  #views;
  #now = null;

  /** @param {Object} views by name: each has `show(argument)` and `hide()` */
  constructor(views) {
    this.#views = views;
    this.tabs = [...document.querySelectorAll('[role="tab"]')];
    for (const tab of this.tabs) tab.onclick = () => this.go(tab.dataset.view);
    document.querySelector('[role="tablist"]').onkeydown = (event) => this.#key(event);
    addEventListener("hashchange", () => this.#follow());
    this.#follow();
  }

  /** Show a view; *argument* is for it alone. */
  go(name, argument) {
    if (location.hash !== `#${name}`) history.replaceState(null, "", `#${name}`);
    this.#show(name, argument);
  }

  #follow() {
    const name = location.hash.slice(1);
    if (Object.hasOwn(this.#views, name)) return this.#show(name);
    // What names no view, as where the first link of the page leads, is no reason to leave one.
    if (this.#now === null) this.#show("pictures");
    else history.replaceState(null, "", `#${this.#now}`);
  }

  #show(name, argument) {
    if (this.#now !== null && this.#now !== name) this.#views[this.#now].hide();
    this.#now = name;
    const had = document.activeElement;
    for (const tab of this.tabs) {
      const chosen = tab.dataset.view === name;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
      byId(`view-${tab.dataset.view}`).hidden = !chosen;
    }
    // What had the focus may be hidden now: keys go on in the view that is shown.
    if (had.closest(".view[hidden]")) byId("view").focus({ preventScroll: true });
    this.#views[name].show(argument);
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = this.tabs.indexOf(document.activeElement);
    const next = Math.abs(step) === 1 ? (at + step + this.tabs.length) % this.tabs.length : step < 0 ? 0 : this.tabs.length - 1;
    this.tabs[next].focus();
    this.go(this.tabs[next].dataset.view);
  }
}
