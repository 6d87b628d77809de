// One image: what it is, what it is made of, who may use it, how to use it, and what has happened to it.
import { html, useState } from "./vendor/view.js";
import { attempt, call, dialog, get, getOr, isAdmin, open, project, projectName, route } from "./lib.js";
import { ago, clock, size } from "./figures.js";
import { Button, Copy, Empty, Facts, Heading, Icon, Loading, State, Trouble } from "./ui.js";
import { useAsked, useEvery } from "./hooks.js";
import { Events } from "./events.js";
import { Made } from "./block-map.js";
import { Import } from "./imports.js";
import { DeleteDialog, ShareDialog } from "./image-dialogs.js";
import { EditDialog } from "./edit.js";
import { extras } from "./properties.js";
import { Use } from "./use.js";

export function Image() {
  const id = route.value.parts[1];
  const { found: image, error, ask } = useAsked(() => get("image", `/v2/images/${id}`), [id]);
  const cells = `/appliance/v1/images/${id}/map?cells=240`;
  const { found: map, ask: askMap } = useAsked(() => getOr(null, "image", cells), [id]);
  const passing = image && ["saving", "importing", "uploading"].includes(image.status);
  useEvery(passing ? 1 : 10, () => {
    ask();
    askMap();
  });
  if (!image) return html`<${Missing} error=${error} ask=${ask} />`;
  const mine = isAdmin.value || image.owner === project.value?.id;
  const waits = passing || image.os_glance_failed_import || image.status === "queued";
  const actions = html`<${Actions} image=${image} mine=${mine} ask=${ask} />`;
  return html`<${Heading} title=${image.name || id} actions=${actions}>
      ${image.name ? html`<bdi>${image.name}</bdi>` : html`<span class="mono">${id}</span>`}
    </${Heading}>
    <${Head} image=${image} checked=${map?.checked_at} />
    ${error && html`<${Trouble} error=${error} again=${ask} />`}
    ${waits && html`<${Import} image=${image} />`}
    ${map?.cells.length > 0 && html`<${Made} map=${map} />`}
    <div class="grid wide">
      <div class="stack">
        ${image.size > 0 && html`<${Use} image=${image} />`}
        ${mine && image.visibility === "shared" && html`<${Members} image=${image} />`}
      </div>
      <${Said} image=${image} mine=${mine} again=${ask} />
    </div>
    <${History} id=${id} />`;
}

function Missing({ error, ask }) {
  if (!error) return html`<${Heading} title="Image">…</${Heading}><${Loading} />`;
  return html`<${Heading}>Image</${Heading}>
    ${
      error.status === 404
        ? html`<${Empty} icon="layers" title="There is no such image">
            ${error.message} <a href="#/images">All images</a>
          </${Empty}>`
        : html`<${Trouble} error=${error} again=${ask} />`
    }`;
}

function Actions({ image, mine, ask }) {
  const show = (what) => () => open(what, { image, done: ask });
  const file = `${image.name || image.id}.${image.disk_format}`;
  return html`
    ${
      image.size > 0 &&
      html`<a class="button" href=${`api/image/v2/images/${image.id}/file`} download=${file}>
        <${Icon} name="download" /><span>Download</span>
      </a>`
    }
    ${
      mine &&
      html`<${Button} icon="pencil" onClick=${show(EditDialog)}>Edit</${Button}>
        ${
          image.visibility === "shared" &&
          html`<${Button} icon="share-2" onClick=${show(ShareDialog)}>Share</${Button}>`
        }
        <${Button} icon="trash" kind="danger" onClick=${show(DeleteDialog)}>Delete…</${Button}>`
    }`;
}

function Head({ image, checked }) {
  const said = [size(image.size), image.disk_format, image.visibility, image.protected && "protected"];
  return html`<p class="facts">
    <${State} of=${image.status} />
    <span>${said.filter(Boolean).join(" · ")}</span>
    <span class="mono dim">${image.id}</span>
    <${Copy} text=${image.id} label="Copy the id" />
    ${
      checked && image.status === "active" &&
      html`<span class="whole"><${Icon} name="shield-check" /> read and whole, ${ago(checked)}</span>`
    }
  </p>`;
}

