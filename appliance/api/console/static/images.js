// All images that one may see: found in a moment however many there are, and added by dropping files anywhere.
import { html, signal, useEffect, useMemo, useRef, useState } from "./vendor/view.js";
import { get, getOr, open, projectName, route, setQuery } from "./lib.js";
import { agoShort, clock, plural, short8, size } from "./figures.js";
import { Button, Command, Empty, Heading, Icon, Loading, State, Trouble } from "./ui.js";
import { useEvery } from "./hooks.js";
import { Failure, ImportDialog } from "./imports.js";
import { DeleteSeveralDialog } from "./image-dialogs.js";
import { spaceOf, useSpaces } from "./space.js";
import { Offers, Uploads } from "./transfers.js";
import { add, uploads } from "./uploads.js";

const ROW = 45;
const CREATE = "openstack image create --disk-format qcow2 --container-format bare --file disk.img my-image";
const FIRST_PAGE = "/v2/images?limit=100&sort=created_at:desc";
const SETTLED = ["active", "deactivated", "queued"];

export const images = signal({ list: [], whole: false, error: null });
const chosen = signal(new Set()); // the ids of those that are ticked
let loading = 0;

// The first page at once, and the rest behind it.
export async function load() {
  const mine = ++loading;
  const list = [];
  let next = FIRST_PAGE;
  try {
    while (next) {
      const page = await get("image", next);
      if (mine !== loading) return;
      list.push(...page.images);
      next = page.next ? page.next.replace("limit=100&", "limit=1000&") : null;
      // While a list is there, a longer one takes its place only when it is whole.
      const more = list.length > images.value.list.length;
      if (!next || more) images.value = { list: [...list], whole: !next, error: null };
    }
    const ids = new Set(list.map((one) => one.id));
    chosen.value = new Set([...chosen.value].filter((id) => ids.has(id)));
  } catch (error) {
    if (mine === loading) images.value = { ...images.value, error };
  }
}

// Whether others have added or removed something lately; a long list is not asked for again and again.
async function look() {
  const { list, whole } = images.value;
  const newest = await getOr(null, "image", FIRST_PAGE);
  const same = (one, number) => one.id === list[number]?.id && one.updated_at === list[number]?.updated_at;
  const fewer = newest && !newest.next && newest.images.length !== list.length;
  if (newest && whole && (fewer || !newest.images.every(same))) load();
}

const FACTS = { status: "any status", visibility: "any visibility", disk_format: "any format" };
const SORTS = {
  name: (one) => (one.name ?? "").toLowerCase(),
  size: (one) => one.size ?? 0,
  created_at: (one) => one.created_at,
};
const FIRST = "created_at:desc";

function matches(one, text) {
  const words = [one.name ?? "", ...one.tags].map((word) => word.toLowerCase());
  return !text || one.id.startsWith(text) || words.some((word) => word.includes(text));
}

function wanted(list, query) {
  const text = (query.get("q") ?? "").toLowerCase();
  const facts = Object.keys(FACTS).filter((fact) => query.get(fact));
  const found = list.filter((one) => facts.every((fact) => one[fact] === query.get(fact)) && matches(one, text));
  const [key, order] = (query.get("sort") ?? FIRST).split(":");
  const value = SORTS[key] ?? SORTS.created_at;
  found.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
  return order === "desc" ? found.reverse() : found;
}

