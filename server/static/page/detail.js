/** One record, whole: facts, how it was fetched, what went wrong, what is predicted, and the line. */
import { mayPass } from "../census/passing.js";
import { byId, make } from "./dom.js";
import { predictionOf } from "./predicted.js";
import { pictureOf, toneOf } from "./record.js";
import { bytes, count, some } from "./words.js";

/** Show a record of a census; *item* is what the worker tells of a row. */
export function showDetail(item) {
  const dialog = byId("detail");
  const { record } = item;
  const shown = { ...record };
  if (typeof shown.thumbnail === "string") shown.thumbnail = `${shown.thumbnail.slice(0, 40)}… (${count(shown.thumbnail.length)} characters)`;
  const picture = pictureOf(item);
  const parts = [
    make(
      "div",
      { class: "dialog-head" },
      make("h2", {}, `Row ${count(record.index)} · ${record.id}`),
      make("button", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, "Close"),
    ),
    make(
      "div",
      { class: "beside" },
      picture && make("img", { src: picture, alt: "" }),
      make("dl", { class: "facts" }, facts(record)),
    ),
    predictionOf(record.prediction),
    make("h2", {}, "The record"),
    make("pre", { tabIndex: 0 }, JSON.stringify(shown, null, 2)),
  ];
  dialog.replaceChildren(...parts.filter((part) => part !== null));
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  dialog.showModal();
}

function facts(record) {
  const { image_info: info, error, fetch } = record;
  const pairs = [];
  const tell = (name, value) => {
    if (value !== undefined && value !== null && value !== "") pairs.push(make("dt", {}, name), make("dd", {}, value));
  };
  tell("URL", record.url ? make("a", { href: safe(record.url), target: "_blank", rel: "noreferrer noopener" }, record.url) : null);
  if (error) tell("failed", make("span", {}, make("span", { class: `tag ${toneOf(error)}` }, error.code), ` ${error.message}`));
  if (error) tell("stage", `${error.stage}${mayPass(error) ? ", may pass when it is asked for again" : ""}`);
  if (info) {
    tell("format", `${info.image_format ?? "–"}${info.image_mode ? `, ${info.image_mode}` : ""}${info.animated ? ", animated" : ""}`);
    tell("dimension", info.image_dimension?.join(" × "));
    tell("size", info.image_size === null ? null : `${bytes(info.image_size)} (${count(info.image_size)} bytes)`);
    for (const name of ["orientation", "frames", "phash", "sharpness", "brightness", "contrast", "colourfulness", "sha256"]) tell(name, info[name]);
  }
  if (record.change) tell("since then", record.change);
  if (fetch) {
    tell("fetched", `${some(fetch.requests ?? 1, "request")}, ${bytes(fetch.bytes)} received in ${fetch.ms} ms, status ${fetch.status ?? "–"}`);
    tell("led to", fetch.final_url);
    tell("content type", fetch.content_type);
    if (Number.isInteger(fetch.same_as)) tell("same URL as", `row ${count(fetch.same_as)}`);
    if (fetch.suspect_placeholder) tell("placeholder?", "ten or more URLs of this host have this same picture");
    tell("opts out", fetch.opt_out);
  }
  return pairs;
}

/** Only what a browser fetches; anything else is shown, not linked. */
function safe(url) {
  return /^https?:\/\//i.test(url) ? url : undefined;
}
