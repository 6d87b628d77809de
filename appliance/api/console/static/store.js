// The stores, for those who look after them: what they hold and save, what would be collected, what is damaged.
import { html } from "./vendor/view.js";
import { attempt, call, get, getOr, status } from "./lib.js";
import { ago, percent, plural, size } from "./figures.js";
import { Button, Command, Heading, Icon, Loading, Progress, Sheet, Trouble } from "./ui.js";
import { useAsked, useEvery } from "./hooks.js";
import { SpaceCard } from "./space-card.js";

const at = (path) => () => get("image", `/appliance/v1/${path}`);
const run = (name, said) => attempt(() => call("image", "POST", `/appliance/v1/jobs/${name}`), said);

export function Store() {
  const { found, error, ask } = useAsked(at("store"));
  const { found: plan, ask: askPlan } = useAsked(() => getOr(null, "image", "/appliance/v1/store/plan"));
  const { found: damaged, ask: askDamaged } = useAsked(() => getOr(null, "image", "/appliance/v1/store/damaged"));
  const { found: history } = useAsked(() => getOr(null, "image", "/appliance/v1/history?days=30"));
  useEvery(4, () => {
    ask();
    askPlan();
    askDamaged();
  });
  if (error) return html`<${Heading}>Store</${Heading}><${Trouble} error=${error} again=${ask} />`;
  const check = () => run("scrub", "Every stored byte is read and checked now.");
  const collect = () => run("collect", "The collection has begun.").then(askPlan);
  const job = "glance-appliance jobs run";
  const actions = html`<${Button} icon="shield-check" onClick=${check} command=${`${job} scrub`}>Check now</${Button}>
    <${Button} icon="refresh-cw" onClick=${collect} command=${`${job} collect`}>Collect now</${Button}>`;
  const stores = status.value?.stores;
  const figures = stores && [
    ["as their owners count", size(stores.logical)],
    ["stored", size(stores.stored)],
    ["in files", size(stores.on_disk)],
  ];
  return html`<${Heading} actions=${actions}>Store</${Heading}>
    ${stores && html`<${SpaceCard} stores=${stores} figures=${figures} history=${history} />`}
    <${Table} stores=${found?.stores} />
    <div class="grid wide">
      <div class="stack"><${Check} /><${Damaged} rows=${damaged?.damaged} /></div>
      <div class="stack"><${Plan} rows=${plan?.plan} /><${Backup} /></div>
    </div>
    <${Command}>glance-appliance store stats</${Command}>`;
}

const COLUMNS = ["Images' data", "Logical", "Saved by sharing", "Saved by packing", "Zeros", "Stored", "In files"];

function Table({ stores }) {
  if (!stores) return html`<${Loading} />`;
  const head = [["Store"], ...COLUMNS.map((word) => [word, "number"])];
  const sizes = ["logical", "saved_by_dedup", "saved_by_lz4", "saved_by_holes", "stored", "file"];
  return html`<${Sheet} label="Stores" head=${head}>
    ${stores.map(
      (one) => html`<tr key=${one.store}>
        <td><b>${one.store}</b></td>
        <td class="number" title=${plural(one.blocks, "block")}>${one.contents.toLocaleString("en")}</td>
        ${sizes.map((name) => html`<td class="number" key=${name}>${size(one[name])}</td>`)}
      </tr>`,
    )}
  </${Sheet}>`;
}

function Check() {
  const scrub = status.value?.scrub;
  const runs = scrub?.state === "running";
  return html`<section class="card">
    <h2>Check</h2>
    ${
      scrub
        ? html`<p>${runs ? "Reading and checking…" : `The last run ended ${ago(scrub.ended_at)}.`}</p>
            <${Progress} value=${scrub.total ? percent(scrub.done, scrub.total) : 100} label="Checked" />
            <p class="dim">${size(scrub.done)} of ${size(scrub.total)} are checked.</p>`
        : html`<p class="dim">The check is switched off.</p>`
    }
  </section>`;
}

function Damaged({ rows }) {
  return html`<section class="card">
    <h2>Damaged</h2>
    ${
      rows?.length
        ? html`<ul class="members">
              ${rows.map(
                (one) => html`<li key=${one.image_id + one.store} class="bad">
                  <${Icon} name="circle-alert" /><a href=${`#/images/${one.image_id}`}>${one.name || one.image_id}</a>
                  <span class="dim">${plural(one.blocks, "block")}</span>
                </li>`,
              )}
            </ul>
            <p class="dim">Upload the same image again: that heals it, and every other that shares the block.</p>`
        : html`<p class="good"><${Icon} name="circle-check" /> Nothing is damaged.</p>`
    }
  </section>`;
}

function Plan({ rows }) {
  const shown = (rows ?? []).filter((one) => one.count);
  return html`<section class="card">
    <h2>What a collection would do</h2>
    ${
      shown.length
        ? html`<ul class="plan">
            ${shown.map(
              (one, number) => html`<li key=${number}>
                <span>${one.count.toLocaleString("en")} ${one.what}<small>${one.why}</small></span>
                <b>${size(one.bytes)}</b>
              </li>`,
            )}
          </ul>`
        : html`<p class="dim">Nothing waits to be collected.</p>`
    }
  </section>`;
}

const Backup = () =>
  html`<section class="card">
    <h2>Backup</h2>
    <p>${status.value?.last_backup ? `The last one was ${ago(status.value.last_backup)}.` : "There is none yet."}</p>
    <${Command}>glance-appliance backup --data-dir DIR TARGET</${Command}>
  </section>`;
