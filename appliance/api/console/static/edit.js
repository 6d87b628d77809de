// The dialog that changes what is said of an image.
import { html, useState } from "./vendor/view.js";
import { call, tell } from "./lib.js";
import { quoted } from "./figures.js";
import { FormDialog, Input, Select } from "./ui.js";
import { useAsked } from "./hooks.js";
import { definitions, extras, Properties } from "./properties.js";
import { visibilities } from "./words.js";

const PATCH = "application/openstack-images-v2.1-json-patch";
const NUMBERS = ["min_disk", "min_ram"];
const FLAGS = {
  name: (value) => `--name ${quoted(value || "''")}`,
  visibility: (value) => `--${value}`,
  protected: (value) => (value ? "--protected" : "--unprotected"),
  min_disk: (value) => `--min-disk ${value}`,
  min_ram: (value) => `--min-ram ${value}`,
};

const pointer = (name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;

// What is different between the image and the form, as a patch and as a command.
function difference(image, form, properties) {
  const before = Object.fromEntries(extras(image).map(([name, value]) => [name, String(value ?? "")]));
  const changed = Object.keys(form).filter((key) => String(form[key]) !== String(image[key] ?? ""));
  const written = Object.keys(properties).filter((name) => properties[name] !== before[name]);
  const gone = Object.keys(before).filter((name) => !(name in properties));
  const value = (key) => (NUMBERS.includes(key) ? Number(form[key]) : form[key]);
  const op = (name) => (name in before ? "replace" : "add");
  const patch = [
    ...changed.map((key) => ({ op: "replace", path: `/${key}`, value: value(key) })),
    ...written.map((name) => ({ op: op(name), path: pointer(name), value: properties[name] })),
    ...gone.map((name) => ({ op: "remove", path: pointer(name) })),
  ];
  const set = [
    ...changed.map((key) => FLAGS[key](form[key])),
    ...written.map((name) => `--property ${quoted(`${name}=${properties[name]}`)}`),
  ];
  const unset = gone.map((name) => `--property ${quoted(name)}`);
  const commands = [
    ...(set.length || !unset.length ? [`openstack image set ${[...set, image.id].join(" ")}`] : []),
    ...(unset.length ? [`openstack image unset ${[...unset, image.id].join(" ")}`] : []),
  ];
  return { patch, command: commands.join(" && ") };
}

export function EditDialog({ image, done }) {
  const { name, visibility, min_disk, min_ram } = image;
  const [form, setForm] = useState({ name: name ?? "", visibility, protected: image.protected, min_disk, min_ram });
  const [properties, setProperties] = useState(
    Object.fromEntries(extras(image).map(([key, value]) => [key, String(value ?? "")])),
  );
  const { found: known } = useAsked(definitions);
  const set = (key) => (event) => {
    const { type, checked, value } = event.target;
    setForm({ ...form, [key]: type === "checkbox" ? checked : value });
  };
  const { patch, command } = difference(image, form, properties);
  const work = async () => {
    if (patch.length) await call("image", "PATCH", `/v2/images/${image.id}`, patch, PATCH);
    tell(patch.length ? "The image is changed." : "Nothing was different.");
    done();
  };
  return html`<${FormDialog} title=${`Edit ${name || image.id}`} action="Save" work=${work} command=${command}>
    <${Input} id="edit-name" label="Name" value=${form.name} onInput=${set("name")} autofocus />
    <${Select} id="edit-visibility" label="Visibility" value=${form.visibility} onChange=${set("visibility")}
      options=${visibilities(visibility)} />
    <div class="pair">
      <${Input} id="edit-disk" label="Least disk, GiB" type="number" min="0" required value=${form.min_disk}
        onInput=${set("min_disk")} />
      <${Input} id="edit-ram" label="Least memory, MiB" type="number" min="0" required value=${form.min_ram}
        onInput=${set("min_ram")} />
    </div>
    <label class="check">
      <input type="checkbox" checked=${form.protected} onChange=${set("protected")} /> Protected: it can't be deleted
    </label>
    <${Properties} known=${known ?? {}} values=${properties} change=${setProperties} />
  </${FormDialog}>`;
}
