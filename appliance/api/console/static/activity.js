// Who did what, when, from where; and the work in the background.
import { html } from "./vendor/view.js";
import { ago, attempt, call, clock, get, isAdmin, percent, route, setQuery, size } from "./lib.js";
import { Button, Command, Empty, Heading, Progress, State, Trouble, useAsked, useEvery } from "./ui.js";

const DONE = {
  log_in: "logged in",
  change_scope: "changed the project",
  "identity:create_grant": "gave a role in",
  "identity:revoke_grant": "took a role in",
  "identity:create_application_credential": "made an application credential for",
  add_image: "registered",
  upload_image: "uploaded",
  modify_image: "changed",
  delete_image: "deleted",
  add_member: "shared",
  modify_member: "answered the offer of",
  delete_member: "took back the share of",
  deactivate: "deactivated",
  reactivate: "reactivated",
  copy_image: "imported",
  add_image_location: "added a location to",
  manage_jobs: "started a job:",
  manage_nodes: "drained or removed a node:",
  manage_stores: "started a job:",
  manage_fleet: "changed feeds or peers:",
  follow_feed: "fetched blocks of",
  change_password: "changed the password of",
  restore: "restored",
};

const PAST = { create: "created", update: "changed", delete: "deleted", add: "added", modify: "changed", remove: "removed", revoke: "revoked", check: "checked", list: "listed" };

// What an action of a policy's name is, in words.
function done(event) {
  if (DONE[event.action]) return DONE[event.action];
  const [verb, ...rest] = event.action.replace(/^identity:/, "").split("_");
  if (!verb) return `sent ${event.method} ${event.path}`;
  return PAST[verb] ? `${PAST[verb]} the ${rest.join(" ")}` : `${[verb, ...rest].join(" ")}:`;
}

function deed(event) {
  const what = event.subject_name || (event.subject ? event.subject.slice(0, 8) : "");
  const place = event.subject_kind === "image" && event.action !== "delete_image";
  return html`${done(event)} ${
    what && (place ? html`<a href=${`#/images/${event.subject}`}>${what}</a>` : html`<span>${what}</span>`)
  }`;
}

export const eventText = (event) => html`<b>${event.user_name || "somebody"}</b> ${deed(event)}`;

const RESULTS = [["", "every result"], ["success", "done"], ["failed", "refused or failed"]];
const TIMES = [["", "all times"], ["1", "the last hour"], ["24", "the last day"], ["168", "the last week"]];

export function Activity() {
  const { query } = route.value;
  const asked = new URLSearchParams({ limit: "200" });
  for (const name of ["user", "action", "result", "subject"]) if (query.get(name)) asked.set(name, query.get(name));
  const hours = query.get("hours");
  if (hours) asked.set("since", new Date(Date.now() - Number(hours) * 3600e3).toISOString());
  const key = query.toString();
  const { found, error, ask } = useAsked(() => get("image", `/appliance/v1/events?${asked}`), [key]);
  useEvery(5, ask);
  const choose = (name) => (event) => setQuery({ [name]: event.target.value });
  return html`<${Heading}>Activity</${Heading}>
    ${isAdmin.value && html`<${Jobs} />`}
    <div class="filters" role="search" aria-label="Events">
      <input aria-label="User" placeholder="user" value=${query.get("user") ?? ""} onChange=${choose("user")} />
      <input aria-label="What it was done to" placeholder="image, user, project" value=${query.get("subject") ?? ""} onChange=${choose("subject")} />
      <select aria-label="Result" onChange=${choose("result")}>${RESULTS.map(([value, word]) => html`<option value=${value} selected=${value === (query.get("result") ?? "")}>${word}</option>`)}</select>
      <select aria-label="Time" onChange=${choose("hours")}>${TIMES.map(([value, word]) => html`<option value=${value} selected=${value === (hours ?? "")}>${word}</option>`)}</select>
    </div>
    ${error && html`<${Trouble} error=${error} again=${ask} />`}
    ${found && (found.events.length ? html`<${Events} events=${found.events} />` : html`<${Empty} icon="activity" title="Nothing here">No event fits.</${Empty}>`)}
    <${Command}>curl -H "X-Auth-Token: $TOKEN" $IMAGE/appliance/v1/events?${asked.toString()}</${Command}>`;
}

export function Events({ events }) {
  return html`<div class="scroll card flush" tabindex="0" role="region" aria-label="Events"><table class="events">
    <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">From</th><th scope="col">Result</th><th scope="col">Request</th></tr></thead>
    <tbody>${events.map(
      (event) => html`<tr key=${event.id}>
        <td><time datetime=${event.at} title=${clock(event.at)}>${clock(event.at).slice(12) || ago(event.at)}<small>${clock(event.at).slice(0, 10)}</small></time></td>
        <td>${event.user_name || html`<span class="dim">nobody known</span>`}${event.project_name && html`<small>${event.project_name}</small>`}</td>
        <td>${deed(event)}</td>
        <td class="mono">${event.address}</td>
        <td><${State} of=${event.result} /> <small class="dim">${event.status}</small></td>
        <td class="mono dim">${event.request_id.slice(0, 12)}${event.repeated > 0 && ` and ${event.repeated} more`}</td>
      </tr>`,
    )}</tbody></table></div>`;
}

function Jobs() {
  const { found, ask } = useAsked(() => get("image", "/appliance/v1/jobs"));
  useEvery(3, ask);
  const run = (name) => attempt(() => call("image", "POST", `/appliance/v1/jobs/${name}`), `The job ${name} has begun.`).then(ask);
  const shown = (found?.jobs ?? []).filter((job) => ["collect", "scrub", "imports", "edge"].includes(job.name));
  const words = { collect: "Give back the space of deleted images", scrub: "Read and check every stored byte", imports: "Import images", edge: "Copy the Keystone's state" };
  return html`<section class="grid" aria-label="Jobs">${shown.map(
    (job) => html`<div class="card job" key=${job.name}>
      <h2>${words[job.name]}</h2><p><${State} of=${job.state} /> <span class="dim">${job.ended_at ? `last ended ${ago(job.ended_at)}` : ""}${job.next_at ? `, next ${ago(job.next_at)}` : ""}</span></p>
      ${job.total > 0 && html`<${Progress} value=${percent(job.done, job.total)} label=${words[job.name]} /><p class="dim">${size(job.done)} of ${size(job.total)} checked</p>`}
      ${job.error && html`<p class="trouble">${job.error}</p>`}
      ${["collect", "scrub"].includes(job.name) && html`<${Button} kind="small" icon="play" onClick=${() => run(job.name)} label=${`Run now: ${job.name}`}>Run now</${Button}>`}
    </div>`,
  )}</section>`;
}
