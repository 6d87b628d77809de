// All images that one may see: found in a moment however many there are, and added by dropping files anywhere.
import { html, signal, useEffect, useMemo, useRef, useState } from "./vendor/view.js";
import { agoShort, attempt, call, clock, dialog, get, isAdmin, left, percent, plural, project, quoted, route, setQuery, size, tell } from "./lib.js";
import { Button, Command, Empty, FormDialog, Heading, Icon, Input, Progress, Select, State, Trouble, useEvery } from "./ui.js";
import { add, again, cancel, remove, uploads } from "./uploads.js";

export const FORMATS = ["qcow2", "raw", "iso", "vmdk", "vhd", "vhdx", "vdi", "ploop", "ami", "ari", "aki"];
export const VISIBILITIES = () => [["shared", "shared with chosen projects"], ["private", "private"], ["community", "community: whoever knows its id"], ...(isAdmin.value ? [["public", "public: everybody"]] : [])];
const ROW = 45;

export const images = signal({ list: [], whole: false, error: null });
let loading = 0;

// The first page at once, and the rest behind it.
export async function load() {
  const mine = ++loading;
  const list = [];
  let next = "/v2/images?limit=100&sort=created_at:desc";
  try {
    while (next) {
      const page = await get("image", next);
      if (mine !== loading) return;
      list.push(...page.images);
      next = page.next ? page.next.replace("limit=100&", "limit=1000&") : null;
      images.value = { list: [...list], whole: !next, error: null };
    }
  } catch (error) {
    if (mine === loading) images.value = { ...images.value, error };
  }
}

const FACTS = ["status", "visibility", "disk_format"];
const SORTS = { name: (one) => (one.name ?? "").toLowerCase(), size: (one) => one.size ?? 0, created_at: (one) => one.created_at };

function chosen(list, query) {
  const text = (query.get("q") ?? "").toLowerCase();
  let found = list.filter(
    (one) =>
      FACTS.every((fact) => !query.get(fact) || one[fact] === query.get(fact)) &&
      (!text || (one.name ?? "").toLowerCase().includes(text) || one.id.startsWith(text) || one.tags.some((tag) => tag.toLowerCase().includes(text))),
  );
  const [key, order] = (query.get("sort") ?? "created_at:desc").split(":");
  const value = SORTS[key] ?? SORTS.created_at;
  found = found.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
  return order === "desc" ? found.reverse() : found;
}

export function Images() {
  const { query } = route.value;
  const { list, whole, error } = images.value;
  useEffect(() => void load(), []);
  const moving = uploads.value.filter((one) => one.state === "stored").length;
  useEffect(() => void (moving && load()), [moving]);
  useEvery(5, () => list.some((one) => !["active", "deactivated", "queued"].includes(one.status)) && load());
  const found = useMemo(() => chosen(list, query), [list, query.toString()]);
  const options = (fact) => [...new Set(list.map((one) => one[fact]).filter(Boolean))].sort();
  const file = useRef(null);
  return html`<${Heading} actions=${html`<${Button} icon="link" onClick=${() => (dialog.value = { name: "import" })}>Import</${Button}>
      <${Button} kind="primary" icon="upload" onClick=${() => file.current.click()}>Upload</${Button}>`}>Images</${Heading}>
    <input ref=${file} id="files" type="file" multiple hidden aria-label="Disk images to upload" onChange=${(event) => { add(event.target.files); event.target.value = ""; }} />
    <${Uploads} />
    <${Offers} />
    <div class="filters" role="search" aria-label="Images">
      <div class="search"><${Icon} name="search" /><input id="filter" type="search" aria-label="Filter by name, tag or id" placeholder="Filter  /" value=${query.get("q") ?? ""} onInput=${(event) => setQuery({ q: event.target.value })} /></div>
      ${FACTS.map((fact) => html`<select aria-label=${fact.replace("_", " ")} onChange=${(event) => setQuery({ [fact]: event.target.value })}>
        <option value="">${{ status: "every status", visibility: "every visibility", disk_format: "every format" }[fact]}</option>
        ${options(fact).map((value) => html`<option key=${value} value=${value} selected=${value === query.get(fact)}>${value.replace("_", " ")}</option>`)}</select>`)}
      <span class="dim count" role="status">${found.length === list.length ? plural(list.length, "image") : `${found.length.toLocaleString("en")} of ${plural(list.length, "image")}`}${whole || error ? "" : " so far…"}</span>
    </div>
    ${error && html`<${Trouble} error=${error} again=${load} />`}
    ${list.length === 0 && whole
      ? html`<${Empty} icon="layers" title="No images yet">Drop disk images anywhere on this page, or <button type="button" class="as-link" onClick=${() => file.current.click()}>choose files</button>. They are checked and deduplicated as they arrive.</${Empty}>`
      : html`<${Table} found=${found} />`}
    <${Command}>openstack image create --disk-format qcow2 --container-format bare --file disk.img my-image</${Command}>`;
}

