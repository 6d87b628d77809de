// Projects and users: the two lists, side by side in one place.
import { html } from "./vendor/view.js";
import { open, route } from "./lib.js";
import { Button, Heading } from "./ui.js";
import { NewProjectDialog, Projects } from "./projects.js";
import { NewUserDialog, Users } from "./users.js";

const TABS = {
  projects: ["Projects", "Project", Projects, NewProjectDialog],
  users: ["Users", "User", Users, NewUserDialog],
};

export function People() {
  const [, asked, id] = route.value.parts;
  const tab = asked in TABS ? asked : "projects";
  const [title, word, List, New] = TABS[tab];
  const action = html`<${Button} kind="primary" icon="plus" onClick=${() => open(New)}>${word}</${Button}>`;
  return html`<${Heading} title=${title} actions=${action}>Projects and users</${Heading}>
    <nav class="tabs" aria-label="Projects and users">
      ${Object.entries(TABS).map(
        ([name, [each]]) => {
          const here = tab === name ? "page" : undefined;
          return html`<a key=${name} href=${`#/people/${name}`} aria-current=${here}>${each}</a>`;
        },
      )}
    </nav>
    <${List} id=${id} />`;
}

export const byName = (rows) => [...(rows ?? [])].sort((a, b) => a.name.localeCompare(b.name));
