// Projects and users: who there is, who may act where, and what that is limited to.
import { html, useState } from "./vendor/view.js";
import { attempt, call, dialog, get, plural, quoted, route, session, size, tell } from "./lib.js";
import { Button, Command, Empty, FormDialog, Heading, Icon, Input, Select, Trouble, useAsked } from "./ui.js";

const assignments = (query) => get("identity", `/v3/role_assignments?include_names&${query}`);

export function People() {
  const [, tab = "projects", id] = route.value.parts;
  const add = () => (dialog.value = { name: tab === "users" ? "new-user" : "new-project" });
  return html`<${Heading} title=${tab === "users" ? "Users" : "Projects"} actions=${html`<${Button} kind="primary" icon="plus" onClick=${add}>${tab === "users" ? "User" : "Project"}</${Button}>`}>Projects and users</${Heading}>
    <nav class="tabs" aria-label="Projects and users"><a href="#/people/projects" aria-current=${tab === "projects" ? "page" : undefined}>Projects</a><a href="#/people/users" aria-current=${tab === "users" ? "page" : undefined}>Users</a></nav>
    ${tab === "users" ? html`<${Users} />` : html`<${Projects} id=${id} />`}`;
}

function Projects({ id }) {
  const { found, error, ask } = useAsked(() => get("identity", "/v3/projects"), [dialog.value]);
  if (error) return html`<${Trouble} error=${error} again=${ask} />`;
  const projects = (found?.projects ?? []).filter((one) => !one.is_domain);
  const open = projects.find((one) => one.id === id) ?? projects.find((one) => one.id === session.value.project?.id) ?? projects[0];
  return html`<div class="split">
    <ul class="card flush choices" aria-label="Projects">${projects.map((one) => html`<li key=${one.id}><a href=${`#/people/projects/${one.id}`} aria-current=${one.id === open?.id ? "true" : undefined}><${Icon} name="box" /><span>${one.name}</span>${!one.enabled && html`<span class="state warn">disabled</span>`}</a></li>`)}</ul>
    ${open && html`<${Project} key=${open.id} project=${open} again=${ask} />`}</div>
    <${Command}>openstack project list</${Command}>`;
}

function Project({ project, again }) {
  const { found, ask } = useAsked(() => assignments(`scope.project.id=${project.id}`), [project.id, dialog.value]);
  const { found: limits } = useAsked(() => get("identity", `/v3/limits?project_id=${project.id}`).catch(() => ({ limits: [] })), [project.id]);
  const remove = async (one) => {
    const path = `/v3/projects/${project.id}/users/${one.user.id}/roles/${one.role.id}`;
    await attempt(async () => {
      if (one.role.name === "admin") await keepAnAdministrator(one.user.id, project.id);
      await call("identity", "DELETE", path);
    }, `${one.user.name} is no longer ${one.role.name} in ${project.name}.`);
    ask();
  };
  const rows = (found?.role_assignments ?? []).filter((one) => one.user);
  const set = (changes, said) => attempt(() => call("identity", "PATCH", `/v3/projects/${project.id}`, { project: changes }), said).then(again);
  return html`<section class="card"><h2>${project.name}</h2>
    <p class="dim">${project.description || "No description"} · <span class="mono">${project.id}</span></p>
    <h3>Members and roles</h3>
    <ul class="members">${rows.map((one) => html`<li key=${one.user.id + one.role.id}><${Icon} name="user" /><b>${one.user.name}</b> <span class="state dim">${one.role.name}</span><${Button} kind="quiet small" icon="x" label=${`Take the role ${one.role.name} from ${one.user.name}`} onClick=${() => remove(one)} /></li>`)}</ul>
    ${found && !rows.length && html`<p class="dim">Nobody has a role here.</p>`}
    ${limits?.limits.length > 0 && html`<h3>Limits</h3><dl class="list">${limits.limits.map((one) => html`<div key=${one.id}><dt>${one.resource_name}</dt><dd>${one.resource_limit}</dd></div>`)}</dl>`}
    <div class="row"><${Button} kind="small" icon="plus" onClick=${() => (dialog.value = { name: "grant", project })}>Member</${Button}>
      <${Button} kind="small" onClick=${() => set({ enabled: !project.enabled }, `${project.name} is ${project.enabled ? "disabled" : "enabled"}.`)}>${project.enabled ? "Disable" : "Enable"}</${Button}>
      <${Button} kind="small danger" icon="trash" onClick=${() => (dialog.value = { name: "remove", kind: "project", thing: project })}>Delete…</${Button}></div></section>`;
}