function Said({ image, mine, again }) {
  const owner = projectName(image.owner);
  const rows = [
    ["Owner", owner ?? image.owner, owner ? "" : "mono"],
    ["Created", clock(image.created_at)],
    ["Changed", clock(image.updated_at)],
    ["Container", image.container_format !== "bare" && image.container_format],
    ["Virtual size", image.virtual_size ? size(image.virtual_size) : null],
    ["Least disk", image.min_disk ? `${image.min_disk} GiB` : null],
    ["Least memory", image.min_ram ? `${image.min_ram} MiB` : null],
    ["Hidden", image.os_hidden && "yes: it is in no list unless asked for"],
    ["Stores", image.stores],
    ["Locations", image.locations?.map((one) => one.url).join("\n"), "mono lines"],
    ["MD5", image.checksum, "mono"],
    [image.os_hash_algo?.toUpperCase(), image.os_hash_value, "mono"],
  ];
  const properties = extras(image).map(([name, value]) => [name, String(value ?? ""), "mono"]);
  return html`<section class="card">
    <h2>Facts</h2>
    <${Facts} rows=${rows} />
    <h3>Properties</h3>
    ${properties.length ? html`<${Facts} rows=${properties} />` : html`<p class="dim">None.</p>`}
    <h3>Tags</h3>
    <${Tags} image=${image} mine=${mine} again=${again} />
  </section>`;
}

function Tags({ image, mine, again }) {
  const [tag, setTag] = useState("");
  const change = (method, word) =>
    attempt(() => call("image", method, `/v2/images/${image.id}/tags/${encodeURIComponent(word)}`)).then(again);
  const add = (event) => {
    event.preventDefault();
    if (tag) change("PUT", tag);
    setTag("");
  };
  return html`<div class="tags" aria-label="Tags" role="group">
    ${image.tags.map(
      (word) => html`<span class="tag" key=${word}>
        <bdi>${word}</bdi>
        ${
          mine &&
          html`<button type="button" aria-label=${`Remove the tag ${word}`} onClick=${() => change("DELETE", word)}>
            ×
          </button>`
        }
      </span>`,
    )}
    ${
      mine
        ? html`<form onSubmit=${add}>
            <input aria-label="New tag" placeholder="new tag" maxlength="255" value=${tag}
              onInput=${(event) => setTag(event.target.value)} />
          </form>`
        : !image.tags.length && html`<p class="dim">None.</p>`
    }
  </div>`;
}

function Members({ image }) {
  const path = `/v2/images/${image.id}/members`;
  const { found, ask } = useAsked(() => getOr({ members: [] }, "image", path), [image.id, dialog.value]);
  const name = (one) => projectName(one.member_id);
  const remove = (one) => {
    const work = () => call("image", "DELETE", `${path}/${one.member_id}`);
    attempt(work, "It is no longer shared with that project.").then(ask);
  };
  return html`<section class="card">
    <h2>Shared with</h2>
    ${
      found?.members.length > 0 &&
      html`<ul class="members">
        ${found.members.map(
          (one) => html`<li key=${one.member_id}>
            ${name(one) ? html`<b>${name(one)}</b>` : html`<span class="mono">${one.member_id}</span>`}
            <span class=${`state ${one.status === "accepted" ? "good" : "dim"}`}>${one.status}</span>
            <${Button} kind="quiet small" icon="x" label=${`Stop sharing with ${name(one) ?? one.member_id}`}
              command=${`openstack image remove project ${image.id} ${one.member_id}`}
              onClick=${() => remove(one)} />
          </li>`,
        )}
      </ul>`
    }
    ${found && !found.members.length && html`<p class="dim">Nobody yet.</p>`}
    <${Button} kind="small" icon="share-2" onClick=${() => open(ShareDialog, { image, done: ask })}>
      Share with a project
    </${Button}>
  </section>`;
}

function History({ id }) {
  const { found } = useAsked(() => getOr(null, "image", `/appliance/v1/events?subject=${id}&limit=30`), [id]);
  return found?.events.length ? html`<h2 class="section">History</h2><${Events} events=${found.events} />` : null;
}
