/** Pictures that look the same, as one item of a list: what they have in common, and each of them. */
import { showDetail } from "./detail.js";
import { make } from "./dom.js";
import { pictureOf } from "./record.js";
import { bytes, count, some } from "./words.js";

/** @param {Function} pictures shows all pictures of a group */
export function drawGroup(element, group, pictures) {
  if (group === undefined) return element.replaceChildren();
  const hidden = group.size - group.members.length;
  element.replaceChildren(
    make(
      "div",
      { class: "twins", role: "gridcell" },
      make(
        "div",
        { class: "twins-head" },
        make("strong", {}, some(group.size, "picture")),
        make("span", { class: "soft" }, saysOf(group)),
        make("button", { type: "button", "aria-label": `Show these ${count(group.size)} in Pictures`, onclick: () => pictures(group) }, "Show in Pictures"),
      ),
      make(
        "div",
        { class: "twins-strip" },
        group.members.map((member, place) => twin(member, place)),
        hidden ? make("button", { type: "button", class: "twins-more", onclick: () => pictures(group) }, `${count(hidden)} more`) : null,
      ),
    ),
  );
}

function saysOf({ size, files, farthest }) {
  if (files === 1) return size === 2 ? "the same file twice" : "all the same file";
  const apart = farthest === 0 ? "of the same hash" : `up to ${some(farthest, "bit")} from the first`;
  return `${some(files, "different file")}, ${apart}`;
}

function twin(member, place) {
  const { record, distance, same } = member;
  const info = record.image_info;
  const picture = pictureOf(member);
  const [words, tone] = place === 0 ? ["first", ""] : same ? ["same file", "accent"] : [distance ? some(distance, "bit") : "same hash", "warn"];
  const facts = [info?.image_dimension?.join(" × "), info?.image_size === null ? null : bytes(info?.image_size)].filter(Boolean).join(" · ");
  return make(
    "button",
    { type: "button", class: "twin", title: `${record.id} ${record.url ?? ""}`, onclick: () => showDetail(member) },
    picture ? make("img", { src: picture, alt: "", decoding: "async" }) : make("span", { class: "twin-none" }, "no picture"),
    make("span", { class: `tag ${tone}` }, words),
    make("span", { class: "twin-id" }, record.id),
    make("span", { class: "twin-soft" }, facts),
    make("span", { class: "twin-soft" }, hostIn(record.url)),
  );
}

function hostIn(url) {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url ?? "")?.[1] ?? "";
}
