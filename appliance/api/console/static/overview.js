// The overview: what there is, in how much room, what happens now, and whether all is well.
import { html } from "./vendor/view.js";
import { get, getOr, isAdmin, project, session, status } from "./lib.js";
import { ago, agoShort, clock, left, percent, plural, short8, size } from "./figures.js";
import { Heading, Icon, Loading, Progress } from "./ui.js";
import { useAsked, useEvery } from "./hooks.js";
import { eventText } from "./events.js";
import { SpaceCard } from "./space-card.js";

export function Overview() {
  const now = status.value;
  return html`<${Heading}>Overview</${Heading}>
    ${now?.stores ? html`<${Space} stores=${now.stores} />` : html`<${Mine} now=${now} />`}
    <div class="grid">
      <div class="stack"><${Now} /><${Health} now=${now} /></div>
      <${Latest} />
    </div>`;
}

function Space({ stores }) {
  const { found } = useAsked(() => getOr(null, "image", "/appliance/v1/history?days=30"));
  const figures = [
    [stores.images === 1 ? "image" : "images", stores.images.toLocaleString("en")],
    ["as their owners count", size(stores.logical)],
    ["on this disk", size(stores.on_disk)],
  ];
  return html`<${SpaceCard} stores=${stores} figures=${figures} history=${found} />`;
}

function Mine({ now }) {
  if (!now) return html`<section class="card hero"><${Loading} /></section>`;
  const mine = now.project ?? { images: 0, logical: 0 };
  const whose = project.value?.name ?? session.value.user.name;
  return html`<section class="card hero">
    <dl class="figures">
      <div class="lead">
        <dt>${mine.images === 1 ? "image" : "images"} of ${whose}</dt>
        <dd>${mine.images.toLocaleString("en")}</dd>
      </div>
      <div>
        <dt>in all</dt>
        <dd>${size(mine.logical)}</dd>
      </div>
    </dl>
  </section>`;
}

function Now() {
  const { found, ask } = useAsked(() => getOr({ uploads: [] }, "image", "/appliance/v1/uploads"));
  useEvery(2, ask);
  const running = found?.uploads ?? [];
  const downloads = status.value?.transfers.download ?? 0;
  return html`<section class="card">
    <h2>Now</h2>
    ${running.map((one) => html`<${Moving} key=${one.image_id + one.since} upload=${one} />`)}
    ${downloads > 0 && html`<p><${Icon} name="download" /> ${plural(downloads, "download")}</p>`}
    ${!running.length && !downloads && html`<p class="dim">Nothing moves.</p>`}
  </section>`;
}

function Moving({ upload }) {
  const { image_id, image_name, user_name, bytes, size: whole, rate, same_as } = upload;
  const name = image_name || short8(image_id);
  const much = whole ? `${percent(bytes, whole).toFixed(0)} % of ${size(whole)}` : size(bytes);
  const rest = whole && rate ? left((whole - bytes) / rate) : "";
  return html`<div class="now">
    <div class="row">
      <${Icon} name="upload" /><a href=${`#/images/${image_id}`}><bdi>${name}</bdi></a><span>${user_name}</span>
      <span class="dim">${[much, rate && `${size(rate)}/s`, rest].filter(Boolean).join(" · ")}</span>
    </div>
    ${whole > 0 && html`<${Progress} value=${percent(bytes, whole)} label=${`Upload of ${name}`} />`}
    ${
      same_as &&
      html`<small>
        so far the same as <a href=${`#/images/${same_as.id}`}>${same_as.name || short8(same_as.id)}</a>
      </small>`
    }
  </div>`;
}

function Line({ good, children }) {
  return html`<li class=${good ? "good" : "warn"}>
    <${Icon} name=${good ? "circle-check" : "circle-alert"} /><span>${children}</span>
  </li>`;
}

function Health({ now }) {
  if (!now) return html`<section class="card"><h2>Health</h2><${Loading} /></section>`;
  const troubles = Object.entries(now.health).filter(([, said]) => said !== "OK");
  return html`<section class="card">
    <h2>Health</h2>
    <ul class="health">
      <${Line} good>The services answer, since ${ago(now.started_at)}</${Line}>
      ${troubles.map(([name, said]) => html`<${Line} key=${name}>${name}: ${said}</${Line}>`)}
      ${!troubles.length && html`<${Line} good>Everything can be written</${Line}>`}
      ${isAdmin.value && html`<${ForAdmins} now=${now} />`}
    </ul>
  </section>`;
}

function ForAdmins({ now }) {
  const { disk, last_backup, stores, scrub, nodes } = now;
  const checked = scrub?.total ? Math.floor(percent(scrub.done, scrub.total)) : 100;
  const damaged = stores?.damaged_blocks ?? 0;
  const away = Object.entries(nodes ?? {}).filter(([state]) => state !== "serving");
  return html`
    ${
      disk &&
      html`<${Line} good=${disk.free / disk.size > 0.1}>
        The disk is ${Math.round(percent(disk.size - disk.free, disk.size))} % full, ${size(disk.free)} are free
      </${Line}>`
    }
    <${Line} good=${Boolean(last_backup)}>
      ${last_backup ? `The last backup was ${ago(last_backup)}` : "There is no backup yet"}
    </${Line}>
    <${Line} good=${!damaged}>
      ${
        damaged
          ? html`${plural(damaged, "block")} damaged: see <a href="#/store">the store</a>`
          : `Read and whole: ${checked} % of what is stored`
      }
    </${Line}>
    ${
      nodes &&
      html`<${Line} good=${!away.length}>
        ${plural(nodes.serving ?? 0, "node")} serving${away.map(([state, count]) => `, ${count} ${state}`)}
      </${Line}>`
    }`;
}

// That somebody looks at another project is no news, nor is that an image was registered which then was uploaded.
function news(events) {
  const uploaded = new Set(events.filter((event) => event.action === "upload_image").map((event) => event.subject));
  return events.filter(
    ({ action, subject }) => action !== "change_scope" && !(action === "add_image" && uploaded.has(subject)),
  );
}

function Latest() {
  const { found, error, ask } = useAsked(() => get("image", "/appliance/v1/events?limit=40&result=success"));
  useEvery(5, ask);
  const shown = news(found?.events ?? []).slice(0, 10);
  return html`<section class="card">
    <h2>Latest</h2>
    <ul class="latest">
      ${shown.map(
        (event) => html`<li key=${event.id}>
          <time datetime=${event.at} title=${clock(event.at)}>${agoShort(event.at)}</time>
          <span>${eventText(event)}</span>
        </li>`,
      )}
    </ul>
    ${!found && !error && html`<${Loading} />`}
    ${error && html`<p class="dim">${error.message}</p>`}
    ${found && !shown.length && html`<p class="dim">Nothing has happened yet.</p>`}
    ${shown.length > 0 && html`<p><a href="#/activity">All activity</a></p>`}
  </section>`;
}
