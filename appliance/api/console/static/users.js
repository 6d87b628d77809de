// Users: made, given new passwords, disabled and deleted.
import { html, useState } from "./vendor/view.js";
import { attempt, call, dialog, get, open, session, tell } from "./lib.js";
import { quoted } from "./figures.js";
import { Button, Command, FormDialog, Input, Loading, Select, Sheet, Trouble } from "./ui.js";
import { useAsked } from "./hooks.js";
import { keepAnAdministrator, ofUser } from "./administrators.js";
import { byName } from "./people.js";
import { RemoveDialog } from "./remove.js";

export function Users() {
  const { found, error, ask } = useAsked(() => get("identity", "/v3/users"), [dialog.value]);
  if (error) return html`<${Trouble} error=${error} again=${ask} />`;
  if (!found) return html`<${Loading} />`;
  const set = (user, enabled) =>
    attempt(
      async () => {
        if (!enabled) await keepAnAdministrator(ofUser(user.id));
        await call("identity", "PATCH", `/v3/users/${user.id}`, { user: { enabled } });
      },
      `${user.name} is ${enabled ? "enabled" : "disabled"}.`,
    ).then(ask);
  const head = [["User"], ["State"], ["Id"], ["Actions", "end"]];
  return html`<${Sheet} label="Users" head=${head}>
      ${byName(found.users).map((user) => html`<${Row} key=${user.id} user=${user} set=${set} />`)}
    </${Sheet}>
    <${Command}>openstack user list</${Command}>`;
}

function Row({ user, set }) {
  const verb = user.enabled ? "Disable" : "Enable";
  const remove = () => open(RemoveDialog, { kind: "user", thing: user, ends: ofUser(user.id) });
  return html`<tr>
    <td><b><bdi>${user.name}</bdi></b>${user.email && html`<small>${user.email}</small>`}</td>
    <td><span class=${`state ${user.enabled ? "good" : "warn"}`}>${user.enabled ? "enabled" : "disabled"}</span></td>
    <td class="mono dim">${user.id}</td>
    <td>
      <div class="row end">
        <${Button} kind="small" label=${`${verb} ${user.name}`} onClick=${() => set(user, !user.enabled)}
          command=${`openstack user set --${verb.toLowerCase()} ${quoted(user.name)}`}>${verb}</${Button}>
        <${Button} kind="small" icon="key-round" label=${`New password for ${user.name}`}
          onClick=${() => open(PasswordDialog, { user })}>Password</${Button}>
        <${Button} kind="small danger" icon="trash" label=${`Delete ${user.name}`} onClick=${remove} />
      </div>
    </td>
  </tr>`;
}

export function NewUserDialog() {
  const { found } = useAsked(() => get("identity", "/v3/projects"));
  const { found: roles } = useAsked(() => get("identity", "/v3/roles"));
  const [form, setForm] = useState({ name: "", password: "", project: "", role: "member" });
  const set = (key) => (event) => setForm({ ...form, [key]: event.target.value });
  const projects = byName(found?.projects.filter((one) => !one.is_domain));
  const work = async () => {
    const home = form.project ? { default_project_id: form.project } : {};
    const user = { name: form.name, password: form.password, domain_id: session.value.user.domain.id, ...home };
    const { json } = await call("identity", "POST", "/v3/users", { user });
    const role = roles.roles.find((one) => one.name === form.role);
    if (form.project) {
      await call("identity", "PUT", `/v3/projects/${form.project}/users/${json.user.id}/roles/${role.id}`);
    }
    tell(`The user ${form.name} is there.`);
    location.hash = "#/people/users";
  };
  const name = quoted(form.name || "name");
  const where = projects.find((one) => one.id === form.project)?.name;
  const grant = where ? ` && openstack role add --user ${name} --project ${quoted(where)} ${form.role}` : "";
  return html`<${FormDialog} title="New user" action="Create" work=${work} ready=${form.name && form.password}
    command=${`openstack user create --password-prompt ${name}${grant}`}>
    <${Input} id="user-name" label="Name" value=${form.name} onInput=${set("name")} required autofocus
      autocomplete="off" />
    <${Input} id="user-password" label="Password" type="password" value=${form.password} onInput=${set("password")}
      required autocomplete="new-password" />
    <div class="pair">
      <${Select} id="user-project" label="Project" value=${form.project} onChange=${set("project")}
        options=${[["", "none yet"], ...projects.map((one) => [one.id, one.name])]} />
      <${Select} id="user-role" label="Role" value=${form.role} onChange=${set("role")}
        options=${byName(roles?.roles).map((one) => [one.name, one.name])} />
    </div>
  </${FormDialog}>`;
}

function PasswordDialog({ user }) {
  const [password, setPassword] = useState("");
  const work = async () => {
    await call("identity", "PATCH", `/v3/users/${user.id}`, { user: { password } });
    tell(`${user.name} has a new password, and the sessions of the old one have ended.`);
  };
  return html`<${FormDialog} title=${`New password for ${user.name}`} action="Set it" work=${work} ready=${password}
    command=${`openstack user set --password-prompt ${quoted(user.name)}`}>
    <${Input} id="new-password" label="Password" type="password" value=${password} autocomplete="new-password" required
      autofocus onInput=${(event) => setPassword(event.target.value)} />
  </${FormDialog}>`;
}
