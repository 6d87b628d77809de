// What the keyboard does anywhere on a page, outside of fields and dialogs.
import { html } from "./vendor/view.js";
import { close, dialog, ending, open, session } from "./lib.js";
import { Dialog } from "./ui.js";
import { places } from "./frame.js";

function Keys() {
  const keys = [
    ["/", "filter"],
    ["u", "upload"],
    ...places().map(([, word, , , key]) => [`g ${key}`, word.toLowerCase()]),
    ["?", "these keys"],
  ];
  return html`<${Dialog} title="Keys" onClose=${close}>
    <dl class="list keys">
      ${keys.map(
        ([key, word]) => html`<div key=${key}>
          <dt>${key.split(" ").map((one) => html`<kbd>${one}</kbd> `)}</dt>
          <dd>${word}</dd>
        </div>`,
      )}
    </dl>
  </${Dialog}>`;
}

let before = "";

export function onKey(event) {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!session.value || dialog.value || ending.value) return;
  const place = before === "g" && places().find(([, , , , key]) => key === event.key);
  before = event.key;
  const filter = document.getElementById("filter");
  const files = document.getElementById("files");
  if (place) location.hash = `#/${place[0]}`;
  else if (event.key === "?") open(Keys);
  else if (event.key === "/" && filter) filter.focus();
  else if (event.key === "u" && files) files.click();
  else if (event.key === "u") location.hash = "#/images";
  else return;
  event.preventDefault();
}
