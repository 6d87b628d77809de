// Dialogs that act on whole images: share one, delete one or several.
import { html, useState } from "./vendor/view.js";
import { call, getOr, names, tell } from "./lib.js";
import { plural, quoted, short8, size } from "./figures.js";
import { FormDialog, Input } from "./ui.js";

export function ShareDialog({ image, done }) {
  const [name, setName] = useState("");
  const work = async () => {
    const known = Object.entries(names.value).find(([, one]) => one === name)?.[0];
    const asked = known ? null : await getOr(null, "identity", `/v3/projects?name=${encodeURIComponent(name)}`);
    const found = known ?? asked?.projects[0]?.id;
    if (!found && !/^[0-9a-f-]{32,36}$/.test(name)) {
      throw new Error(`There is no project ${name} that you may look up: ask its members for its id.`);
    }
    await call("image", "POST", `/v2/images/${image.id}/members`, { member: found ?? name });
    tell(`${image.name || "The image"} is offered to ${name}: it shows up there once somebody accepts it.`);
    done();
  };
  const command = `openstack image add project ${image.id} ${quoted(name || "project")}`;
  return html`<${FormDialog} title=${`Share ${image.name || image.id}`} action="Share" work=${work} ready=${name}
    command=${command}>
    <datalist id="projects">
      ${Object.values(names.value).map((one) => html`<option key=${one} value=${one} />`)}
    </datalist>
    <${Input} id="share-project" label="Project" hint="Its name, or its id." list="projects" value=${name}
      onInput=${(event) => setName(event.target.value)} required autofocus />
  </${FormDialog}>`;
}

const LAST = "Their space comes back after the next collection, except for what other images share.";

export function DeleteDialog({ image }) {
  const [typed, setTyped] = useState("");
  const name = image.name || short8(image.id);
  const work = async () => {
    await call("image", "DELETE", `/v2/images/${image.id}`);
    tell(`${name} is deleted.`);
    location.hash = "#/images";
  };
  return html`<${FormDialog} title=${`Delete ${name}`} action="Delete" danger work=${work} ready=${typed === name}
    command=${`openstack image delete ${image.id}`}>
    <p>This can't be undone. ${LAST.replace("Their", "Its")}</p>
    <${Input} id="delete-name" label=${`Type ${name} to delete it`} value=${typed} autocomplete="off" autofocus
      onInput=${(event) => setTyped(event.target.value)} />
  </${FormDialog}>`;
}

export function DeleteSeveralDialog({ images, done }) {
  const [typed, setTyped] = useState("");
  const count = String(images.length);
  const work = async () => {
    const refused = [];
    for (const image of images) {
      await call("image", "DELETE", `/v2/images/${image.id}`).catch((error) => refused.push(error.message));
    }
    done();
    if (refused.length < images.length) tell(`${plural(images.length - refused.length, "image")} deleted.`);
    if (refused.length) throw new Error(`${plural(refused.length, "image")} stayed: ${refused.slice(0, 3).join(" ")}`);
  };
  const whole = images.reduce((sum, image) => sum + (image.size ?? 0), 0);
  const shown = images.slice(0, 8).map((image) => image.name || short8(image.id));
  const more = images.length > shown.length ? ` and ${images.length - shown.length} more` : "";
  return html`<${FormDialog} title=${`Delete ${plural(images.length, "image")}`} action="Delete" danger work=${work}
    ready=${typed === count} command=${`openstack image delete ${images.map((image) => image.id).join(" ")}`}>
    <p>${shown.join(", ")}${more}: ${size(whole)} in all. This can't be undone. ${LAST}</p>
    <${Input} id="delete-count" label=${`Type ${count} to delete them`} value=${typed} autocomplete="off" autofocus
      inputmode="numeric" onInput=${(event) => setTyped(event.target.value)} />
  </${FormDialog}>`;
}
