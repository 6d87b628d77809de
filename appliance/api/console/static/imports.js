// Images that the appliance fetches from an address: begun, watched, and begun again.
import { html, useState } from "./vendor/view.js";
import { attempt, call, getOr, tell } from "./lib.js";
import { quoted } from "./figures.js";
import { Button, FormDialog, Icon, Input, Select, State } from "./ui.js";
import { useAsked, useEvery } from "./hooks.js";
import { diskFormats, visibilities } from "./words.js";

const begin = (id, uri) =>
  call("image", "POST", `/v2/images/${id}/import`, { method: { name: "web-download", uri } });

// The last import of an image; null if there was none.
async function lastImport(id) {
  const { tasks } = await getOr({ tasks: [] }, "image", `/v2/images/${id}/tasks`);
  const [task] = tasks.sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  if (!task) return null;
  const uri = task.input?.import_req?.method?.uri;
  return { uri, failed: task.status === "failure", text: task.message || task.status };
}

// In a row of the list: why an image has no data, and what to do about it.
export function Failure({ image }) {
  const { found, ask } = useAsked(() => lastImport(image.id), [image.id, image.updated_at]);
  if (!found?.failed) return html`<${State} of=${image.status} />`;
  const again = () => attempt(() => begin(image.id, found.uri), "The import has begun again.").then(ask);
  return html`<span class="state bad" title=${found.text}>import failed</span>
    ${found.uri && html`<${Button} kind="quiet small" icon="refresh-cw" onClick=${again}
      label=${`Try again: ${found.text}`} />`}`;
}

// On the page of an image: how its import goes, and why one has failed.
export function Import({ image }) {
  const { found, ask } = useAsked(() => lastImport(image.id), [image.id]);
  useEvery(1.5, ask);
  if (!found) {
    if (image.status !== "queued") return null;
    return html`<p class="note">This image has no data yet: upload a file with the line below, or import one.</p>`;
  }
  const { uri, failed, text } = found;
  const again = () => attempt(() => begin(image.id, uri), "The import has begun again.").then(ask);
  return html`<div class=${failed ? "trouble" : "note"} role="status">
    <${Icon} name=${failed ? "circle-alert" : "link"} />
    <span>
      ${failed ? `The import failed: ${text}` : `Import: ${text}`}
      ${uri && html`<br /><span class="mono dim">${uri}</span>`}
    </span>
    ${
      failed && uri && image.status === "queued" &&
      html`<${Button} kind="small" icon="refresh-cw" onClick=${again}>Try again</${Button}>`
    }
  </div>`;
}

export function ImportDialog() {
  const [form, setForm] = useState({ uri: "", name: "", format: "qcow2", visibility: "shared" });
  const set = (key) => (event) => setForm({ ...form, [key]: event.target.value });
  const name = form.name || form.uri.split("/").pop().replace(/\.\w+$/, "");
  const work = async () => {
    const body = { name, disk_format: form.format, container_format: "bare", visibility: form.visibility };
    const { json } = await call("image", "POST", "/v2/images", body);
    try {
      await begin(json.id, form.uri);
    } catch (error) {
      await call("image", "DELETE", `/v2/images/${json.id}`).catch(() => null);
      throw error;
    }
    tell(`The import of ${name} has begun.`);
    location.hash = `#/images/${json.id}`;
  };
  const where = quoted(form.uri || "https://…");
  const kind = `--disk-format ${form.format} --container-format bare`;
  const command = `openstack image create --import ${kind} --uri ${where} ${quoted(name || "my-image")}`;
  return html`<${FormDialog} title="Import from an address" action="Import" work=${work} ready=${form.uri && name}
    command=${command}>
    <${Input} id="import-uri" label="Address" type="url" placeholder="https://cloud-images.example.org/noble.img"
      value=${form.uri} onInput=${set("uri")} required autofocus />
    <${Input} id="import-name" label="Name" value=${form.name} placeholder=${name} onInput=${set("name")} />
    <div class="pair">
      <${Select} id="import-format" label="Format" value=${form.format} onChange=${set("format")}
        options=${diskFormats()} />
      <${Select} id="import-visibility" label="Visibility" value=${form.visibility} onChange=${set("visibility")}
        options=${visibilities()} />
    </div>
  </${FormDialog}>`;
}
