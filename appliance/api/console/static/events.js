// The audit trail in words: who did what to what.
import { html } from "./vendor/view.js";
import { clock, short8 } from "./figures.js";
import { Sheet, State } from "./ui.js";

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
  manage_jobs: "started the job",
  manage_nodes: "drained or removed the node",
  manage_stores: "started the job",
  manage_fleet: "changed feeds or peers:",
  follow_feed: "fetched blocks of",
  change_password: "changed the password of",
  restore: "restored",
};

const PAST = {
  create: "created",
  update: "changed",
  delete: "deleted",
  add: "added",
  modify: "changed",
  remove: "removed",
  revoke: "revoked",
  check: "checked",
  list: "listed",
};

// What an action of a policy's name is, in words.
function done(event) {
  if (event.method === "POST" && event.path.endsWith("/import")) return "began the import of";
  if (DONE[event.action]) return DONE[event.action];
  const [verb, ...rest] = event.action.replace(/^identity:/, "").split("_");
  if (!verb) return `sent ${event.method} ${event.path}`;
  return PAST[verb] ? `${PAST[verb]} the ${rest.join(" ")}` : `${[verb, ...rest].join(" ")}:`;
}

function deed(event) {
  const what = event.subject_name || short8(event.subject);
  const place = event.subject_kind === "image" && event.action !== "delete_image";
  const said = done(event);
  if (!what) return said;
  const name = html`<bdi>${what}</bdi>`;
  return html`${said} ${place ? html`<a href=${`#/images/${event.subject}`}>${name}</a>` : name}`;
}

export const eventText = (event) => html`<b>${event.user_name || "somebody"}</b>${" "}${deed(event)}`;

const HEAD = ["When", "Who", "What", "From", "Result", "Request"].map((word) => [word]);

export const Events = ({ events }) =>
  html`<${Sheet} label="Events" kind="events" head=${HEAD}>
    ${events.map((event) => html`<${Row} key=${event.id} event=${event} />`)}
  </${Sheet}>`;

function Row({ event }) {
  const [day, time] = clock(event.at).split(", ");
  const more = event.repeated > 0 ? ` and ${event.repeated} more` : "";
  return html`<tr>
    <td><time datetime=${event.at} title=${clock(event.at)}>${time}<small>${day}</small></time></td>
    <td>
      ${event.user_name || html`<span class="dim">nobody known</span>`}
      ${event.project_name && html`<small>${event.project_name}</small>`}
    </td>
    <td>${deed(event)}</td>
    <td class="mono">${event.address}</td>
    <td><${State} of=${event.result} /> <small class="dim">${event.status}</small></td>
    <td class="mono dim" title=${event.request_id}>${event.request_id.slice(0, 12)}${more}</td>
  </tr>`;
}
