// The overview: what there is, in how much room, what happens now, and whether all is well.
import { html } from "./vendor/view.js";
import { ago, get, isAdmin, left, percent, plural, project, session, size, status } from "./lib.js";
import { Heading, Icon, Parts, Progress, useAsked, useEvery } from "./ui.js";
import { eventText } from "./activity.js";

export function Overview() {
  const now = status.value;
  return html`<${Heading}>Overview</${Heading}>
    ${now?.stores ? html`<${Space} stores=${now.stores} />` : html`<${Mine} now=${now} />`}
    <div class="grid">
      <div class="stack"><${Now} /><${Health} now=${now} /></div><${Latest} />
    </div>`;
}

// How much more the images are than what they take.
export const ratio = (stores) => (stores.stored > 0 ? stores.logical / stores.stored : 1);

function Space({ stores }) {
  const { found } = useAsked(() => get("image", "/appliance/v1/history?days=30"));
  return html`<section class="card hero" aria-labelledby="space-title">
    <h2 id="space-title" class="hidden">Space</h2>
    <dl class="figures">
      <div class="lead"><dt>in the space of one</dt><dd>${ratio(stores).toFixed(1)} <small>×</small></dd></div>
      <div><dt>${stores.images === 1 ? "image" : "images"}</dt><dd>${stores.images.toLocaleString("en")}</dd></div>
      <div><dt>as their owners count</dt><dd>${size(stores.logical)}</dd></div>
      <div><dt>on this disk</dt><dd>${size(stores.on_disk)}</dd></div>
    </dl>
    <${SpaceBar} stores=${stores} />
    <${Line} hours=${found?.history ?? []} />
  </section>`;
}

export const SpaceBar = ({ stores }) =>
  html`<${Parts} label="What the images are made of" parts=${[
    { name: "stored", value: stores.stored, kind: "own", text: size(stores.stored) },
    { name: "shared", value: stores.shared, kind: "shared", text: size(stores.shared) },
    { name: "compressed away", value: stores.compressed, kind: "packed", text: size(stores.compressed) },
    { name: "zeros", value: stores.zeros, kind: "zero", text: size(stores.zeros) },
  ]} />`;

export function Line({ hours }) {
  if (hours.length < 2) return null;
  const most = Math.max(1, ...hours.map((hour) => hour.logical));
  const first = Date.parse(hours[0].at);
  const length = Date.parse(hours.at(-1).at) - first || 1;
  const path = (key) =>
    hours.map((hour) => `${((Date.parse(hour.at) - first) / length) * 600},${60 - (hour[key] / most) * 56}`).join(" ");
  return html`<figure class="line">
    <svg viewBox="0 0 600 62" preserveAspectRatio="none" role="img" aria-label=${`From ${size(hours[0].logical)} to ${size(hours.at(-1).logical)} of images in ${plural(hours.length, "hour")}, stored in ${size(hours.at(-1).stored)}`}>
      <polygon points=${`0,62 ${path("logical")} 600,62`} class="area" /><polyline points=${path("logical")} class="stroke" />
      <polyline points=${path("stored")} class="stroke stored" />
    </svg>
    <figcaption>The last 30 days: <i class="shared"></i>as owners count <i class="own"></i>stored</figcaption>
  </figure>`;
}

function Mine({ now }) {
  const mine = now?.project ?? { images: 0, logical: 0 };
  return html`<section class="card hero"><dl class="figures">
    <div class="lead"><dt>${mine.images === 1 ? "image" : "images"} of ${project.value?.name ?? session.value.user.name}</dt><dd>${mine.images}</dd></div>
    <div><dt>in all</dt><dd>${size(mine.logical)}</dd></div>
  </dl></section>`;
}

function Now() {
  const { found, ask } = useAsked(() => get("image", "/appliance/v1/uploads").catch(() => ({ uploads: [] })));
  useEvery(2, ask);
  const running = found?.uploads ?? [];
  const downloads = status.value?.transfers.download ?? 0;
  return html`<section class="card"><h2>Now</h2>
    ${running.map(
      (one) => html`<div class="now" key=${one.image_id + one.since}>
        <div><${Icon} name="upload" /><a href=${`#/images/${one.image_id}`}>${one.user_name}</a>
          <span class="dim">${size(one.bytes)}${one.size ? ` of ${size(one.size)}` : ""} · ${size(one.rate)}/s ${one.size ? left((one.size - one.bytes) / one.rate) : ""}</span></div>
        ${one.size && html`<${Progress} value=${percent(one.bytes, one.size)} label=${`Upload of ${one.user_name}`} />`}
      </div>`,
    )}
    ${downloads > 0 && html`<p><${Icon} name="download" /> ${plural(downloads, "download")}</p>`}
    ${!running.length && !downloads && html`<p class="dim">Nothing moves.</p>`}
  </section>`;
}

function Health({ now }) {
  if (!now) return html`<section class="card"><h2>Health</h2><p class="dim">…</p></section>`;
  const troubles = Object.entries(now.health).filter(([, said]) => said !== "OK");
  const line = (good, text) => html`<li class=${good ? "good" : "warn"}><${Icon} name=${good ? "circle-check" : "circle-alert"} />${text}</li>`;
  const scrub = now.scrub;
  const checked = scrub?.total ? Math.floor(percent(scrub.done, scrub.total)) : 100;
  return html`<section class="card"><h2>Health</h2><ul class="health">
    ${line(true, `The services answer, since ${ago(now.started_at)}`)}
    ${troubles.length ? troubles.map(([name, said]) => line(false, `${name}: ${said}`)) : line(true, "Everything can be written")}
    ${now.disk && line(now.disk.free / now.disk.size > 0.1, `The disk is ${Math.round(percent(now.disk.size - now.disk.free, now.disk.size))} % full, ${size(now.disk.free)} are free`)}
    ${isAdmin.value && line(Boolean(now.last_backup), now.last_backup ? `The last backup was ${ago(now.last_backup)}` : "There is no backup yet")}
    ${now.stores && line(!now.stores.damaged_blocks, now.stores.damaged_blocks ? `${plural(now.stores.damaged_blocks, "block")} damaged: see the store` : `Read and whole: ${checked} % of what is stored`)}
  </ul></section>`;
}

function Latest() {
  const { found, ask } = useAsked(() => get("image", "/appliance/v1/events?limit=8&result=success").catch(() => ({ events: [] })));
  useEvery(5, ask);
  return html`<section class="card"><h2>Latest</h2>
    <ul class="latest">${(found?.events ?? []).map((event) => html`<li key=${event.id}><time datetime=${event.at}>${ago(event.at)}</time> ${eventText(event)}</li>`)}</ul>
    ${found && !found.events.length && html`<p class="dim">Nothing has happened yet.</p>`}
  </section>`;
}
