// Projects: who may act in each, what it has, and what it is limited to.
import { html, useState } from "./vendor/view.js";
import { attempt, call, dialog, get, getOr, open, session, tell } from "./lib.js";
import { plural, quoted, size } from "./figures.js";
import { Button, Command, Facts, FormDialog, Icon, Input, Loading, Select, Trouble } from "./ui.js";
import { useAsked } from "./hooks.js";
import { keepAnAdministrator, ofUserOnProject, onProject } from "./administrators.js";
import { byName } from "./people.js";
import { RemoveDialog } from "./remove.js";

export function Projects({ id }) {
  const { found, error, ask } = useAsked(() => get("identity", "/v3/projects"), [dialog.value]);
  if (error) return html`<${Trouble} error=${error} again=${ask} />`;
  if (!found) return html`<${Loading} />`;
  const projects = byName(found.projects.filter((one) => !one.is_domain));
  const mine = session.value.project?.id;
  const shown = [id, mine].map((each) => projects.find((one) => one.id === each)).find(Boolean) ?? projects[0];
  return html`<div class="split">
      <ul class="card flush choices" aria-label="Projects">
        ${projects.map(
          (one) => html`<li key=${one.id}>
            <a href=${`#/people/projects/${one.id}`} aria-current=${one.id === shown?.id ? "true" : undefined}>
              <${Icon} name="box" /><bdi>${one.name}</bdi>
              ${!one.enabled && html`<span class="state warn">disabled</span>`}
            </a>
          </li>`,
        )}
      </ul>
      ${shown && html`<${Project} key=${shown.id} project=${shown} again=${ask} />`}
    </div>
    <${Command}>openstack project list</${Command}>`;
}

function Project({ project, again }) {
  const { found: limits } = useAsked(() => getOr({ limits: [] }, "identity", `/v3/limits?project_id=${project.id}`));
  const { found: usage } = useAsked(() => getOr(null, "image", `/appliance/v1/projects/${project.id}/usage`));
  const set = (enabled) =>
    attempt(
      async () => {
        if (!enabled) await keepAnAdministrator(onProject(project.id));
        await call("identity", "PATCH", `/v3/projects/${project.id}`, { project: { enabled } });
      },
      `${project.name} is ${enabled ? "enabled" : "disabled"}.`,
    ).then(again);
  const verb = project.enabled ? "Disable" : "Enable";
  const remove = () => open(RemoveDialog, { kind: "project", thing: project, ends: onProject(project.id) });
  const used = usage && `${plural(usage.images, "image")}, ${size(usage.logical)}`;
  const facts = [
    ["Uses", used],
    ...(limits?.limits ?? []).map((one) => [limitWord(one.resource_name), one.resource_limit.toLocaleString("en")]),
  ];
  return html`<section class="card">
    <h2><bdi>${project.name}</bdi></h2>
    <p class="dim">${project.description || "No description"} · <span class="mono">${project.id}</span></p>
    <h3>Members and roles</h3>
    <${Members} project=${project} />
    <h3>Images and limits</h3>
    <${Facts} rows=${facts} />
    ${limits && !limits.limits.length && html`<p class="dim">No limit of its own: those for all projects count.</p>`}
    <div class="row">
      <${Button} kind="small" onClick=${() => set(!project.enabled)}
        command=${`openstack project set --${verb.toLowerCase()} ${quoted(project.name)}`}>${verb}</${Button}>
      <${Button} kind="small danger" icon="trash" onClick=${remove}>Delete…</${Button}>
    </div>
  </section>`;
}

const LIMITS = {
  image_size_total: "Most data, MiB",
  image_stage_total: "Most staged data, MiB",
  image_count_total: "Most images",
  image_count_uploading: "Most uploads at once",
};
const limitWord = (name) => LIMITS[name] ?? name;