function Users() {
  const { found, error, ask } = useAsked(() => get("identity", "/v3/users"), [dialog.value]);
  if (error) return html`<${Trouble} error=${error} again=${ask} />`;
  const set = (user, changes, said) =>
    attempt(async () => {
      if (changes.enabled === false) await keepAnAdministrator(user.id);
      await call("identity", "PATCH", `/v3/users/${user.id}`, { user: changes });
    }, said).then(ask);
  return html`<div class="scroll card flush" tabindex="0" role="region" aria-label="Users"><table><thead><tr><th scope="col">User</th><th scope="col">State</th><th scope="col">Id</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead><tbody>
    ${(found?.users ?? []).map((user) => html`<tr key=${user.id}><td><b>${user.name}</b></td><td><span class=${`state ${user.enabled ? "good" : "warn"}`}>${user.enabled ? "enabled" : "disabled"}</span></td><td class="mono dim">${user.id}</td>
      <td class="row"><${Button} kind="small" onClick=${() => set(user, { enabled: !user.enabled }, `${user.name} is ${user.enabled ? "disabled" : "enabled"}.`)} label=${`${user.enabled ? "Disable" : "Enable"} ${user.name}`}>${user.enabled ? "Disable" : "Enable"}</${Button}>
      <${Button} kind="small" icon="key-round" label=${`New password for ${user.name}`} onClick=${() => (dialog.value = { name: "password", user })}>Password</${Button}>
      <${Button} kind="small danger" icon="trash" label=${`Delete ${user.name}`} onClick=${() => (dialog.value = { name: "remove", kind: "user", thing: user })} /></td></tr>`)}
  </tbody></table></div><${Command}>openstack user list</${Command}>`;
}

// As the command line does: nobody takes away the last one who could put it right again.
async function keepAnAdministrator(user, onlyIn = null) {
  const { roles } = await get("identity", "/v3/roles?name=admin");
  const { role_assignments } = await assignments(`role.id=${roles[0]?.id}&effective`);
  const { users } = await get("identity", "/v3/users?enabled=true");
  const enabled = new Set(users.map((one) => one.id));
  const others = role_assignments.filter((one) => enabled.has(one.user?.id) && (one.user.id !== user || (onlyIn && one.scope.project?.id !== onlyIn)));
  const mine = role_assignments.some((one) => one.user?.id === user);
  if (mine && !others.length) throw new Error("This is the last administrator: make another one first.");
}

export function NewProjectDialog() {
  const [form, setForm] = useState({ name: "", description: "" });
  const set = (key) => (event) => setForm({ ...form, [key]: event.target.value });
  const work = async () => {
    const { json } = await call("identity", "POST", "/v3/projects", { project: { ...form, domain_id: session.value.user.domain.id } });
    tell(`The project ${form.name} is there.`);
    location.hash = `#/people/projects/${json.project.id}`;
  };
  return html`<${FormDialog} title="New project" action="Make it" work=${work} ready=${form.name} command=${`openstack project create ${form.description ? `--description ${quoted(form.description)} ` : ""}${quoted(form.name || "name")}`}>
    <${Input} id="project-name" label="Name" value=${form.name} onInput=${set("name")} required autofocus /><${Input} id="project-description" label="Description" value=${form.description} onInput=${set("description")} /></${FormDialog}>`;
}

