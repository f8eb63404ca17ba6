/** Elements are made here and nowhere else: what comes from a record is text, never markup. */

/**
 * An element. Members of *props* are properties of it; `class`, `role`, `for`, `data-…` and `aria-…`
 * are attributes, `on…` functions are listened with, undefined and null are left out.
 */
export function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "for") element.htmlFor = value;
    else if (name === "role" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The element of that id. */
export const byId = (id) => document.getElementById(id);

/** Set the text of an element, only where it is another. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A list of choices: [value, words] or a text for both. */
export function choices(options, chosen) {
  return options.map((option) => {
    const [value, words] = Array.isArray(option) ? option : [option, option];
    return make("option", { value, selected: value === chosen }, words);
  });
}
