/** A prediction as it is shown: colours as they are, scores by their length, numbers with their scale. */
import { make } from "./dom.js";

const COLOUR = /^#[0-9a-f]{6}$/i;
const MOST_SCORES = 12;
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** Numbers that the built-in predictor tells: [name, the most it can be, how it is written]. */
const SCALES = [
  ["brightness", 255, (value) => one.format(value)],
  ["contrast", 127.5, (value) => one.format(value)],
  ["colourfulness", 120, (value) => one.format(value)],
  ["entropy", 8, (value) => `${one.format(value)} bits`],
  ["background", 1, (value) => `${one.format(100 * value)} %`],
];
const TOLD_ELSEWHERE = new Set(["scores", "flags", "dominant_colours", ...SCALES.map(([name]) => name)]);

const colours = (prediction) =>
  (Array.isArray(prediction?.dominant_colours) ? prediction.dominant_colours : []).filter((part) => COLOUR.test(part?.colour) && Number.isFinite(part.share));

/** [label, score], the highest first. */
export function scoresOf(prediction) {
  return Object.entries(prediction?.scores ?? {})
    .filter(([, score]) => typeof score === "number")
    .sort(([, first], [, second]) => second - first);
}

/** The colours of a picture side by side, each as wide as its share; null where none are told. */
export function swatches(prediction, { named = false } = {}) {
  const parts = colours(prediction);
  if (!parts.length) return null;
  const words = (part) => `${part.colour} ${one.format(100 * part.share)} %`;
  const strip = make(
    "span",
    { class: "swatches", role: "img", "aria-label": `Colours: ${parts.map(words).join(", ")}`, title: parts.map(words).join("\n") },
    parts.map((part) => {
      const swatch = make("i");
      swatch.style.background = part.colour;
      swatch.style.flexGrow = String(100 * part.share); // below a sum of 1 some room would be left
      return swatch;
    }),
  );
  if (!named) return strip;
  return make("div", { class: "colours" }, strip, make("span", { class: "soft" }, parts.map(words).join(" · ")));
}

/** The numbers of a prediction in a few words, for a line of the list. */
export function numbersOf(prediction) {
  return SCALES.slice(0, 3)
    .filter(([name]) => typeof prediction?.[name] === "number")
    .map(([name, , written]) => `${name} ${written(prediction[name])}`);
}

/** All of a prediction, for the detail of a record. */
export function predictionOf(prediction) {
  if (prediction === null || prediction === undefined) return null;
  const parts = [];
  if (typeof prediction !== "object") parts.push(make("p", {}, String(prediction))); // of a class of one's own
  const bar = (label, share, words) =>
    make("div", { class: "score" }, make("span", { title: label }, label), make("meter", { min: 0, max: 1, value: Math.max(0, Math.min(1, share)), "aria-label": label }), make("span", { class: "figures" }, words));
  if (Array.isArray(prediction.flags) && prediction.flags.length) {
    parts.push(make("p", { class: "flags" }, prediction.flags.map((flag) => make("span", { class: "tag accent" }, String(flag)))));
  }
  const scores = scoresOf(prediction);
  if (scores.length) {
    // Scores that are no probabilities are shown against the largest of them.
    const most = Math.max(1, ...scores.map(([, score]) => Math.abs(score)));
    parts.push(...scores.slice(0, MOST_SCORES).map(([label, score]) => bar(label, score / most, score.toPrecision(3))));
    if (scores.length > MOST_SCORES) parts.push(make("p", { class: "soft" }, `and ${scores.length - MOST_SCORES} lower ones, in the record below`));
  }
  for (const [name, most, written] of SCALES) {
    if (typeof prediction[name] === "number") parts.push(bar(name, prediction[name] / most, written(prediction[name])));
  }
  const strip = swatches(prediction, { named: true });
  if (strip) parts.push(strip);
  const others = Object.entries(typeof prediction === "object" ? prediction : {}).filter(([name, value]) => !TOLD_ELSEWHERE.has(name) && ["string", "number", "boolean"].includes(typeof value));
  if (others.length) parts.push(make("dl", { class: "facts" }, others.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))])));
  return parts.length ? make("section", { class: "prediction" }, make("h2", {}, "Predicted"), parts) : null;
}
