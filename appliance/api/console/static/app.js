// The whole: the frame or the log-in, the dialogs above it, files that are dropped, and what is asked again and again.
import { html, render, useEffect, useState } from "./vendor/view.js";
import { call, dialog, ending, session, status, tell, whoAmI } from "./lib.js";
import { Icon, Notices } from "./ui.js";
import { Frame } from "./frame.js";
import { onKey } from "./keys.js";
import { LogIn, LogInAgain } from "./login.js";
import { add } from "./uploads.js";

// Files may be dropped anywhere.
function useDrop() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const carries = (event) => event.dataTransfer?.types.includes("Files") && session.value;
    const on = {
      dragover: (event) => {
        if (!carries(event)) return;
        event.preventDefault();
        setOver(true);
      },
      dragleave: (event) => event.relatedTarget === null && setOver(false),
      drop: (event) => {
        if (!carries(event)) return;
        event.preventDefault();
        setOver(false);
        add(event.dataTransfer.files);
        location.hash = "#/images";
      },
    };
    for (const [name, listener] of Object.entries(on)) window.addEventListener(name, listener);
    return () => {
      for (const [name, listener] of Object.entries(on)) window.removeEventListener(name, listener);
    };
  }, []);
  return over;
}

// Figures that everybody looks at: asked again while the page is visible, and answered with 304 if nothing has changed.
let tag = null;

async function askStatus() {
  if (!session.value || document.hidden) return;
  const known = tag && status.value ? { "If-None-Match": tag } : {};
  const found = await call("image", "GET", "/appliance/v1/status", undefined, undefined, known).catch(() => null);
  if (found?.status === 200) [status.value, tag] = [found.json, found.etag];
}

// Who has said "later" is asked again when half of what is left has gone.
let quietUntil = 0;

function watchSession() {
  if (!session.value || ending.value) return;
  const ends = Date.parse(session.value.expires_at);
  const left = ends - Date.now();
  const life = ends - Date.parse(session.value.issued_at);
  // Five minutes before the end; of a short session, the last half.
  if (left < Math.min(300e3, life / 2) && Date.now() > quietUntil) ending.value = true;
}

function later() {
  quietUntil = Date.now() + Math.max(10e3, (Date.parse(session.value.expires_at) - Date.now()) / 2);
  ending.value = false;
}

function App() {
  const over = useDrop();
  useEffect(() => {
    whoAmI().catch((error) => {
      session.value = null;
      tell(error.message, "bad");
    });
    window.addEventListener("keydown", onKey);
    setInterval(askStatus, 3000);
    setInterval(watchSession, 1000);
    document.addEventListener("visibilitychange", askStatus);
  }, []);
  const who = session.value;
  useEffect(() => void (who && askStatus()), [who?.user.id, who?.project?.id]);
  const { show: Open, props } = dialog.value ?? {};
  return html`${
      who === undefined
        ? html`<p class="loading">…</p>`
        : who
          ? html`<${Frame} key=${who.project?.id} />`
          : html`<${LogIn} />`
    }
    ${Open && who && html`<${Open} key=${Open.name} ...${props} />`}
    ${ending.value && who && html`<${LogInAgain} later=${later} />`}
    ${over && html`<div class="drop" aria-hidden="true"><div><${Icon} name="upload" />Drop to upload</div></div>`}
    <${Notices} />`;
}

render(html`<${App} />`, document.getElementById("app"));
