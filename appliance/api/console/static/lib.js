// What every page needs: calls of the APIs, who is logged in, where one is, and how figures are written.
import { computed, signal } from "./vendor/view.js";

export const session = signal(undefined); // undefined: not asked yet; null: nobody; else the token's document
export const status = signal(null); // /appliance/v1/status, asked again and again while somebody looks
export const notices = signal([]);
export const route = signal(parse());
export const dialog = signal(null);

export const project = computed(() => session.value?.project ?? null);
export const isAdmin = computed(() => (session.value?.roles ?? []).some((role) => role.name === "admin"));

export class Refusal extends Error {
  constructor(status, message, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

// -- calls -----------------------------------------------------------------------------------------------------------

export async function call(service, method, path, body, type = "application/json", headers = {}) {
  const asked = { method, headers: { Accept: "application/json", ...headers }, credentials: "same-origin" };
  if (body !== undefined) {
    asked.body = JSON.stringify(body);
    asked.headers["Content-Type"] = type;
  }
  const url = service === "session" ? "session" : `api/${service}${path}`;
  let answer;
  try {
    answer = await fetch(url, asked);
  } catch {
    throw new Refusal(0, "The appliance does not answer. Is it running, and is the network there?");
  }
  if (answer.status === 401 && service !== "session" && session.value) expired();
  if (!answer.ok && answer.status !== 304) throw await refusal(answer);
  const text = await answer.text();
  return { status: answer.status, etag: answer.headers.get("ETag"), json: text ? parsed(text) : null };
}

export const get = async (service, path) => (await call(service, "GET", path)).json;

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function refusal(answer) {
  const text = await answer.text();
  return new Refusal(answer.status, sentence(answer.status, text), answer.headers.get("Retry-After"));
}

// Both services' errors, as one sentence without markup.
export function sentence(code, text) {
  const found = parsed(text);
  const said = found?.error?.message ?? found?.message ?? (text && !text.startsWith("<") ? text : "");
  return said.replaceAll("<br />", " ").replace(/\s+/g, " ").trim() || `The appliance answered ${code}.`;
}

// -- who is logged in ------------------------------------------------------------------------------------------------

export async function whoAmI() {
  const found = await call("session", "GET");
  session.value = found.json?.token ?? null;
}

export async function logIn(asked) {
  const found = await call("session", "POST", "", asked);
  session.value = found.json.token;
}

export async function logOut() {
  await call("session", "DELETE").catch(() => null);
  session.value = null;
  status.value = null;
  location.hash = "#/";
}

function expired() {
  if (dialog.value?.name !== "again") dialog.value = { name: "again" };
}

export const endpoint = (type) =>
  (session.value?.catalog ?? [])
    .find((service) => service.type === type)
    ?.endpoints.find((one) => one.interface === "public")?.url ?? "";

// -- where one is ----------------------------------------------------------------------------------------------------

function parse() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  return { path: path || "/", parts: (path || "/").split("/").slice(1), query: new URLSearchParams(query) };
}

window.addEventListener("hashchange", () => (route.value = parse()));

export function setQuery(changes) {
  const query = new URLSearchParams(route.value.query);
  for (const [key, value] of Object.entries(changes)) value ? query.set(key, value) : query.delete(key);
  const text = query.toString();
  history.replaceState(null, "", `#${route.value.path}${text ? `?${text}` : ""}`);
  route.value = parse();
}

// -- telling ---------------------------------------------------------------------------------------------------------

let number = 0;

export function tell(text, kind = "good") {
  const id = ++number;
  notices.value = [...notices.value, { id, text, kind }];
  setTimeout(() => dismiss(id), kind === "good" ? 5000 : 12000);
}

export const dismiss = (id) => (notices.value = notices.value.filter((one) => one.id !== id));

export async function attempt(work, said) {
  try {
    const found = await work();
    if (said) tell(said);
    return found ?? true;
  } catch (error) {
    tell(error.message, "bad");
    return null;
  }
}

// -- figures ---------------------------------------------------------------------------------------------------------

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
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });

const short = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

export function ago(text, words = relative) {
  if (!text) return "never";
  const seconds = (Date.parse(text) - Date.now()) / 1000;
  if (Math.abs(seconds) < 5) return "just now";
  const [, unit, length] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return words.format(Math.round(seconds / length), unit);
}

export const agoShort = (text) => ago(text, short);
export const clock = (text) => (text ? new Date(text).toLocaleString("en-GB", { hour12: false }) : "–");
export const percent = (part, whole) => (whole ? Math.min(100, Math.max(0, (100 * part) / whole)) : 0);
export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

export function left(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 90) return `${Math.ceil(seconds)} s left`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min left`;
  return `${(seconds / 3600).toFixed(1)} h left`;
}

// A word as a shell takes it.
export const quoted = (text) => (/^[\w.,:/@%+=-]+$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`);