export function NewUserDialog() {
  const { found } = useAsked(() => get("identity", "/v3/projects"));
  const { found: roles } = useAsked(() => get("identity", "/v3/roles"));
  const [form, setForm] = useState({ name: "", password: "", project: "", role: "member" });
  const set = (key) => (event) => setForm({ ...form, [key]: event.target.value });
  const projects = (found?.projects ?? []).filter((one) => !one.is_domain);
  const work = async () => {
    const { json } = await call("identity", "POST", "/v3/users", { user: { name: form.name, password: form.password, domain_id: session.value.user.domain.id, ...(form.project ? { default_project_id: form.project } : {}) } });
    const role = roles.roles.find((one) => one.name === form.role);
    if (form.project) await call("identity", "PUT", `/v3/projects/${form.project}/users/${json.user.id}/roles/${role.id}`);
    tell(`The user ${form.name} is there.`);
    location.hash = "#/people/users";
  };
  const where = projects.find((one) => one.id === form.project)?.name;
  return html`<${FormDialog} title="New user" action="Make them" work=${work} ready=${form.name && form.password} command=${`openstack user create --password-prompt ${quoted(form.name || "name")}${where ? ` && openstack role add --user ${quoted(form.name)} --project ${quoted(where)} ${form.role}` : ""}`}>
    <${Input} id="user-name" label="Name" value=${form.name} onInput=${set("name")} required autofocus autocomplete="off" />
    <${Input} id="user-password" label="Password" type="password" value=${form.password} onInput=${set("password")} required autocomplete="new-password" />
    <div class="pair"><${Select} id="user-project" label="Project" value=${form.project} onChange=${set("project")} options=${[["", "none yet"], ...projects.map((one) => [one.id, one.name])]} />
    <${Select} id="user-role" label="Role" value=${form.role} onChange=${set("role")} options=${(roles?.roles ?? []).map((one) => [one.name, one.name])} /></div></${FormDialog}>`;
}

export function GrantDialog({ project }) {
  const { found } = useAsked(() => get("identity", "/v3/users"));
  const { found: roles } = useAsked(() => get("identity", "/v3/roles"));
  const [form, setForm] = useState({ user: "", role: "member" });
  const user = (found?.users ?? []).find((one) => one.id === form.user) ?? found?.users[0];
  const role = (roles?.roles ?? []).find((one) => one.name === form.role);
  const work = async () => {
    await call("identity", "PUT", `/v3/projects/${project.id}/users/${user.id}/roles/${role.id}`);
    tell(`${user.name} is ${role.name} in ${project.name} now.`);
  };
  return html`<${FormDialog} title=${`Add a member to ${project.name}`} action="Add" work=${work} ready=${user && role} command=${`openstack role add --user ${quoted(user?.name ?? "user")} --project ${quoted(project.name)} ${form.role}`}>
    <div class="pair"><${Select} id="grant-user" label="User" value=${user?.id} onChange=${(event) => setForm({ ...form, user: event.target.value })} options=${(found?.users ?? []).map((one) => [one.id, one.name])} />
    <${Select} id="grant-role" label="Role" value=${form.role} onChange=${(event) => setForm({ ...form, role: event.target.value })} options=${(roles?.roles ?? []).map((one) => [one.name, one.name])} /></div></${FormDialog}>`;
}

export function PasswordDialog({ user }) {
  const [password, setPassword] = useState("");
  const work = async () => {
    await call("identity", "PATCH", `/v3/users/${user.id}`, { user: { password } });
    tell(`${user.name} has a new password, and the sessions of the old one have ended.`);
  };
  return html`<${FormDialog} title=${`New password for ${user.name}`} action="Set it" work=${work} ready=${password} command=${`openstack user set --password-prompt ${quoted(user.name)}`}>
    <${Input} id="new-password" label="Password" type="password" value=${password} onInput=${(event) => setPassword(event.target.value)} autocomplete="new-password" required autofocus /></${FormDialog}>`;
}

export function RemoveDialog({ kind, thing }) {
  const [typed, setTyped] = useState("");
  const work = async () => {
    if (kind === "user") await keepAnAdministrator(thing.id);
    await call("identity", "DELETE", `/v3/${kind}s/${thing.id}`);
    tell(`${thing.name} is deleted.`);
    location.hash = `#/people/${kind}s`;
  };
  return html`<${FormDialog} title=${`Delete the ${kind} ${thing.name}`} action="Delete" danger work=${work} ready=${typed === thing.name} command=${`openstack ${kind} delete ${quoted(thing.name)}`}>
    <p>${kind === "project" ? "Its images stay, and only administrators can reach them then." : "What the user has made stays."} This can't be undone.</p>
    <${Input} id="remove-name" label=${`Type ${thing.name} to delete it`} value=${typed} onInput=${(event) => setTyped(event.target.value)} autocomplete="off" autofocus /></${FormDialog}>`;
}
