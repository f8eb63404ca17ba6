/** Numbers as people read them. */
const whole = new Intl.NumberFormat("en");
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const count = (number) => whole.format(Math.round(number));

export function bytes(number) {
  if (number === null || number === undefined || number < 0) return "–";
  let unit = 0;
  const units = ["B", "kB", "MB", "GB", "TB"];
  while (number >= 1000 && unit < units.length - 1) [number, unit] = [number / 1000, unit + 1];
  return `${unit ? one.format(number) : whole.format(number)} ${units[unit]}`;
}

export function rate(number) {
  return number >= 100 ? whole.format(Math.round(number)) : one.format(number);
}

export function span(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 10) return `${one.format(seconds)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

export const percent = (part, all) => (all ? `${one.format((100 * part) / all)} %` : "–");

/** "1 row", "2 rows". */
export const some = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** A code of the service in words: `dns_not_found` → "dns not found". */
export const spoken = (code) => code.replaceAll("_", " ");

const TURNING = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/** A name of somebody's choice, in which what would turn the text around it can be seen and does nothing. */
export const unturned = (name) => name.replace(TURNING, "\uFFFD");
