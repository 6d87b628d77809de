// Properties of images: which there are, and fields for them as the metadata definitions say.
import { html, useState } from "./vendor/view.js";
import { getOr } from "./lib.js";
import { Button } from "./ui.js";

const CORE = new Set(
  (
    "id name status visibility protected os_hidden disk_format container_format min_disk min_ram size virtual_size " +
    "checksum os_hash_algo os_hash_value owner tags created_at updated_at self file schema direct_url locations stores"
  ).split(" "),
);

// What somebody has written about an image, beside what every image has.
export const extras = (image) =>
  Object.entries(image).filter(([name]) => !CORE.has(name) && !name.startsWith("os_glance"));

// Every property that is defined for images, by its name. Asked for once.
let asked = null;
export const definitions = () => (asked ??= learn());

async function learn() {
  const type = "OS::Glance::Image";
  const list = "/v2/metadefs/namespaces";
  const { namespaces } = await getOr({ namespaces: [] }, "image", `${list}?resource_types=${type}&limit=100`);
  const paths = namespaces.map((one) => `${list}/${encodeURIComponent(one.namespace)}?resource_type=${type}`);
  const found = await Promise.all(paths.map((path) => getOr({}, "image", path)));
  const all = found.flatMap((space) => {
    const inside = [space, ...(space.objects ?? [])];
    return inside.flatMap((one) =>
      Object.entries(one.properties ?? {}).map(([name, says]) => [
        name,
        { ...says, from: space.display_name ?? space.namespace, required: (one.required ?? []).includes(name) },
      ]),
    );
  });
  return Object.fromEntries(all);
}

// The field for a value: a choice, a number between bounds, or a text of a pattern.
function ValueField({ id, says = {}, label, ...rest }) {
  const field = { id, "aria-label": label, "aria-describedby": `${id}-hint`, ...rest };
  const choices = says.type === "boolean" ? ["true", "false"] : says.enum?.map(String);
  if (choices) {
    const odd = rest.value && !choices.includes(rest.value) ? [rest.value] : [];
    return html`<select ...${field} required onInput=${undefined} onChange=${rest.onInput}>
      <option value="">choose…</option>
      ${[...odd, ...choices].map(
        (one) => html`<option key=${one} value=${one} selected=${one === rest.value}>${one}</option>`,
      )}
    </select>`;
  }
  if (says.type === "integer" || says.type === "number") {
    const step = says.type === "integer" ? "1" : "any";
    return html`<input ...${field} type="number" required step=${step} min=${says.minimum} max=${says.maximum} />`;
  }
  return html`<input ...${field} required=${Boolean(says.minLength || says.required)} pattern=${says.pattern}
    minlength=${says.minLength} maxlength=${says.maxLength} />`;
}

function hint(says) {
  const bound = (word, value) => (value === undefined ? "" : `${word} ${value}`);
  const bounds = `${bound("from", says.minimum)} ${bound("to", says.maximum)}`.trim();
  return [says.title, says.description, bounds].filter(Boolean).join(" · ");
}

// The properties of a form, each with its field, and one more to be added by its name.
export function Properties({ known, values, change }) {
  const [name, setName] = useState("");
  const set = (key, value) => change({ ...values, [key]: value });
  const remove = (key) => change(Object.fromEntries(Object.entries(values).filter(([one]) => one !== key)));
  const add = () => {
    if (!name || name in values) return;
    set(name, String(known[name]?.default ?? ""));
    setName("");
    setTimeout(() => document.getElementById(`property-${name}`)?.focus());
  };
  const onKey = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    add();
  };
  return html`<fieldset>
    <legend>Properties</legend>
    ${Object.entries(values).map(([key, value]) => {
      const says = known[key] ?? {};
      const id = `property-${key}`;
      return html`<div class="property" key=${key}>
        <label for=${id} class="mono">${key}</label>
        <${ValueField} id=${id} says=${says} value=${value} onInput=${(event) => set(key, event.target.value)} />
        <${Button} kind="quiet small" icon="x" label=${`Remove ${key}`} onClick=${() => remove(key)} />
        <p class="hint" id=${`${id}-hint`}>${hint(says)}</p>
      </div>`;
    })}
    <div class="property">
      <datalist id="known">
        ${Object.entries(known).map(
          ([key, { title, from }]) => html`<option key=${key} value=${key}>${title} (${from})</option>`,
        )}
      </datalist>
      <input aria-label="Name of a property to add" list="known" placeholder="add a property, such as hw_disk_bus"
        value=${name} onInput=${(event) => setName(event.target.value)} onKeyDown=${onKey} />
      <${Button} icon="plus" onClick=${add} label="Add the property">Add</${Button}>
    </div>
  </fieldset>`;
}
