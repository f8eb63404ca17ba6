/** What a record is in a few words and one picture. */
import { mayPass } from "../census/passing.js";
import { scoresOf } from "./predicted.js";

/** A source for an `img`, null where the record brought no picture. Nothing is fetched for it. */
export function pictureOf({ record, picture }) {
  const { thumbnail } = record;
  return typeof thumbnail === "string" && thumbnail.startsWith("data:image/webp;base64,") ? thumbnail : picture;
}

/** How grave it is: what may pass is not what will stay. */
export const toneOf = (error) => (mayPass(error) ? "warn" : "bad");

/** [words, class of a tag] for what stands out. */
export function tagsOf(record) {
  const tags = [];
  const { error, fetch, image_info: info, prediction } = record;
  if (error) tags.push([error.code === "http_status" ? `http ${error.http_status}` : error.code, toneOf(error)]);
  if (record.change && record.change !== "unchanged") tags.push([record.change, "accent"]);
  if (fetch?.suspect_placeholder) tags.push(["placeholder?", "warn"]);
  if (info?.animated) tags.push(["animated", ""]);
  for (const flag of Array.isArray(prediction?.flags) ? prediction.flags : []) tags.push([String(flag), "accent"]);
  const [best] = scoresOf(prediction);
  if (best) tags.push([`${best[0]} ${best[1].toPrecision(2)}`, "accent"]);
  if (fetch?.opt_out) tags.push(["opts out", ""]);
  return tags;
}
