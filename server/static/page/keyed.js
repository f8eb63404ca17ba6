/** Lists that change while somebody looks at them, or is about to press something in them. */

const held = new WeakMap(); // parent → key → element

/**
 * Have the children of *parent* be those of *items*: elements stay what they are for as long as their
 * items are there. Where the pointer or the focus is within, what is there keeps its place.
 *
 * @param {Function} keyOf of an item, a text or a number
 * @param {Function} made an element for an item @param {Function} drawn (element, item): what it shows
 */
export function keep(parent, items, { keyOf, made, drawn }) {
  const elements = held.get(parent) ?? new Map();
  held.set(parent, elements);
  const keys = new Set(items.map(keyOf));
  for (const [key, element] of elements) {
    if (keys.has(key)) continue;
    element.remove();
    elements.delete(key);
  }
  const still = parent.matches(":hover") || parent.contains(document.activeElement);
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let element = elements.get(key);
    if (element === undefined) {
      element = made(item);
      elements.set(key, element);
      if (still) parent.append(element);
    }
    drawn(element, item);
    if (still) continue;
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
}
