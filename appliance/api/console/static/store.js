// The stores, for those who look after them: what they hold and save, what would be collected, what is damaged.
import { html } from "./vendor/view.js";
import { ago, attempt, call, get, percent, plural, size, status } from "./lib.js";
import { Button, Command, Heading, Icon, Parts, Progress, Trouble, useAsked, useEvery } from "./ui.js";
import { Line, ratio, SpaceBar } from "./overview.js";

export function Store() {
  const { found, error, ask } = useAsked(() => get("image", "/appliance/v1/store"));
  const { found: plan, ask: askPlan } = useAsked(() => get("image", "/appliance/v1/store/plan"));
  const { found: damaged, ask: askDamaged } = useAsked(() => get("image", "/appliance/v1/store/damaged"));
  const { found: history } = useAsked(() => get("image", "/appliance/v1/history?days=30"));
  useEvery(4, () => { ask(); askPlan(); askDamaged(); });
  const run = (name, said) => attempt(() => call("image", "POST", `/appliance/v1/jobs/${name}`), said);
  const scrub = status.value?.scrub;
  const stores = status.value?.stores;
  if (error) return html`<${Heading}>Store</${Heading}><${Trouble} error=${error} again=${ask} />`;
  return html`<${Heading} actions=${html`<${Button} icon="shield-check" onClick=${() => run("scrub", "Every stored byte is read and checked now.")}>Check now</${Button}><${Button} icon="refresh-cw" onClick=${() => run("collect", "The collection has begun.")}>Collect now</${Button}>`}>Store</${Heading}>
    ${stores && html`<section class="card hero"><dl class="figures"><div class="lead"><dt>in the space of one</dt><dd>${ratio(stores).toFixed(1)} <small>×</small></dd></div>
      <div><dt>as their owners count</dt><dd>${size(stores.logical)}</dd></div><div><dt>stored</dt><dd>${size(stores.stored)}</dd></div><div><dt>in files</dt><dd>${size(stores.on_disk)}</dd></div></dl><${SpaceBar} stores=${stores} /><${Line} hours=${history?.history ?? []} /></section>`}
    <div class="grid">
      <section class="card"><h2>Check</h2>${scrub ? html`<p>${scrub.state === "running" ? "Reading and checking…" : `Last run ended ${ago(scrub.ended_at)}.`}</p><${Progress} value=${percent(scrub.done, scrub.total)} label="Checked" /><p class="dim">${size(scrub.done)} of ${size(scrub.total)} are checked.</p>` : html`<p class="dim">The check is switched off.</p>`}</section>
      <section class="card"><h2>Damaged</h2>${damaged?.damaged.length ? html`<ul class="members">${damaged.damaged.map((one) => html`<li key=${one.image_id + one.store}><${Icon} name="circle-alert" /><a href=${`#/images/${one.image_id}`}>${one.name || one.image_id}</a> <span class="dim">${plural(one.blocks, "block")}</span></li>`)}</ul><p class="dim">Upload the same image again: that heals it, and every other that shares the block.</p>` : html`<p class="good"><${Icon} name="circle-check" /> Nothing is damaged.</p>`}</section>
      <section class="card"><h2>Backup</h2>${status.value?.last_backup ? html`<p>The last one was ${ago(status.value.last_backup)}.</p>` : html`<p>There is none yet.</p>`}<${Command}>glance-appliance backup --data-dir DIR TARGET</${Command}></section>
      <section class="card"><h2>What a collection would do</h2>${plan?.plan.filter((one) => one.count).length ? html`<dl class="list">${plan.plan.filter((one) => one.count).map((one, number) => html`<div key=${number}><dt>${one.what}<small class="dim"> ${one.why}</small></dt><dd>${size(one.bytes)}</dd></div>`)}</dl>` : html`<p class="dim">Nothing waits to be collected.</p>`}</section>
    </div>
    <div class="scroll card flush" tabindex="0" role="region" aria-label="Stores"><table><thead><tr><th scope="col">Store</th><th scope="col" class="number">Images' data</th><th scope="col" class="number">Logical</th><th scope="col" class="number">Stored</th><th scope="col" class="number">In files</th><th scope="col" class="number">Blocks</th></tr></thead>
      <tbody>${(found?.stores ?? []).map((one) => html`<tr key=${one.store}><td><b>${one.store}</b></td><td class="number">${one.contents}</td><td class="number">${size(one.logical)}</td><td class="number">${size(one.stored)}</td><td class="number">${size(one.file)}</td><td class="number">${one.blocks.toLocaleString("en")}</td></tr>`)}</tbody></table></div>
    <${Command}>glance-appliance store stats</${Command}>`;
}
