// The frame around all pages: navigation, keys, what is dropped, and the dialog that is open.
import { html, render, signal, useEffect, useState } from "./vendor/view.js";
import { attempt, call, dialog, get, isAdmin, logIn, logOut, project, route, session, status, tell, whoAmI } from "./lib.js";
import { Button, close, Dialog, Icon, Notices } from "./ui.js";
import { LogIn, LogInAgain, Mark } from "./login.js";
import { Overview } from "./overview.js";
import { ImportDialog, Images } from "./images.js";
import { DeleteDialog, EditDialog, Image, ShareDialog } from "./image.js";
import { GrantDialog, NewProjectDialog, NewUserDialog, PasswordDialog, People, RemoveDialog } from "./people.js";
import { Activity } from "./activity.js";
import { Store } from "./store.js";
import { Connect, CredentialDialog } from "./connect.js";
import { add, uploads } from "./uploads.js";

const DIALOGS = {
  again: LogInAgain,
  import: ImportDialog,
  edit: EditDialog,
  share: ShareDialog,
  delete: DeleteDialog,
  "new-project": NewProjectDialog,
  "new-user": NewUserDialog,
  grant: GrantDialog,
  password: PasswordDialog,
  remove: RemoveDialog,
  credential: CredentialDialog,
  keys: Keys,
};
const PLACES = [
  ["", "Overview", "layout-dashboard", Overview, "o"],
  ["images", "Images", "layers", Images, "i"],
  ["people", "Projects and users", "users", People, "p"],
  ["activity", "Activity", "activity", Activity, "a"],
  ["store", "Store", "database", Store, "s"],
  ["connect", "Connect", "plug", Connect, "c"],
];
const FOR_ADMINS = ["people", "store"];
const projects = signal(null); // those that the user could change to
const places = () => PLACES.filter(([path]) => isAdmin.value || !FOR_ADMINS.includes(path));

function Page() {
  const [first, second] = route.value.parts;
  if (first === "images" && second) return html`<${Image} key=${second} />`;
  const found = PLACES.find(([path]) => path === (first ?? ""));
  const Found = found?.[3] ?? Overview;
  return html`<${Found} />`;
}

const themes = { "": "as the system", light: "light", dark: "dark" };

function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("theme") ?? "");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  const names = Object.keys(themes);
  const next = names[(names.indexOf(theme) + 1) % names.length];
  return html`<${Button} kind="quiet" icon=${theme === "dark" ? "moon" : "sun"} label=${`Colours: ${themes[theme]}; change to ${themes[next]}`} onClick=${() => setTheme(next)} />`;
}

function Frame() {
  const here = route.value.parts[0] ?? "";
  const found = projects.value;
  const moving = uploads.value.filter((one) => ["sending", "waiting"].includes(one.state)).length;
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.querySelector("h1")?.focus(); }}>Go to the content</a>
    <nav class="side" aria-label="Pages"><a class="brand" href="#/"><${Mark} /><span>Glance appliance</span></a>
      <ul>${places().map(([path, word, icon]) => html`<li key=${path}><a href=${`#/${path}`} aria-current=${here === path ? "page" : undefined}><${Icon} name=${icon} /><span>${word}</span>${path === "images" && moving > 0 && html`<b class="badge" aria-label=${`${moving} uploads run`}>${moving}</b>`}</a></li>`)}</ul>
      <div class="who"><${Icon} name="user" /><div><b>${session.value.user.name}</b>
        ${found?.length > 1
          ? html`<select aria-label="Project" onChange=${(event) => change(event.target.value)}>${found.map((one) => html`<option key=${one.id} value=${one.id} selected=${one.id === project.value?.id}>${one.name}</option>`)}</select>`
          : html`<small>${project.value?.name ?? "no project"}</small>`}</div>
        <${Theme} /><${Button} kind="quiet" icon="log-out" label="Log out" onClick=${logOut} /></div></nav>
    <main id="main"><${Page} /></main>`;
}

const change = (id) => attempt(() => logIn({ project_id: id })).then(() => (status.value = null));

function Keys() {
  const keys = [["/", "filter"], ["u", "upload"], ...places().map(([, word, , , key]) => [`g ${key}`, word.toLowerCase()]), ["?", "these keys"]];
  return html`<${Dialog} title="Keys" onClose=${close}><dl class="list keys">${keys.map(([key, word]) => html`<div key=${key}><dt>${key.split(" ").map((one) => html`<kbd>${one}</kbd> `)}</dt><dd>${word}</dd></div>`)}</dl></${Dialog}>`;
}

let before = "";

function onKey(event) {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !session.value || dialog.value) return;
  const place = before === "g" && places().find(([, , , , key]) => key === event.key);
  before = event.key;
  if (place) location.hash = `#/${place[0]}`;
  else if (event.key === "?") dialog.value = { name: "keys" };
  else if (event.key === "/" && document.getElementById("filter")) document.getElementById("filter").focus();
  else if (event.key === "u") document.getElementById("files") ? document.getElementById("files").click() : (location.hash = "#/images");
  else return;
  event.preventDefault();
}

// Files may be dropped anywhere.
function useDrop() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const carries = (event) => event.dataTransfer?.types.includes("Files") && session.value;
    const on = { dragover: (event) => carries(event) && (event.preventDefault(), setOver(true)), dragleave: (event) => event.relatedTarget === null && setOver(false), drop: (event) => { if (!carries(event)) return; event.preventDefault(); setOver(false); add(event.dataTransfer.files); location.hash = "#/images"; } };
    for (const [name, listener] of Object.entries(on)) window.addEventListener(name, listener);
    return () => { for (const [name, listener] of Object.entries(on)) window.removeEventListener(name, listener); };
  }, []);
  return over;
}

// Figures that everybody looks at: asked again while the page is visible, and answered with 304 if nothing has changed.
let tag = null;

async function askStatus() {
  if (!session.value || document.hidden) return;
  const found = await call("image", "GET", "/appliance/v1/status", undefined, undefined, tag && status.value ? { "If-None-Match": tag } : {}).catch(() => null);
  if (found?.status === 200) [status.value, tag] = [found.json, found.etag];
}

function watchSession() {
  const ends = session.value && Date.parse(session.value.expires_at) - Date.now();
  const life = session.value && Date.parse(session.value.expires_at) - Date.parse(session.value.issued_at);
  // Of a short session, the last half.
  if (ends && ends < Math.min(300e3, life / 2) && !dialog.value) dialog.value = { name: "again" };
}

function App() {
  const over = useDrop();
  useEffect(() => {
    whoAmI().catch((error) => { session.value = null; tell(error.message, "bad"); });
    window.addEventListener("keydown", onKey);
    setInterval(askStatus, 3000);
    setInterval(watchSession, 1000);
    document.addEventListener("visibilitychange", askStatus);
  }, []);
  const who = session.value;
  useEffect(() => {
    if (!who) return;
    askStatus();
    get("identity", "/v3/auth/projects").then((found) => (projects.value = found.projects)).catch(() => (projects.value = null));
  }, [who?.user.id, who?.project?.id]);
  const Open = dialog.value && DIALOGS[dialog.value.name];
  return html`${who === undefined ? html`<p class="loading">…</p>` : who ? html`<${Frame} key=${who.project?.id} />` : html`<${LogIn} />`}
    ${Open && who && html`<${Open} key=${dialog.value.name} ...${dialog.value} />`}
    ${over && html`<div class="drop" aria-hidden="true"><div><${Icon} name="upload" />Drop to upload</div></div>`}
    <${Notices} />`;
}

render(html`<${App} />`, document.getElementById("app"));
