// One image: what it is, what it is made of, who may use it, how to use it, and what has happened to it.
import { html, useEffect, useState } from "./vendor/view.js";
import { ago, attempt, call, clock, dialog, endpoint, get, isAdmin, percent, plural, project, quoted, route, session, size, tell } from "./lib.js";
import { Button, Command, Copy, Empty, FormDialog, Heading, Icon, Input, Parts, Select, State, Trouble, useAsked, useEvery } from "./ui.js";
import { Events } from "./activity.js";
import { VISIBILITIES } from "./images.js";

const PATCH = "application/openstack-images-v2.1-json-patch";
const KNOWN = new Set("id name status visibility protected os_hidden disk_format container_format min_disk min_ram size virtual_size checksum os_hash_algo os_hash_value owner tags created_at updated_at self file schema direct_url locations stores".split(" "));
export const extras = (image) => Object.entries(image).filter(([name]) => !KNOWN.has(name) && !name.startsWith("os_glance"));

export function Image() {
  const id = route.value.parts[1];
  const { found: image, error, ask } = useAsked(() => get("image", `/v2/images/${id}`), [id]);
  const { found: map, ask: askMap } = useAsked(() => get("image", `/appliance/v1/images/${id}/map?cells=240`).catch(() => null), [id]);
  const passing = image && ["saving", "importing", "uploading"].includes(image.status);
  useEvery(passing ? 1 : 10, () => { ask(); askMap(); });
  if (error && !image) return html`<${Heading}>Image</${Heading}>${error.status === 404 ? html`<${Empty} icon="layers" title="There is no such image">${error.message} <a href="#/images">All images</a></${Empty}>` : html`<${Trouble} error=${error} again=${ask} />`}`;
  if (!image) return html`<${Heading} title="Image">…</${Heading}>`;
  const open = (name) => () => (dialog.value = { name, image, done: ask });
  const mine = isAdmin.value || image.owner === project.value?.id;
  const active = image.status === "active";
  const actions = html`
    ${image.size > 0 && html`<a class="button" href=${`api/image/v2/images/${id}/file`} download=${`${image.name || id}.${image.disk_format}`}><${Icon} name="download" /><span>Download</span></a>`}
    ${mine && html`<${Button} icon="pencil" onClick=${open("edit")}>Edit</${Button}>
      ${image.visibility === "shared" && html`<${Button} icon="share-2" onClick=${open("share")}>Share</${Button}>`}
      <${Button} icon="trash" kind="danger" onClick=${open("delete")}>Delete…</${Button}>`}`;
  return html`<${Heading} title=${image.name || id} actions=${actions}>${image.name || html`<span class="mono">${id}</span>`}</${Heading}>
    <p class="facts"><${State} of=${image.status} /> ${size(image.size)} · ${image.disk_format} · ${image.visibility}${image.protected ? " · protected" : ""} · <span class="mono dim">${id}</span> <${Copy} text=${id} label="Copy the id" />
      ${map?.checked_at && active && html`<span class="whole"><${Icon} name="shield-check" /> read and whole, ${ago(map.checked_at)}</span>`}</p>
    ${(passing || image.os_glance_failed_import || image.status === "queued") && html`<${Import} image=${image} />`}
    ${map?.cells.length > 0 && html`<${Made} map=${map} />`}
    <div class="grid wide">
      <div class="stack">${image.size > 0 && html`<${Use} image=${image} />`}
      ${mine && image.visibility === "shared" && html`<${Members} image=${image} />`}</div>
      <${Facts} image=${image} mine=${mine} again=${ask} />
    </div>
    <${History} id=${id} />`;
}

// How an import goes, and why one has failed.
function Import({ image }) {
  const { found, ask } = useAsked(() => get("image", `/v2/images/${image.id}/tasks`).catch(() => null), [image.id]);
  useEvery(1.5, ask);
  const task = (found?.tasks ?? []).sort((a, b) => (a.created_at < b.created_at ? 1 : -1))[0];
  if (!task) return image.status === "queued" ? html`<p class="note">This image has no data yet: drop its file on the list of images, or import it.</p>` : null;
  const uri = task.input?.import_req?.method?.uri;
  const failed = task.status === "failure";
  const again = () => attempt(() => call("image", "POST", `/v2/images/${image.id}/import`, { method: { name: "web-download", uri } }), "The import has begun again.").then(ask);
  return html`<div class=${failed ? "trouble" : "note"} role="status"><${Icon} name=${failed ? "circle-alert" : "link"} />
    <span>${failed ? `The import failed: ${task.message}` : `Import: ${task.message || task.status}`}${uri && html`<br /><span class="mono dim">${uri}</span>`}</span>
    ${failed && uri && image.status === "queued" && html`<${Button} kind="small" icon="refresh-cw" onClick=${again}>Try again</${Button}>`}</div>`;
}