export function Images() {
  const { query } = route.value;
  const { list, whole, error } = images.value;
  const file = useRef(null);
  const moving = uploads.value.filter((one) => one.state === "stored").length;
  useEffect(() => void load(), [moving]);
  const settled = list.every((one) => SETTLED.includes(one.status));
  useEvery(5, () => settled || load());
  useEvery(10, () => settled && look());
  const found = useMemo(() => wanted(list, query), [list, query.toString()]);
  const choose = () => file.current.click();
  const take = (event) => {
    add(event.target.files);
    event.target.value = "";
  };
  const actions = html`<${Button} icon="link" onClick=${() => open(ImportDialog)}>Import</${Button}>
    <${Button} kind="primary" icon="upload" onClick=${choose}>Upload</${Button}>`;
  return html`<${Heading} actions=${actions}>Images</${Heading}>
    <input ref=${file} id="files" type="file" multiple hidden aria-label="Disk images to upload" onChange=${take} />
    <${Uploads} />
    <${Offers} />
    <${Filters} list=${list} found=${found} whole=${whole || Boolean(error)} />
    ${error && html`<${Trouble} error=${error} again=${load} />`}
    <${Chosen} />
    ${list.length > 0 && found.length > 0 && html`<${Table} found=${found} />`}
    ${list.length === 0 && !whole && !error && html`<${Loading} />`}
    ${list.length === 0 && whole && html`<${None} choose=${choose} />`}
    ${list.length > 0 && !found.length && whole && html`<${NoneFits} />`}
    <${Command}>${CREATE}</${Command}>`;
}

const None = ({ choose }) =>
  html`<${Empty} icon="layers" title="No images yet">
    Drop disk images anywhere on this page, or${" "}
    <button type="button" class="as-link" onClick=${choose}>choose files</button>. They are checked and deduplicated as
    they arrive.
  </${Empty}>`;

const none = Object.fromEntries(["q", ...Object.keys(FACTS)].map((name) => [name, ""]));
const NoneFits = () =>
  html`<${Empty} icon="search" title="No image fits">
    <button type="button" class="as-link" onClick=${() => setQuery(none)}>Show all</button>
  </${Empty}>`;

function Filters({ list, found, whole }) {
  const { query } = route.value;
  const options = (fact) => [...new Set(list.map((one) => one[fact]).filter(Boolean))].sort();
  const all = plural(list.length, "image");
  const count = found.length === list.length ? all : `${found.length.toLocaleString("en")} of ${all}`;
  return html`<div class="filters" role="search" aria-label="Images">
    <div class="search">
      <${Icon} name="search" />
      <input id="filter" type="search" aria-label="Filter by name, tag or id" placeholder="Filter  /"
        value=${query.get("q") ?? ""} onInput=${(event) => setQuery({ q: event.target.value })} />
    </div>
    ${Object.entries(FACTS).map(
      ([fact, every]) => html`<select key=${fact} aria-label=${fact.replace("_", " ")}
        onChange=${(event) => setQuery({ [fact]: event.target.value })}>
        <option value="">${every}</option>
        ${options(fact).map(
          (value) => html`<option key=${value} value=${value} selected=${value === query.get(fact)}>
            ${value.replace("_", " ")}
          </option>`,
        )}
      </select>`,
    )}
    <span class="dim count" role="status">${count}${whole ? "" : " so far…"}</span>
  </div>`;
}

// What can be done to all that are ticked.
function Chosen() {
  const ids = chosen.value;
  if (!ids.size) return null;
  const forget = () => (chosen.value = new Set());
  const those = () => images.value.list.filter((one) => ids.has(one.id));
  const ask = () => open(DeleteSeveralDialog, { images: those(), done: load });
  return html`<div class="note bar" role="group" aria-label="Chosen images">
    <b>${plural(ids.size, "image")} chosen</b>
    <span class="push"></span>
    <${Button} kind="small" onClick=${forget}>None</${Button}>
    <${Button} kind="small danger" icon="trash" onClick=${ask}>Delete…</${Button}>
  </div>`;
}

function tick(ids, on) {
  const now = new Set(chosen.value);
  for (const id of ids) on ? now.add(id) : now.delete(id);
  chosen.value = now;
}