// Only the rows that are to be seen are in the page: ten thousand images are as quick as ten.
function Table({ found }) {
  const box = useRef(null);
  const [top, setTop] = useState(0);
  useEffect(() => {
    const look = () => box.current && setTop(Math.max(0, Math.floor(-box.current.getBoundingClientRect().top / ROW) - 5));
    window.addEventListener("scroll", look, { passive: true });
    look();
    return () => window.removeEventListener("scroll", look);
  }, [found.length]);
  const rows = Math.ceil(window.innerHeight / ROW) + 12;
  const first = Math.min(top, Math.max(0, found.length - rows));
  const shown = found.slice(first, first + rows);
  const [key, order] = (route.value.query.get("sort") ?? "created_at:desc").split(":");
  const column = (name, word, kind = "") => {
    const now = name === key ? (order === "desc" ? "descending" : "ascending") : undefined;
    const then = now === "descending" ? "asc" : "desc";
    return html`<th scope="col" class=${kind} aria-sort=${now}><button type="button" class="sort" onClick=${() => setQuery({ sort: `${name}:${then}` })}>${word}${now && html`<span aria-hidden="true">${now === "descending" ? " ↓" : " ↑"}</span>`}</button></th>`;
  };
  return html`<div class="card flush images-box" ref=${box}><table class="images" aria-rowcount=${found.length + 1}>
    <thead><tr>${column("name", "Name")}<th scope="col">Status</th>${column("size", "Size", "number")}<th scope="col">Format</th><th scope="col">Visibility</th><th scope="col">Owner</th>${column("created_at", "Created")}</tr></thead>
    <tbody>
      ${first > 0 && html`<tr aria-hidden="true" style=${{ height: `${first * ROW}px` }}><td colspan="7"></td></tr>`}
      ${shown.map((one, number) => html`<${Row} key=${one.id} image=${one} number=${first + number + 2} />`)}
      ${first + shown.length < found.length && html`<tr aria-hidden="true" style=${{ height: `${(found.length - first - shown.length) * ROW}px` }}><td colspan="7"></td></tr>`}
    </tbody></table></div>`;
}

