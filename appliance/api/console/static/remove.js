// The dialog that deletes a user or a project, once its name is typed.
import { html, useState } from "./vendor/view.js";
import { call, tell } from "./lib.js";
import { quoted } from "./figures.js";
import { FormDialog, Input } from "./ui.js";
import { keepAnAdministrator } from "./administrators.js";

const STAYS = {
  project: "Its images stay, and only administrators can reach them then.",
  user: "What the user has made stays.",
};

export function RemoveDialog({ kind, thing, ends }) {
  const [typed, setTyped] = useState("");
  const work = async () => {
    await keepAnAdministrator(ends);
    await call("identity", "DELETE", `/v3/${kind}s/${thing.id}`);
    tell(`${thing.name} is deleted.`);
    location.hash = `#/people/${kind}s`;
  };
  return html`<${FormDialog} title=${`Delete the ${kind} ${thing.name}`} action="Delete" danger work=${work}
    ready=${typed === thing.name} command=${`openstack ${kind} delete ${quoted(thing.name)}`}>
    <p>${STAYS[kind]} This can't be undone.</p>
    <${Input} id="remove-name" label=${`Type ${thing.name} to delete it`} value=${typed} autocomplete="off" autofocus
      onInput=${(event) => setTyped(event.target.value)} />
  </${FormDialog}>`;
}