function Made({ map }) {
  const sums = map.sums;
  const parts = [
    { name: "shared" in sums ? "its own" : "stored", value: sums.own, kind: "own", text: size(sums.own) },
    ...("shared" in sums ? [{ name: "shared with others", value: sums.shared, kind: "shared", text: size(sums.shared) }] : []),
    { name: "zeros", value: sums.zero, kind: "zero", text: size(sums.zero) },
    ...(sums.damaged ? [{ name: "damaged", value: sums.damaged, kind: "damaged", text: size(sums.damaged) }] : []),
  ];
  return html`<section class="card" aria-labelledby="made"><h2 id="made">On disk</h2>
    <${Parts} parts=${parts} label="What the image is made of" />
    <${BlockMap} map=${map} />
    <p class="dim">${size(sums.own + sums.shared || sums.own)} of data take ${size(sums.stored)}${sums.compressed > 0 ? `: ${size(sums.compressed)} are compressed away` : ""}.${sums.damaged ? " What is damaged can't be read: upload the same image again, and it is healed." : ""}</p>
  </section>`;
}

// The image from its first byte to its last, in cells; in each, how much is whose.
function BlockMap({ map }) {
  const kinds = map.columns.filter((name) => name !== "stored");
  const cells = map.cells.length;
  return html`<svg class="map" shape-rendering="crispEdges" viewBox=${`0 0 ${cells} 40`} preserveAspectRatio="none" role="img" aria-label="Block map, from the first byte to the last">
    ${map.cells.map((cell, x) => {
      const whole = kinds.reduce((sum, _, number) => sum + cell[number], 0) || 1;
      let y = 40;
      return kinds.map((kind, number) => {
        const height = (40 * cell[number]) / whole;
        if (!height) return null;
        y -= height;
        return html`<rect key=${`${x}${kind}`} class=${kind} x=${x} y=${y} width="1.02" height=${height} />`;
      });
    })}</svg>`;
}

const WAYS = {
  openstack: (image) => `openstack server create --image ${image.id} --flavor m1.small --network my-network my-server`,
  qemu: (image, name) => `openstack image save --file ${name} ${image.id}\nqemu-system-x86_64 -accel kvm -m 2048 -drive file=${name},format=${image.disk_format},if=virtio`,
  "virt-install": (image, name) => `openstack image save --file ${name} ${image.id}\nvirt-install --import --name ${quoted(image.name || "machine")} --memory 2048 --osinfo detect=on,require=off --disk ${name},format=${image.disk_format}`,
  terraform: (image) => `data "openstack_images_image_v2" "image" {\n  name        = ${JSON.stringify(image.name ?? "")}\n  most_recent = true\n}`,
  curl: (image, name) => `curl -H "X-Auth-Token: $(openstack token issue -f value -c id)" \\\n  -o ${name} ${endpoint("image")}/v2/images/${image.id}/file`,
};

function Use({ image }) {
  const [way, setWay] = useState("openstack");
  const name = quoted(`${(image.name || image.id).replaceAll("/", "-")}.${image.disk_format}`);
  const text = WAYS[way](image, name);
  return html`<section class="card"><h2>Use it</h2>
    <div class="tabs" role="group" aria-label="With what">${Object.keys(WAYS).map((one) => html`<button type="button" key=${one} aria-pressed=${one === way} onClick=${() => setWay(one)}>${one}</button>`)}</div>
    <div class="code"><pre tabindex="0">${text}</pre><${Copy} text=${text} label="Copy these lines" /></div></section>`;
}