function Row({ image, number }) {
  return html`<tr aria-rowindex=${number}>
    <td><a href=${`#/images/${image.id}`}>${image.name || html`<span class="dim">without a name</span>`}</a>${image.protected && html`<${Icon} name="shield-check" />`}${image.os_glance_failed_import && html`<span class="state bad">import failed</span>`}</td>
    <td><${State} of=${image.status} /></td><td class="number">${size(image.size)}</td><td>${image.disk_format}</td>
    <td>${image.visibility}</td><td>${image.owner === project.value?.id ? project.value.name : html`<span class="mono dim">${(image.owner ?? "").slice(0, 8)}</span>`}</td>
    <td><time datetime=${image.created_at} title=${clock(image.created_at)}>${agoShort(image.created_at)}</time></td></tr>`;
}

export function Uploads() {
  const shown = uploads.value;
  if (!shown.length) return null;
  return html`<section class="card uploads" aria-label="Uploads">${shown.map((one) => html`<${Upload} key=${one.id} upload=${one} />`)}</section>`;
}

function Upload({ upload }) {
  const { id, state, name, file, sent, rate, error, same, image } = upload;
  const value = state === "stored" ? 100 : percent(sent, file.size);
  return html`<div class=${`upload ${state}`} data-state=${state}>
    <div class="upload-line"><${Icon} name=${state === "stored" ? "circle-check" : state === "failed" ? "circle-alert" : "upload"} />
      ${image ? html`<a href=${`#/images/${image}`}>${name}</a>` : html`<b>${name}</b>`}
      <span class="dim">${state === "sending" ? `${value.toFixed(0)} % · ${size(sent)} of ${size(file.size)}${rate ? ` · ${size(rate)}/s · ${left((file.size - sent) / rate)}` : ""}` : state === "waiting" ? "waits for its turn" : state === "stored" ? `stored, ${size(file.size)}` : ""}</span>
      ${state === "stored" && same && html`<span class="state good">already here as <a href=${`#/images/${same.id}`}>${same.name || same.id.slice(0, 8)}</a></span>`}
      <span class="push"></span>
      ${state === "failed" && html`<${Button} kind="small" icon="refresh-cw" onClick=${() => again(id)}>Try again</${Button}>`}
      <${Button} kind="quiet small" icon="x" label=${["sending", "waiting"].includes(state) ? `Cancel the upload of ${name}` : `Dismiss ${name}`} onClick=${() => (["stored", "failed", "cancelled"].includes(state) ? remove(id) : cancel(id))} /></div>
    ${["sending", "waiting"].includes(state) && html`<${Progress} value=${value} label=${`Upload of ${name}`} />`}
    ${state === "failed" && html`<p class="trouble" role="alert">${error}</p>`}
  </div>`;
}

// Images that other projects offer to this one.
function Offers() {
  const [offers, setOffers] = useState([]);
  const mine = project.value?.id;
  const ask = () => mine && get("image", "/v2/images?visibility=shared&member_status=pending&limit=20").then((found) => setOffers(found.images.filter((one) => one.owner !== mine))).catch(() => null);
  useEffect(() => void ask(), [mine]);
  if (!offers.length) return null;
  const answer = (image, said) => attempt(() => call("image", "PUT", `/v2/images/${image.id}/members/${mine}`, { status: said }), said === "accepted" ? `${image.name} is in your list now.` : `${image.name} stays out of your list.`).then(() => { ask(); load(); });
  return html`<section class="card offers" aria-label="Offered images">${offers.map((one) => html`<p key=${one.id}><${Icon} name="share-2" /> Another project offers you <b>${one.name}</b> (${size(one.size)}). <${Button} kind="small primary" onClick=${() => answer(one, "accepted")}>Accept</${Button}> <${Button} kind="small" onClick=${() => answer(one, "rejected")}>Reject</${Button}></p>`)}</section>`;
}

export function ImportDialog() {
  const [form, setForm] = useState({ uri: "", name: "", format: "qcow2", visibility: "shared" });
  const set = (key) => (event) => setForm({ ...form, [key]: event.target.value });
  const name = form.name || form.uri.split("/").pop().replace(/\.\w+$/, "");
  const work = async () => {
    const { json } = await call("image", "POST", "/v2/images", { name, disk_format: form.format, container_format: "bare", visibility: form.visibility });
    try {
      await call("image", "POST", `/v2/images/${json.id}/import`, { method: { name: "web-download", uri: form.uri } });
    } catch (error) {
      await call("image", "DELETE", `/v2/images/${json.id}`).catch(() => null);
      throw error;
    }
    tell(`The import of ${name} has begun.`);
    location.hash = `#/images/${json.id}`;
  };
  return html`<${FormDialog} title="Import from an address" action="Import" work=${work} ready=${form.uri && name}
    command=${`openstack image create --import --disk-format ${form.format} --container-format bare --uri ${quoted(form.uri || "https://…")} ${quoted(name || "my-image")}`}>
    <${Input} id="import-uri" label="Address" type="url" placeholder="https://cloud-images.example.org/noble.img" value=${form.uri} onInput=${set("uri")} required autofocus />
    <${Input} id="import-name" label="Name" value=${form.name} placeholder=${name} onInput=${set("name")} />
    <div class="pair"><${Select} id="import-format" label="Format" value=${form.format} onChange=${set("format")} options=${FORMATS.map((one) => [one, one])} />
    <${Select} id="import-visibility" label="Visibility" value=${form.visibility} onChange=${set("visibility")} options=${VISIBILITIES()} /></div>
  </${FormDialog}>`;
}