// Where in the list somebody looks: the number of the first row to draw.
function useTop(box, count) {
  const [top, setTop] = useState(0);
  useEffect(() => {
    const look = () => {
      if (box.current) setTop(Math.max(0, Math.floor(-box.current.getBoundingClientRect().top / ROW) - 5));
    };
    window.addEventListener("scroll", look, { passive: true });
    look();
    return () => window.removeEventListener("scroll", look);
  }, [count]);
  return top;
}

const Gap = ({ rows }) =>
  rows > 0 && html`<tr aria-hidden="true" style=${{ height: `${rows * ROW}px` }}><td colspan="9"></td></tr>`;

function Column({ name, word, kind = "" }) {
  const [key, order] = (route.value.query.get("sort") ?? FIRST).split(":");
  const down = order === "desc";
  const now = name === key ? (down ? "descending" : "ascending") : undefined;
  const sort = () => setQuery({ sort: `${name}:${now === "descending" ? "asc" : "desc"}` });
  return html`<th scope="col" class=${kind} aria-sort=${now}>
    <button type="button" class="sort" onClick=${sort}>
      ${word}${now && html`<span aria-hidden="true">${down ? " ↓" : " ↑"}</span>`}
    </button>
  </th>`;
}

// Only the rows that are to be seen are in the page: ten thousand images are as quick as ten.
function Table({ found }) {
  const box = useRef(null);
  const top = useTop(box, found.length);
  const rows = Math.ceil(window.innerHeight / ROW) + 12;
  const first = Math.min(top, Math.max(0, found.length - rows));
  const shown = found.slice(first, first + rows);
  useSpaces(shown);
  const all = found.every((one) => chosen.value.has(one.id));
  const every = (event) => tick(found.map((one) => one.id), event.target.checked);
  return html`<div class="card flush images-box" ref=${box}>
    <table class="images" aria-rowcount=${found.length + 1}>
      <thead>
        <tr>
          <th scope="col" class="tick">
            <input type="checkbox" aria-label="Choose all in the list" checked=${all} onChange=${every} />
          </th>
          <${Column} name="name" word="Name" />
          <th scope="col">Status</th>
          <${Column} name="size" word="Size" kind="number" />
          <th scope="col" class="number" title="What it took when it was stored">On disk</th>
          <th scope="col">Format</th>
          <th scope="col">Visibility</th>
          <th scope="col">Owner</th>
          <${Column} name="created_at" word="Created" />
        </tr>
      </thead>
      <tbody>
        <${Gap} rows=${first} />
        ${shown.map((one, number) => html`<${Row} key=${one.id} image=${one} number=${first + number + 2} />`)}
        <${Gap} rows=${found.length - first - shown.length} />
      </tbody>
    </table>
  </div>`;
}

function Row({ image, number }) {
  const space = spaceOf(image);
  const owner = projectName(image.owner);
  const name = image.name || short8(image.id);
  return html`<tr aria-rowindex=${number}>
    <td class="tick">
      <input type="checkbox" aria-label=${`Choose ${name}`} checked=${chosen.value.has(image.id)}
        onChange=${(event) => tick([image.id], event.target.checked)} />
    </td>
    <td class="name">
      <a href=${`#/images/${image.id}`} title=${image.name}>
        <bdi>${image.name || html`<span class="dim">without a name</span>`}</bdi>
      </a>
      ${image.protected && html`<span title="protected"><${Icon} name="shield-check" /></span>`}
    </td>
    <td>${image.status === "queued" ? html`<${Failure} image=${image} />` : html`<${State} of=${image.status} />`}</td>
    <td class="number">${size(image.size)}</td>
    <td class="number dim">${space ? size(space.stored) : space === null ? "–" : ""}</td>
    <td>${image.disk_format}</td>
    <td>${image.visibility}</td>
    <td title=${owner ?? image.owner}>${owner ?? html`<span class="mono dim">${short8(image.owner)}</span>`}</td>
    <td><time datetime=${image.created_at} title=${clock(image.created_at)}>${agoShort(image.created_at)}</time></td>
  </tr>`;
}
