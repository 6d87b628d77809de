// What every page needs: calls of the APIs, who is logged in, where one is, what is told, and which dialog is open.
import { computed, signal } from "./vendor/view.js";

export const session = signal(undefined); // undefined: not asked yet; null: nobody; else the token's document
export const ending = signal(false); // whether the session ends soon, or has ended while somebody works
export const status = signal(null); // /appliance/v1/status, asked again and again while somebody looks
export const notices = signal([]);
export const route = signal(parse());
export const dialog = signal(null); // {show, props}: the component of the dialog that is open

export const project = computed(() => session.value?.project ?? null);
export const isAdmin = computed(() => (session.value?.roles ?? []).some((role) => role.name === "admin"));

export const open = (show, props = {}) => (dialog.value = { show, props });
export const close = () => (dialog.value = null);

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
  if (answer.status === 401 && service !== "session" && session.value) ending.value = true;
  if (!answer.ok && answer.status !== 304) throw await refusal(answer);
  const text = await answer.text();
  return { status: answer.status, etag: answer.headers.get("ETag"), json: text ? parsed(text) : null };
}

export const get = async (service, path) => (await call(service, "GET", path)).json;
export const getOr = (other, service, path) => get(service, path).catch(() => other);

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
  ending.value = false;
}

export async function logOut() {
  await call("session", "DELETE").catch(() => null);
  session.value = status.value = dialog.value = null;
  ending.value = false;
  names.value = {};
  location.hash = "#/";
}

export const endpoint = (type) =>
  (session.value?.catalog ?? [])
    .find((service) => service.type === type)
    ?.endpoints.find((one) => one.interface === "public")?.url ?? "";

// -- the names of projects -------------------------------------------------------------------------------------------

export const names = signal({}); // those that this user may know, by their ids

export async function learnNames() {
  const asked = isAdmin.value ? ["/v3/projects", "/v3/auth/projects"] : ["/v3/auth/projects"];
  const found = await Promise.all(asked.map((path) => getOr({ projects: [] }, "identity", path)));
  names.value = Object.fromEntries(found.flatMap((one) => one.projects).map((one) => [one.id, one.name]));
  return found.at(-1).projects;
}

export const projectName = (id) => names.value[id] ?? (id === project.value?.id ? project.value?.name : undefined);

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
  notices.value = [...notices.value, { id, text, kind }].slice(-4);
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
