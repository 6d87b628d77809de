// How other programs get in: the files that clients read, and credentials made for one program alone.
import { html, useState } from "./vendor/view.js";
import { attempt, call, close, dialog, get, open, project, session, tell } from "./lib.js";
import { clock, quoted } from "./figures.js";
import { Button, Copy, Dialog, Facts, FormDialog, Heading, Icon, Input, Trouble } from "./ui.js";
import { useAsked } from "./hooks.js";
import { CA_FILE, clouds, openrc, terraform } from "./client-files.js";

function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// The certificates that clients are to trust; null if they know them without us, or there are none.
async function ownAuthority() {
  if (location.protocol !== "https:") return null;
  const answer = await fetch("ca.pem").catch(() => null);
  return answer?.ok ? answer.text() : null;
}

const credentials = () => `/v3/users/${session.value.user.id}/application_credentials`;

export function Connect() {
  const { found: authority } = useAsked(ownAuthority);
  const files = { authority };
  const actions = html`<${Button} kind="primary" icon="key-round" onClick=${() => open(CredentialDialog, files)}>
    Application credential
  </${Button}>`;
  return html`<${Heading} actions=${actions}>Connect</${Heading}>
    <div class="grid wide">
      <div class="stack">
        <${File} name="clouds.yaml" text=${clouds(files)}>
          For the openstack client, openstacksdk, Ansible and others, in ~/.config/openstack. It asks for the password,
          or takes OS_PASSWORD.
        </${File}>
        ${
          authority &&
          html`<${File} name="appliance-ca.pem" text=${authority}>
            The certificates that clients are to trust: keep it as ${CA_FILE}.
          </${File}>`
        }
      </div>
      <div class="stack">
        <${File} name="openrc" text=${openrc(files)}>For a shell: source it.</${File}>
        <${File} name="provider.tf" text=${terraform(files)}>
          For Terraform and OpenTofu, with OS_PASSWORD in the environment.
        </${File}>
      </div>
    </div>
    <${Credentials} />
    <p class="dim">
      What this page is made of: <a href=${new URL("vendor/licenses.txt", import.meta.url).href}>licences</a>.
    </p>`;
}

function File({ name, text, children }) {
  return html`<section class="card">
    <h2>${name}</h2>
    <p class="dim">${children}</p>
    <div class="code"><pre tabindex="0">${text}</pre><${Copy} text=${text} label=${`Copy ${name}`} /></div>
    <${Button} kind="small" icon="download" label=${`Download ${name}`} onClick=${() => save(name, text)}>
      Download
    </${Button}>
  </section>`;
}

function Credentials() {
  const { found, error, ask } = useAsked(() => get("identity", credentials()), [dialog.value]);
  const remove = (one) => {
    const work = () => call("identity", "DELETE", `${credentials()}/${one.id}`);
    attempt(work, `${one.name} opens nothing any more.`).then(ask);
  };
  const rows = found?.application_credentials ?? [];
  return html`<section class="card">
    <h2>Application credentials</h2>
    <p class="dim">
      A secret for one program, in the place of your password. It acts in ${project.value?.name ?? "your project"} as
      you do, and you can take it back alone.
    </p>
    ${error && html`<${Trouble} error=${error} again=${ask} />`}
    ${
      rows.length > 0 &&
      html`<ul class="members">
        ${rows.map(
          (one) => html`<li key=${one.id}>
            <${Icon} name="key-round" /><b><bdi>${one.name}</bdi></b> <span class="mono dim">${one.id}</span>
            ${one.expires_at && html`<span class="dim">until ${clock(one.expires_at)}</span>`}
            <${Button} kind="quiet small" icon="trash" label=${`Delete ${one.name}`} onClick=${() => remove(one)}
              command=${`openstack application credential delete ${quoted(one.name)}`} />
          </li>`,
        )}
      </ul>`
    }
    ${found && !rows.length && html`<p class="dim">None yet.</p>`}
  </section>`;
}

function CredentialDialog({ authority }) {
  const [name, setName] = useState("");
  const [made, setMade] = useState(null);
  const work = async () => {
    const { json } = await call("identity", "POST", credentials(), { application_credential: { name } });
    tell(`The credential ${name} is there.`);
    setMade(json.application_credential);
    return false;
  };
  if (made) return html`<${Made} made=${made} text=${clouds({ secret: made, authority })} />`;
  return html`<${FormDialog} title="New application credential" action="Create" work=${work} ready=${name}
    command=${`openstack application credential create ${quoted(name || "name")}`}>
    <${Input} id="credential-name" label="What is it for?" placeholder="packer on build-3" value=${name} required
      autofocus onInput=${(event) => setName(event.target.value)} />
  </${FormDialog}>`;
}

const Made = ({ made, text }) =>
  html`<${Dialog} title=${`${made.name} is made`} onClose=${close}>
    <p><b>The secret is shown this once.</b> Nobody can read it again.</p>
    <${Facts} rows=${[["Id", made.id, "mono"], ["Secret", html`<span id="secret">${made.secret}</span>`, "mono"]]} />
    <div class="code"><pre tabindex="0">${text}</pre><${Copy} text=${text} label="Copy clouds.yaml" /></div>
    <footer>
      <${Button} icon="download" onClick=${() => save("clouds.yaml", text)}>Download clouds.yaml</${Button}>
      <${Button} kind="primary" onClick=${close}>Done</${Button}>
    </footer>
  </${Dialog}>`;
