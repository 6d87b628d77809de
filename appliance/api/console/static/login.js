// The way in: the page for whoever is not logged in, and the question for the password before a session ends.
import { html, useEffect, useState } from "./vendor/view.js";
import { logIn, logOut, session } from "./lib.js";
import { Button, Dialog, Icon, Input } from "./ui.js";

export function Mark() {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" />
    <g>
      <rect x="7" y="8" width="18" height="4" rx="1" />
      <rect x="7" y="14" width="11" height="4" rx="1" opacity=".75" />
      <rect x="7" y="20" width="5" height="4" rx="1" opacity=".5" />
    </g>
  </svg>`;
}

function useLogIn(more) {
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    setBusy(true);
    setTrouble("");
    try {
      await logIn({ ...Object.fromEntries(new FormData(form)), ...more });
    } catch (error) {
      const wait = error.retryAfter ? ` Try again in ${error.retryAfter} seconds.` : "";
      setTrouble(
        error.status === 401 && !more.start ? "The user name or the password is wrong." : error.message + wait,
      );
      setBusy(false);
      const password = form.elements.password;
      password.focus();
      password.select();
      return false;
    }
    setBusy(false);
    return true;
  };
  return { trouble, setTrouble, busy, submit };
}

export function LogIn() {
  const { trouble, setTrouble, busy, submit } = useLogIn({});
  const [opening, setOpening] = useState(location.hash.startsWith("#start="));
  useEffect(() => {
    document.title = "Log in · Glance appliance";
    if (!opening) return;
    const start = location.hash.slice("#start=".length);
    history.replaceState(null, "", "#/");
    logIn({ start })
      .catch((error) => setTrouble(error.message))
      .finally(() => setOpening(false));
  }, []);
  return html`<main class="login">
    <form onSubmit=${submit} aria-labelledby="login-title">
      <${Mark} />
      <h1 id="login-title">Glance appliance</h1>
      <${Input} id="user" name="user" label="User" autocomplete="username" required autofocus disabled=${opening} />
      <${Input}
        id="password"
        name="password"
        label="Password"
        type="password"
        autocomplete="current-password"
        required
        disabled=${opening}
      />
      <details>
        <summary>Another domain or project</summary>
        <${Input} id="domain" name="domain" label="Domain" placeholder="Default" autocomplete="organization" />
        <${Input} id="project" name="project" label="Project" placeholder="the first that you have" />
      </details>
      ${trouble && html`<p class="trouble" role="alert"><${Icon} name="circle-alert" />${trouble}</p>`}
      <button type="submit" class="button primary wide" disabled=${busy || opening}>
        ${opening ? "Opening…" : "Log in"}
      </button>
    </form>
  </main>`;
}

// Five minutes before a session ends, and when it has ended: whatever runs and is typed stays as it is.
export function LogInAgain({ later }) {
  const { user, project } = session.value;
  const { trouble, busy, submit } = useLogIn({ user_id: user.id, project_id: project?.id });
  const over = Date.parse(session.value.expires_at) <= Date.now();
  return html`<${Dialog} title="Stay logged in" onClose=${later}>
    <form onSubmit=${submit}>
      <p>
        The session of <b>${user.name}</b> ${over ? "has ended" : "ends soon"}. Uploads that run go on, and nothing on
        the page is lost.
      </p>
      <input type="text" name="user" value=${user.name} autocomplete="username" hidden />
      <${Input} id="again-password" name="password" label="Password" type="password" autocomplete="current-password"
        required autofocus />
      ${trouble && html`<p class="trouble" role="alert"><${Icon} name="circle-alert" />${trouble}</p>`}
      <footer>
        <${Button} onClick=${over ? logOut : later}>${over ? "Log out" : "Later"}</${Button}>
        <button type="submit" class="button primary" disabled=${busy}>Stay logged in</button>
      </footer>
    </form>
  </${Dialog}>`;
}
