// The parts that pages are made of.
import { html, useEffect, useRef, useState } from "./vendor/view.js";
import { icons } from "./vendor/icons.js";
import { close, dismiss, notices, tell } from "./lib.js";
import { percent } from "./figures.js";

export function Icon({ name }) {
  const shapes = icons[name] ?? [];
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    ${shapes.map(([tag, attributes]) => html`<${tag} ...${attributes} />`)}
  </svg>`;
}

// `command` is the one that does the same: shown to who points at the button.
export function Button({ icon, children, kind = "", label, command, ...rest }) {
  return html`<button type="button" class=${`button ${kind}`} aria-label=${label} title=${command ?? label} ...${rest}>
    ${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}
  </button>`;
}

const WORDS = {
  serving: ["good", "serving"],
  draining: ["warn", "draining"],
  lost: ["bad", "lost"],
  stopped: ["dim", "stopped"],
  active: ["good", "active"],
  queued: ["dim", "queued"],
  saving: ["busy", "saving"],
  uploading: ["busy", "uploading"],
  importing: ["busy", "importing"],
  deactivated: ["warn", "deactivated"],
  killed: ["bad", "killed"],
  pending_delete: ["dim", "to be deleted"],
  success: ["good", "ok"],
  denied: ["warn", "denied"],
  failure: ["bad", "failed"],
  running: ["busy", "running"],
  waiting: ["dim", "waiting"],
};

export function State({ of: state }) {
  const [kind, word] = WORDS[state] ?? ["dim", state];
  return html`<span class=${`state ${kind}`}>${word}</span>`;
}

export function Progress({ value, label }) {
  return html`<div
    class="progress"
    role="progressbar"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${Math.round(value)}
  >
    <div style=${{ width: `${value}%` }}></div>
  </div>`;
}

// A bar of parts that add up to a whole: [{name, value, kind, text}]
export function Parts({ parts, label }) {
  const whole = parts.reduce((sum, part) => sum + part.value, 0);
  const shown = parts.filter((part) => part.value > 0);
  const told = shown.map((part) => `${part.name} ${part.text}`).join(", ");
  return html`<div class="parts">
    <div class="parts-bar" role="img" aria-label=${`${label}: ${told || "nothing"}`}>
      ${shown.map(({ name, kind, value }) => {
        const width = `${percent(value, whole)}%`;
        return html`<div key=${name} class=${kind} style=${{ width }}></div>`;
      })}
    </div>
    <ul class="legend" aria-hidden="true">
      ${parts.map((part) => html`<li><i class=${part.kind}></i>${part.name} <b>${part.text}</b></li>`)}
    </ul>
  </div>`;
}

export function Copy({ text, label = "Copy" }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      tell("Copied.");
    } catch {
      tell("The browser did not let the page copy: select the text instead.", "bad");
    }
  };
  return html`<${Button} kind="quiet small" icon="copy" label=${label} onClick=${copy} />`;
}

// The command that does the same, for learning.
export function Command({ children }) {
  const text = [children].flat().join("");
  return html`<div class="command">
    <${Icon} name="terminal" /><code tabindex="0">${text}</code><${Copy} text=${text} label="Copy the command" />
  </div>`;
}

function Field({ label, hint, id, children }) {
  return html`<div class="field">
    <label for=${id}>${label}</label>${children}${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

export const Input = ({ id, label, hint, ...rest }) =>
  html`<${Field} id=${id} label=${label} hint=${hint}>
    <input id=${id} aria-describedby=${hint ? `${id}-hint` : undefined} ...${rest} />
  </${Field}>`;

export const Select = ({ id, label, options, value, ...rest }) =>
  html`<${Field} id=${id} label=${label}><select id=${id} ...${rest}>
    ${options.map(([key, word]) => html`<option key=${key} value=${key} selected=${key === value}>${word}</option>`)}
  </select></${Field}>`;

let dialogs = 0;

// A native dialog: the browser keeps the focus inside, and Escape closes it.
export function Dialog({ title, children, onClose, kind = "" }) {
  const element = useRef(null);
  const id = useRef(`dialog-${++dialogs}`).current;
  useEffect(() => {
    const opener = document.activeElement;
    element.current.showModal();
    (element.current.querySelector("[autofocus]") ?? element.current.querySelector("input,select,button"))?.focus();
    return () => opener?.focus?.();
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${element} class=${kind} aria-labelledby=${id} onCancel=${cancel}>
    <header>
      <h2 id=${id}>${title}</h2>
      <${Button} kind="quiet small" icon="x" label="Close" onClick=${onClose} />
    </header>
    ${children}
  </dialog>`;
}

// A dialog with a form: `work` does it, a refusal stays in the dialog in the API's words.
export function FormDialog({ title, action, work, children, command, danger = false, ready = true, done = close }) {
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setTrouble("");
    try {
      if ((await work()) !== false) done();
    } catch (error) {
      setTrouble(error.message);
    }
    setBusy(false);
  };
  return html`<${Dialog} title=${title} onClose=${close}>
    <form onSubmit=${submit}>
      ${children}
      ${trouble && html`<p class="trouble" role="alert"><${Icon} name="circle-alert" />${trouble}</p>`}
      ${command && html`<${Command}>${command}</${Command}>`}
      <footer>
        <${Button} onClick=${close}>Cancel</${Button}>
        <button type="submit" class=${`button ${danger ? "danger" : "primary"}`} disabled=${busy || !ready}>
          ${action}
        </button>
      </footer>
    </form>
  </${Dialog}>`;
}

export function Notices() {
  return html`<div class="notices" role="status" aria-live="polite">
    ${notices.value.map(
      (one) =>
        html`<div key=${one.id} class=${`notice ${one.kind}`}>
          <${Icon} name=${one.kind === "good" ? "circle-check" : "circle-alert"} /><span>${one.text}</span>
          <${Button} kind="quiet small" icon="x" label="Dismiss" onClick=${() => dismiss(one.id)} />
        </div>`,
    )}
  </div>`;
}

// A table that scrolls by itself where the page is too narrow for it.
export const Sheet = ({ label, head, kind = "", children }) =>
  html`<div class="scroll card flush" tabindex="0" role="region" aria-label=${label}>
    <table class=${kind}>
      <thead>
        <tr>${head.map(([word, align = ""]) => html`<th scope="col" class=${align} key=${word}>${word}</th>`)}</tr>
      </thead>
      <tbody>${children}</tbody>
    </table>
  </div>`;

// Names and what they stand for; those without a value are left out.
export const Facts = ({ rows }) =>
  html`<dl class="list">
    ${rows
      .filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
      .map(
        ([name, value, kind = ""]) => html`<div key=${name}>
          <dt>${name}</dt>
          <dd class=${kind}>${value}</dd>
        </div>`,
      )}
  </dl>`;

export const Loading = () => html`<p class="waiting" role="status">Asking…</p>`;

export const Empty = ({ icon, title, children }) =>
  html`<div class="empty">
    <${Icon} name=${icon} />
    <h2>${title}</h2>
    <p>${children}</p>
  </div>`;

export const Trouble = ({ error, again }) =>
  html`<div class="trouble" role="alert">
    <${Icon} name="circle-alert" /><span>${error.message}</span>
    ${again && html`<${Button} kind="small" icon="refresh-cw" onClick=${again}>Try again</${Button}>`}
  </div>`;

// The heading of a page: it gets the focus, so that a screen reader says where one is.
export function Heading({ children, actions, title }) {
  const element = useRef(null);
  const name = title ?? children;
  useEffect(() => {
    document.title = `${name} · Glance appliance`;
    element.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [name]);
  return html`<header class="heading">
    <h1 ref=${element} tabindex="-1">${children}</h1>
    <div class="actions">${actions}</div>
  </header>`;
}
