// Who did what, when, from where; and the work in the background.
import { html } from "./vendor/view.js";
import { attempt, call, get, isAdmin, route, setQuery } from "./lib.js";
import { ago, percent, plural, quoted, size } from "./figures.js";
import { Button, Command, Empty, Heading, Loading, Progress, State, Trouble } from "./ui.js";
import { useAsked, useEvery } from "./hooks.js";
import { Events } from "./events.js";

const MOST = 200;
const FILTERS = ["user", "action", "result", "subject"];
const RESULTS = [
  ["", "every result"],
  ["success", "done"],
  ["failed", "refused or failed"],
];
const ACTIONS = [
  ["", "everything"],
  ["log_in", "log-ins"],
  ["upload_image", "uploads"],
  ["modify_image", "changes of images"],
  ["add_member", "shares"],
  ["delete_image", "deletions"],
];
const TIMES = [
  ["", "all times"],
  ["1", "the last hour"],
  ["24", "the last day"],
  ["168", "the last week"],
];

const Choice = ({ label, name, options, value }) =>
  html`<select aria-label=${label} onChange=${(event) => setQuery({ [name]: event.target.value })}>
    ${options.map(
      ([key, word]) => html`<option key=${key} value=${key} selected=${key === (value ?? "")}>${word}</option>`,
    )}
  </select>`;

export function Activity() {
  const { query } = route.value;
  const asked = new URLSearchParams({ limit: String(MOST) });
  for (const name of FILTERS) if (query.get(name)) asked.set(name, query.get(name));
  const hours = query.get("hours");
  if (hours) asked.set("since", new Date(Date.now() - Number(hours) * 3600e3).toISOString());
  const { found, error, ask } = useAsked(() => get("image", `/appliance/v1/events?${asked}`), [query.toString()]);
  useEvery(5, ask);
  const flags = FILTERS.filter((name) => query.get(name)).map((name) => ` --${name} ${quoted(query.get(name))}`);
  const command = `glance-appliance events${flags.join("")}`;
  const choose = (name) => (event) => setQuery({ [name]: event.target.value });
  const field = (name, label, placeholder) =>
    html`<input aria-label=${label} placeholder=${placeholder} value=${query.get(name) ?? ""}
      onChange=${choose(name)} />`;
  return html`<${Heading}>Activity</${Heading}>
    ${isAdmin.value && html`<${Jobs} />`}
    <div class="filters" role="search" aria-label="Events">
      ${field("user", "User", "who")}
      ${field("subject", "What it was done to", "image, user, project")}
      <${Choice} label="Action" name="action" options=${ACTIONS} value=${query.get("action")} />
      <${Choice} label="Result" name="result" options=${RESULTS} value=${query.get("result")} />
      <${Choice} label="Time" name="hours" options=${TIMES} value=${hours} />
    </div>
    ${error && html`<${Trouble} error=${error} again=${ask} />`}
    ${!found && !error && html`<${Loading} />`}
    ${found?.events.length > 0 && html`<${Events} events=${found.events} />`}
    ${found && !found.events.length && html`<${Empty} icon="activity" title="Nothing here">No event fits.</${Empty}>`}
    ${found?.events.length >= MOST && html`<p class="dim">The latest ${MOST}; the line below shows more.</p>`}
    <${Command}>${command}</${Command}>`;
}

const JOBS = {
  collect: "Give back the space of deleted images",
  scrub: "Read and check every stored byte",
  imports: "Import images",
  edge: "Copy the Keystone's state",
};
const TASKS = { success: "done", failure: "failed", processing: "running", pending: "waiting" };
const RUNNABLE = ["collect", "scrub"];

function Jobs() {
  const { found, error, ask } = useAsked(() => get("image", "/appliance/v1/jobs"));
  useEvery(3, ask);
  const run = (name) =>
    attempt(() => call("image", "POST", `/appliance/v1/jobs/${name}`), `The job ${name} has begun.`).then(ask);
  if (error) return html`<${Trouble} error=${error} again=${ask} />`;
  const shown = (found?.jobs ?? []).filter((job) => JOBS[job.name]);
  return html`<section class="grid" aria-label="Jobs">
    ${shown.map((job) => html`<${Job} key=${job.name} job=${job} run=${run} />`)}
  </section>`;
}

function Job({ job, run }) {
  const word = JOBS[job.name];
  const times = [job.ended_at && `last ended ${ago(job.ended_at)}`, job.next_at && `next ${ago(job.next_at)}`];
  const told = ([state, count]) => `${plural(count, "import")} ${TASKS[state] ?? state}`;
  const tasks = Object.entries(job.tasks ?? {}).map(told);
  return html`<div class="card job">
    <h2>${word}</h2>
    <p><${State} of=${job.state} /></p>
    <p class="dim">${[...times, ...tasks].filter(Boolean).join(", ")}</p>
    ${
      job.total > 0 &&
      html`<${Progress} value=${percent(job.done, job.total)} label=${word} />
        <p class="dim">${size(job.done)} of ${size(job.total)} checked</p>`
    }
    ${job.error && html`<p class="trouble">${job.error}</p>`}
    ${
      RUNNABLE.includes(job.name) &&
      html`<${Button} kind="small" icon="play" label=${`Run now: ${job.name}`}
        command=${`glance-appliance jobs run ${job.name}`} onClick=${() => run(job.name)}>
        Run now
      </${Button}>`
    }
  </div>`;
}