function Facts({ image, mine, again }) {
  const [tag, setTag] = useState("");
  const change = (method, word) => attempt(() => call("image", method, `/v2/images/${image.id}/tags/${encodeURIComponent(word)}`)).then(again);
  const rows = [
    ["Owner", image.owner === project.value?.id ? project.value.name : image.owner],
    ["Created", clock(image.created_at)],
    ["Changed", clock(image.updated_at)],
    ["Virtual size", image.virtual_size ? size(image.virtual_size) : null],
    ["Least disk", image.min_disk ? `${image.min_disk} GiB` : null],
    ["Least memory", image.min_ram ? `${image.min_ram} MiB` : null],
    ["MD5", image.checksum],
    [image.os_hash_algo?.toUpperCase(), image.os_hash_value],
    ...extras(image),
  ].filter(([, value]) => value);
  return html`<section class="card"><h2>Facts</h2>
    <dl class="list">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd class=${String(value).length > 30 ? "mono" : ""}>${String(value)}</dd></div>`)}</dl>
    <div class="tags" aria-label="Tags" role="group">${image.tags.map((word) => html`<span class="tag" key=${word}>${word}${mine && html`<button type="button" aria-label=${`Remove the tag ${word}`} onClick=${() => change("DELETE", word)}>×</button>`}</span>`)}
      ${mine && html`<form onSubmit=${(event) => { event.preventDefault(); if (tag) change("PUT", tag); setTag(""); }}><input aria-label="New tag" placeholder="new tag" value=${tag} onInput=${(event) => setTag(event.target.value)} /></form>`}</div>
  </section>`;
}

function Members({ image }) {
  const { found, ask } = useAsked(() => get("image", `/v2/images/${image.id}/members`), [image.id, dialog.value]);
  const remove = (member) => attempt(() => call("image", "DELETE", `/v2/images/${image.id}/members/${member}`), "It is no longer shared with that project.").then(ask);
  return html`<section class="card"><h2>Shared with</h2>
    <ul class="members">${(found?.members ?? []).map((one) => html`<li key=${one.member_id}><span class="mono">${one.member_id}</span> <span class=${`state ${one.status === "accepted" ? "good" : "dim"}`}>${one.status}</span><${Button} kind="quiet small" icon="x" label=${`Stop sharing with ${one.member_id}`} onClick=${() => remove(one.member_id)} /></li>`)}</ul>
    ${found && !found.members.length && html`<p class="dim">Nobody yet.</p>`}
    <${Button} kind="small" icon="share-2" onClick=${() => (dialog.value = { name: "share", image, done: ask })}>Share with a project</${Button}></section>`;
}

function History({ id }) {
  const { found } = useAsked(() => get("image", `/appliance/v1/events?subject=${id}&limit=30`).catch(() => null), [id]);
  return found?.events.length ? html`<h2 class="section">History</h2><${Events} events=${found.events} />` : null;
}

// -- dialogs -----------------------------------------------------------------------------------------------------------

export function EditDialog({ image, done }) {
  const [form, setForm] = useState({ name: image.name ?? "", visibility: image.visibility, protected: image.protected, min_disk: image.min_disk, min_ram: image.min_ram });
  const [properties, setProperties] = useState(extras(image).map(([name, value]) => ({ name, value: value ?? "" })));
  const set = (key) => (event) => setForm({ ...form, [key]: event.target.type === "checkbox" ? event.target.checked : event.target.value });
  const changed = Object.keys(form).filter((key) => String(form[key]) !== String(image[key] ?? ""));
  const now = Object.fromEntries(properties.filter((one) => one.name).map((one) => [one.name, one.value]));
  const before = Object.fromEntries(extras(image));
  const flag = { name: (v) => `--name ${quoted(v)}`, visibility: (v) => `--${v}`, protected: (v) => (v ? "--protected" : "--unprotected"), min_disk: (v) => `--min-disk ${v}`, min_ram: (v) => `--min-ram ${v}` };
  const added = Object.keys(now).filter((name) => now[name] !== before[name]);
  const command = ["openstack image set", ...changed.map((key) => flag[key](form[key])), ...added.map((name) => `--property ${quoted(`${name}=${now[name]}`)}`), image.id].join(" ");
  const work = async () => {
    const pointer = (name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const body = [
      ...changed.map((key) => ({ op: "replace", path: `/${key}`, value: key.startsWith("min") ? Number(form[key]) : form[key] })),
      ...added.map((name) => ({ op: name in before ? "replace" : "add", path: pointer(name), value: now[name] })),
      ...Object.keys(before).filter((name) => !(name in now)).map((name) => ({ op: "remove", path: pointer(name) })),
    ];
    if (body.length) await call("image", "PATCH", `/v2/images/${image.id}`, body, PATCH);
    tell("The image is changed.");
    done();
  };
  const edit = (number, changes) => setProperties(properties.map((one, place) => (place === number ? { ...one, ...changes } : one)));
  const { found } = useAsked(() => suggestions());
  return html`<${FormDialog} title=${`Edit ${image.name || image.id}`} action="Save" work=${work} command=${command}>
    <${Input} id="edit-name" label="Name" value=${form.name} onInput=${set("name")} autofocus />
    <${Select} id="edit-visibility" label="Visibility" value=${form.visibility} onChange=${set("visibility")} options=${VISIBILITIES()} />
    <div class="pair"><${Input} id="edit-disk" label="Least disk, GiB" type="number" min="0" value=${form.min_disk} onInput=${set("min_disk")} />
    <${Input} id="edit-ram" label="Least memory, MiB" type="number" min="0" value=${form.min_ram} onInput=${set("min_ram")} /></div>
    <label class="check"><input type="checkbox" checked=${form.protected} onChange=${set("protected")} /> Protected: it can't be deleted</label>
    <fieldset><legend>Properties</legend>
      <datalist id="known">${(found ?? []).map(([name, title]) => html`<option key=${name} value=${name}>${title}</option>`)}</datalist>
      ${properties.map((one, number) => html`<div class="property" key=${number}><input aria-label="Property" list="known" placeholder="hw_disk_bus" value=${one.name} onInput=${(event) => edit(number, { name: event.target.value })} />
        <input aria-label=${`Value of ${one.name || "the property"}`} value=${one.value} onInput=${(event) => edit(number, { value: event.target.value })} />
        <${Button} kind="quiet small" icon="x" label=${`Remove ${one.name}`} onClick=${() => setProperties(properties.filter((_, place) => place !== number))} /></div>`)}
      <${Button} kind="small" icon="plus" onClick=${() => setProperties([...properties, { name: "", value: "" }])}>Property</${Button}></fieldset>
  </${FormDialog}>`;
}

// Properties that the metadata definitions know for images.
let known = null;
async function suggestions() {
  if (known) return known;
  const { namespaces } = await get("image", "/v2/metadefs/namespaces?resource_types=OS::Glance::Image&limit=50").catch(() => ({ namespaces: [] }));
  const found = await Promise.all(namespaces.slice(0, 12).map((one) => get("image", `/v2/metadefs/namespaces/${encodeURIComponent(one.namespace)}?resource_type=OS::Glance::Image`).catch(() => ({}))));
  known = found.flatMap((one) => Object.entries(one.properties ?? {}).map(([name, { title }]) => [name, title]));
  return known;
}

export function ShareDialog({ image, done }) {
  const [name, setName] = useState("");
  const work = async () => {
    const found = await get("identity", `/v3/projects?name=${encodeURIComponent(name)}`).catch(() => null);
    const mine = await get("identity", "/v3/auth/projects").catch(() => ({ projects: [] }));
    const target = found?.projects[0] ?? mine.projects.find((one) => one.name === name);
    if (!target && !/^[0-9a-f-]{32,36}$/.test(name)) throw new Error(`There is no project ${name} that you may look up: ask its members for its id.`);
    await call("image", "POST", `/v2/images/${image.id}/members`, { member: target?.id ?? name });
    tell(`${image.name || "The image"} is offered to ${name}: it shows up there once somebody accepts it.`);
    done();
  };
  return html`<${FormDialog} title=${`Share ${image.name || image.id}`} action="Share" work=${work} ready=${name} command=${`openstack image add project ${image.id} ${quoted(name || "project")}`}>
    <${Input} id="share-project" label="Project" hint="Its name, or its id." value=${name} onInput=${(event) => setName(event.target.value)} required autofocus />
  </${FormDialog}>`;
}

export function DeleteDialog({ image }) {
  const [typed, setTyped] = useState("");
  const name = image.name || image.id.slice(0, 8);
  const work = async () => {
    await call("image", "DELETE", `/v2/images/${image.id}`);
    tell(`${name} is deleted.`);
    location.hash = "#/images";
  };
  return html`<${FormDialog} title=${`Delete ${name}`} action="Delete" danger work=${work} ready=${typed === name} command=${`openstack image delete ${image.id}`}>
    <p>This can't be undone. Its space comes back after the next collection, except for what other images share.</p>
    <${Input} id="delete-name" label=${`Type ${name} to delete it`} value=${typed} onInput=${(event) => setTyped(event.target.value)} autocomplete="off" autofocus />
  </${FormDialog}>`;
}
