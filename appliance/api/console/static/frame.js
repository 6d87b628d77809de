// The frame around all pages: where one can go, as whom, and in which colours.
import { html, signal, useEffect, useState } from "./vendor/view.js";
import { attempt, getOr, isAdmin, learnNames, logIn, logOut, project, route, session, status } from "./lib.js";
import { Button, Icon } from "./ui.js";
import { Mark } from "./login.js";
import { Overview } from "./overview.js";
import { Images } from "./images.js";
import { Image } from "./image.js";
import { People } from "./people.js";
import { Activity } from "./activity.js";
import { Store } from "./store.js";
import { Nodes } from "./nodes.js";
import { Fleet } from "./fleet.js";
import { Connect } from "./connect.js";
import { uploads } from "./uploads.js";

const always = () => true;
const admins = () => isAdmin.value;

// path, name, icon, page, key, who sees it in the list. Who may look at it is the API's to say.
const PLACES = [
  ["", "Overview", "layout-dashboard", Overview, "o", always],
  ["images", "Images", "layers", Images, "i", always],
  ["people", "Projects and users", "users", People, "p", admins],
  ["activity", "Activity", "activity", Activity, "a", always],
  ["store", "Store", "database", Store, "s", admins],
  ["nodes", "Nodes", "server", Nodes, "n", () => Boolean(status.value?.nodes)],
  ["fleet", "Fleet", "network", Fleet, "f", () => admins() && hasFleet.value],
  ["connect", "Connect", "plug", Connect, "c", always],
];

export const places = () => PLACES.filter(([, , , , , seen]) => seen());
const hasFleet = signal(false); // whether there are other sites or feeds
const projects = signal(null); // those that the user could change to

async function lookForFleet() {
  const [peers, feeds] = await Promise.all([
    getOr({ peers: [] }, "image", "/appliance/v1/fleet/peers"),
    getOr({ feeds: [] }, "image", "/appliance/v1/fleet/feeds"),
  ]);
  hasFleet.value = peers.peers.length + feeds.feeds.length > 0;
}

function Page() {
  const [first = "", second] = route.value.parts;
  if (first === "images" && second) return html`<${Image} key=${second} />`;
  const Found = PLACES.find(([path]) => path === first)?.[3] ?? Overview;
  if (first === "fleet") return html`<${Found} changed=${lookForFleet} />`;
  return html`<${Found} />`;
}

const THEMES = { "": "as the system", light: "light", dark: "dark" };

function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("theme") ?? "");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  const kinds = Object.keys(THEMES);
  const next = kinds[(kinds.indexOf(theme) + 1) % kinds.length];
  const label = `Colours: ${THEMES[theme]}; change to ${THEMES[next]}`;
  return html`<${Button} kind="quiet" icon=${theme === "dark" ? "moon" : "sun"} label=${label}
    onClick=${() => setTheme(next)} />`;
}

function Place({ path, word, icon, here }) {
  const moving = uploads.value.filter((one) => ["sending", "waiting"].includes(one.state)).length;
  return html`<li>
    <a href=${`#/${path}`} aria-current=${here ? "page" : undefined} title=${word}>
      <${Icon} name=${icon} /><span>${word}</span>
      ${path === "images" && moving > 0 && html`<b class="badge" aria-label=${`${moving} uploads run`}>${moving}</b>`}
    </a>
  </li>`;
}

const change = (id) => attempt(() => logIn({ project_id: id })).then(() => (status.value = null));

function Who() {
  const found = projects.value;
  return html`<div class="who">
    <${Icon} name="user" />
    <div>
      <b title=${session.value.user.name}>${session.value.user.name}</b>
      ${
        found?.length > 1
          ? html`<select aria-label="Project" onChange=${(event) => change(event.target.value)}>
              ${found.map((one) => html`<option key=${one.id} value=${one.id} selected=${one.id === project.value?.id}>
                ${one.name}
              </option>`)}
            </select>`
          : html`<small>${project.value?.name ?? "no project"}</small>`
      }
    </div>
    <${Theme} /><${Button} kind="quiet" icon="log-out" label="Log out" onClick=${logOut} />
  </div>`;
}

export function Frame() {
  const here = route.value.parts[0] ?? "";
  useEffect(() => {
    learnNames().then((found) => (projects.value = found));
    if (isAdmin.value) lookForFleet();
  }, []);
  const skip = (event) => {
    event.preventDefault();
    document.querySelector("h1")?.focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>Go to the content</a>
    <nav class="side" aria-label="Pages">
      <a class="brand" href="#/"><${Mark} /><span>Glance appliance</span></a>
      <ul>
        ${places().map(
          ([path, word, icon]) =>
            html`<${Place} key=${path} path=${path} word=${word} icon=${icon} here=${here === path} />`,
        )}
      </ul>
      <${Who} />
    </nav>
    <main id="main"><${Page} /></main>`;
}