function Members({ project }) {
  const path = `/v3/role_assignments?include_names&scope.project.id=${project.id}`;
  const { found, error, ask } = useAsked(() => get("identity", path), [project.id, dialog.value]);
  const remove = async (one) => {
    const grant = `/v3/projects/${project.id}/users/${one.user.id}/roles/${one.role.id}`;
    await attempt(async () => {
      if (one.role.name === "admin") await keepAnAdministrator(ofUserOnProject(one.user.id, project.id));
      await call("identity", "DELETE", grant);
    }, `${one.user.name} is no longer ${one.role.name} in ${project.name}.`);
    ask();
  };
  if (error) return html`<${Trouble} error=${error} again=${ask} />`;
  const rows = found?.role_assignments ?? [];
  const of = (who) => `--user ${quoted(who.name)} --project ${quoted(project.name)}`;
  return html`<ul class="members">
      ${rows.map((one) => {
        const who = one.user ?? one.group;
        return html`<li key=${who.id + one.role.id}>
          <${Icon} name=${one.user ? "user" : "users"} /><b><bdi>${who.name}</bdi></b>
          <span class="role">${one.role.name}</span>
          ${
            one.user &&
            html`<${Button} kind="quiet small" icon="x" label=${`Take the role ${one.role.name} from ${who.name}`}
              command=${`openstack role remove ${of(who)} ${one.role.name}`}
              onClick=${() => remove(one)} />`
          }
        </li>`;
      })}
    </ul>
    ${found && !rows.length && html`<p class="dim">Nobody has a role here.</p>`}
    <${Button} kind="small" icon="plus" onClick=${() => open(GrantDialog, { project })}>Member</${Button}>`;
}

export function NewProjectDialog() {
  const [form, setForm] = useState({ name: "", description: "" });
  const set = (key) => (event) => setForm({ ...form, [key]: event.target.value });
  const work = async () => {
    const project = { ...form, domain_id: session.value.user.domain.id };
    const { json } = await call("identity", "POST", "/v3/projects", { project });
    tell(`The project ${form.name} is there.`);
    location.hash = `#/people/projects/${json.project.id}`;
  };
  const described = form.description ? `--description ${quoted(form.description)} ` : "";
  return html`<${FormDialog} title="New project" action="Create" work=${work} ready=${form.name}
    command=${`openstack project create ${described}${quoted(form.name || "name")}`}>
    <${Input} id="project-name" label="Name" value=${form.name} onInput=${set("name")} required autofocus />
    <${Input} id="project-description" label="Description" value=${form.description} onInput=${set("description")} />
  </${FormDialog}>`;
}

function GrantDialog({ project }) {
  const { found } = useAsked(() => get("identity", "/v3/users"));
  const { found: roles } = useAsked(() => get("identity", "/v3/roles"));
  const [form, setForm] = useState({ user: "", role: "member" });
  const users = byName(found?.users);
  const user = users.find((one) => one.id === form.user) ?? users[0];
  const role = (roles?.roles ?? []).find((one) => one.name === form.role);
  const work = async () => {
    await call("identity", "PUT", `/v3/projects/${project.id}/users/${user.id}/roles/${role.id}`);
    tell(`${user.name} is ${role.name} in ${project.name} now.`);
  };
  const who = quoted(user?.name ?? "user");
  const command = `openstack role add --user ${who} --project ${quoted(project.name)} ${form.role}`;
  return html`<${FormDialog} title=${`Add a member to ${project.name}`} action="Add" work=${work} ready=${user && role}
    command=${command}>
    <div class="pair">
      <${Select} id="grant-user" label="User" value=${user?.id} options=${users.map((one) => [one.id, one.name])}
        onChange=${(event) => setForm({ ...form, user: event.target.value })} />
      <${Select} id="grant-role" label="Role" value=${form.role}
        options=${byName(roles?.roles).map((one) => [one.name, one.name])}
        onChange=${(event) => setForm({ ...form, role: event.target.value })} />
    </div>
  </${FormDialog}>`;
}
