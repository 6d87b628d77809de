// How other programs get in: the files that clients read, and credentials made for one program alone.
import { html, useState } from "./vendor/view.js";
import { attempt, call, clock, dialog, endpoint, get, project, quoted, session, tell } from "./lib.js";
import { Button, Command, Copy, Dialog, close, FormDialog, Heading, Icon, Input, Trouble, useAsked } from "./ui.js";

const identity = () => endpoint("identity").replace(/\/v3$/, "");
const region = () => session.value.catalog?.[0]?.endpoints[0]?.region ?? "RegionOne";

// clouds.yaml is YAML, of which JSON is a part: quoted strings are always right.
const yaml = (text) => JSON.stringify(text ?? "");

function clouds(secret) {
  const auth = secret
    ? `      application_credential_id: ${yaml(secret.id)}\n      application_credential_secret: ${yaml(secret.secret)}`
    : `      username: ${yaml(session.value.user.name)}\n      user_domain_name: ${yaml(session.value.user.domain.name)}\n      project_name: ${yaml(project.value?.name)}\n      project_domain_name: ${yaml(project.value?.domain.name)}`;
  return `clouds:\n  appliance:\n${secret ? "    auth_type: v3applicationcredential\n" : ""}    auth:\n      auth_url: ${yaml(`${identity()}/v3`)}\n${auth}\n    region_name: ${yaml(region())}\n    identity_api_version: 3\n`;
}

const openrc = () =>
  [
    ["AUTH_URL", `${identity()}/v3`],
    ["IDENTITY_API_VERSION", "3"],
    ["USERNAME", session.value.user.name],
    ["USER_DOMAIN_NAME", session.value.user.domain.name],
    ["PROJECT_NAME", project.value?.name ?? ""],
    ["PROJECT_DOMAIN_NAME", project.value?.domain.name ?? ""],
    ["REGION_NAME", region()],
  ].map(([name, value]) => `export OS_${name}=${quoted(value)}`).join("\n") + "\nread -rsp 'Password: ' OS_PASSWORD; export OS_PASSWORD; echo\n";

const terraform = () => `provider "openstack" {\n  auth_url    = "${identity()}/v3"\n  user_name   = ${yaml(session.value.user.name)}\n  tenant_name = ${yaml(project.value?.name)}\n  domain_name = ${yaml(session.value.user.domain.name)}\n  region      = "${region()}"\n}\n`;

export const save = (name, text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};

function File({ name, text, children }) {
  return html`<section class="card"><h2>${name}</h2><p class="dim">${children}</p><div class="code"><pre tabindex="0">${text}</pre><${Copy} text=${text} label=${`Copy ${name}`} /></div>
    <${Button} kind="small" icon="download" label=${`Download ${name}`} onClick=${() => save(name, text)}>Download</${Button}></section>`;
}

export function Connect() {
  const user = session.value.user;
  const path = `/v3/users/${user.id}/application_credentials`;
  const { found, error, ask } = useAsked(() => get("identity", path), [dialog.value]);
  const remove = (one) => attempt(() => call("identity", "DELETE", `${path}/${one.id}`), `${one.name} opens nothing any more.`).then(ask);
  return html`<${Heading} actions=${html`<${Button} kind="primary" icon="key-round" onClick=${() => (dialog.value = { name: "credential" })}>Application credential</${Button}>`}>Connect</${Heading}>
    <section class="card"><h2>Application credentials</h2>
      <p class="dim">A secret for one program, in the place of your password. It acts in ${project.value?.name ?? "your project"} as you do, and you can take it back alone.</p>
      ${error && html`<${Trouble} error=${error} again=${ask} />`}
      <ul class="members">${(found?.application_credentials ?? []).map((one) => html`<li key=${one.id}><${Icon} name="key-round" /><b>${one.name}</b> <span class="mono dim">${one.id}</span>${one.expires_at && html`<span class="dim">until ${clock(one.expires_at)}</span>`}<${Button} kind="quiet small" icon="trash" label=${`Delete ${one.name}`} onClick=${() => remove(one)} /></li>`)}</ul>
      ${found && !found.application_credentials.length && html`<p class="dim">None yet.</p>`}</section>
    <div class="grid wide"><${File} name="clouds.yaml" text=${clouds()}>For the openstack client, openstacksdk, Ansible and others, in ~/.config/openstack. It asks for the password, or takes OS_PASSWORD.</${File}>
      <${File} name="openrc" text=${openrc()}>For a shell: source it.</${File}>
      <${File} name="provider.tf" text=${terraform()}>For Terraform and OpenTofu, with OS_PASSWORD in the environment.</${File}></div>
    <p class="dim">What this page is made of: <a href=${new URL("vendor/licenses.txt", import.meta.url).href}>licences</a>.</p>`;
}

export function CredentialDialog() {
  const [name, setName] = useState("");
  const [made, setMade] = useState(null);
  const work = async () => {
    const { json } = await call("identity", "POST", `/v3/users/${session.value.user.id}/application_credentials`, { application_credential: { name } });
    setMade(json.application_credential);
    return false;
  };
  if (made) {
    const text = clouds(made);
    return html`<${Dialog} title=${`${made.name} is made`} onClose=${close}><p><b>The secret is shown this once.</b> Nobody can read it again.</p>
      <dl class="list"><div><dt>Id</dt><dd class="mono">${made.id}</dd></div><div><dt>Secret</dt><dd class="mono" id="secret">${made.secret}</dd></div></dl>
      <div class="code"><pre tabindex="0">${text}</pre><${Copy} text=${text} label="Copy clouds.yaml" /></div>
      <footer><${Button} icon="download" onClick=${() => save("clouds.yaml", text)}>Download clouds.yaml</${Button}><${Button} kind="primary" onClick=${close}>Done</${Button}></footer></${Dialog}>`;
  }
  return html`<${FormDialog} title="New application credential" action="Make it" work=${work} ready=${name} command=${`openstack application credential create ${quoted(name || "name")}`}>
    <${Input} id="credential-name" label="What is it for?" placeholder="packer on build-3" value=${name} onInput=${(event) => setName(event.target.value)} required autofocus /></${FormDialog}>`;
}
