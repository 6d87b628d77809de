// How figures, times and words are written.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

const STEPS = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86400, "hour", 3600],
  [86400 * 45, "day", 86400],
  [Infinity, "month", 86400 * 30],
];
const long = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });
const short = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

const stepOf = (seconds) => STEPS.find(([limit]) => Math.abs(seconds) < limit);

export function ago(text, words = long) {
  if (!text) return "never";
  const seconds = (Date.parse(text) - Date.now()) / 1000;
  if (Math.abs(seconds) < 5) return "just now";
  const [, unit, length] = stepOf(seconds);
  return words.format(Math.round(seconds / length), unit);
}

export const agoShort = (text) => ago(text, short);
export const clock = (text) => (text ? new Date(text).toLocaleString("en-GB", { hour12: false }) : "–");
export const percent = (part, whole) => (whole ? Math.min(100, Math.max(0, (100 * part) / whole)) : 0);
export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

export function span(seconds) {
  const [, unit, length] = stepOf(seconds);
  return plural(Math.round(seconds / length), unit);
}

export function left(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 90) return `${Math.ceil(seconds)} s left`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min left`;
  return `${(seconds / 3600).toFixed(1)} h left`;
}

// A word as a shell takes it.
export const quoted = (text) => (/^[\w.,:/@%+=-]+$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`);

export const short8 = (id) => (id ?? "").slice(0, 8);
