// What moves into the list of images: uploads from this page, and images that other projects offer.
import { html } from "./vendor/view.js";
import { attempt, call, getOr, isAdmin, project, projectName } from "./lib.js";
import { left, percent, short8, size } from "./figures.js";
import { Button, Icon, Progress } from "./ui.js";
import { useAsked, useEvery } from "./hooks.js";
import { again, cancel, remove, uploads } from "./uploads.js";
import { load } from "./images.js";

const MOVING = ["sending", "waiting"];
const ICONS = { stored: "circle-check", failed: "circle-alert", cancelled: "x" };

export function Uploads() {
  const shown = uploads.value;
  if (!shown.length) return null;
  const over = shown.filter((one) => !MOVING.includes(one.state));
  const clear = () => over.forEach((one) => remove(one.id));
  return html`<section class="card uploads" aria-label="Uploads">
    ${shown.some((one) => one.state === "sending") && html`<${Recognize} />`}
    ${shown.map((one) => html`<${Upload} key=${one.id} upload=${one} />`)}
    ${over.length > 1 && html`<${Button} kind="small" onClick=${clear}>Dismiss all that is over</${Button}>`}
  </section>`;
}

// While files are sent, the appliance is asked whether it has met their bytes before.
function Recognize() {
  const ask = async () => {
    const found = await getOr({ uploads: [] }, "image", "/appliance/v1/uploads");
    const same = Object.fromEntries(found.uploads.map((one) => [one.image_id, one.same_as]));
    const changed = uploads.value.map((one) => (one.image in same ? { ...one, same: same[one.image] } : one));
    if (changed.some((one, number) => one.same?.id !== uploads.value[number].same?.id)) uploads.value = changed;
  };
  useEvery(1, ask);
  return null;
}

function words({ state, sent, rate, file }) {
  const value = percent(sent, file.size).toFixed(0);
  if (state === "waiting") return "waits for its turn";
  if (state === "cancelled") return "cancelled";
  if (state === "stored") return `stored, ${size(file.size)}`;
  if (state !== "sending") return "";
  if (sent >= file.size && file.size > 0) return `${size(file.size)} sent; the last of it is checked and stored`;
  const pace = rate ? ` · ${size(rate)}/s · ${left((file.size - sent) / rate)}` : "";
  return `${value} % · ${size(sent)} of ${size(file.size)}${pace}`;
}

function Upload({ upload }) {
  const { id, state, name, file, sent, error, same, image } = upload;
  const moving = MOVING.includes(state);
  const failed = state === "failed";
  const value = state === "stored" ? 100 : percent(sent, file.size);
  const label = moving ? `Cancel the upload of ${name}` : `Dismiss ${name}`;
  return html`<div class=${`upload ${state}`} data-state=${state}>
    <div class="upload-line">
      <${Icon} name=${ICONS[state] ?? "upload"} />
      ${image ? html`<a class="name" href=${`#/images/${image}`}>${name}</a>` : html`<b class="name">${name}</b>`}
      <span class="dim">${words(upload)}</span>
      ${same && html`<${Same} same=${same} stored=${state === "stored"} />`}
      <span class="push"></span>
      ${failed && html`<${Button} kind="small" icon="refresh-cw" onClick=${() => again(id)}>Try again</${Button}>`}
      <${Button} kind="quiet small" icon="x" label=${label} onClick=${() => (moving ? cancel(id) : remove(id))} />
    </div>
    ${moving && html`<${Progress} value=${value} label=${`Upload of ${name}`} />`}
    ${failed && html`<p class="trouble" role="alert">${error}</p>`}
  </div>`;
}

const Same = ({ same, stored }) =>
  html`<span class="state good same">
    ${stored ? "already here as " : "so far the same as "}
    <a href=${`#/images/${same.id}`}>${same.name || short8(same.id)}</a>
  </span>`;

// The images that wait for this project's answer. Administrators are shown those of all projects: they are asked one by
// one whether they are for this one.
async function offered(mine) {
  const path = "/v2/images?visibility=shared&member_status=pending&limit=20";
  const { images } = await getOr({ images: [] }, "image", path);
  const others = images.filter((one) => one.owner !== mine);
  if (!isAdmin.value) return others;
  const asked = others.map((one) => getOr(null, "image", `/v2/images/${one.id}/members/${mine}`));
  const members = await Promise.all(asked);
  return others.filter((_, number) => members[number]?.status === "pending");
}

// Images that other projects offer to this one.
export function Offers() {
  const mine = project.value?.id;
  const { found: offers, ask } = useAsked(() => (mine ? offered(mine) : []), [mine]);
  if (!offers?.length) return null;
  const answer = async (image, status) => {
    const said = status === "accepted" ? `${image.name} is in your list now.` : `${image.name} stays out of your list.`;
    await attempt(() => call("image", "PUT", `/v2/images/${image.id}/members/${mine}`, { status }), said);
    ask();
    load();
  };
  return html`<section class="card offers" aria-label="Offered images">
    ${offers.map(
      (one) => html`<p key=${one.id}>
        <${Icon} name="share-2" />
        <span>${projectName(one.owner) ?? "Another project"} offers you <b>${one.name}</b> (${size(one.size)}).</span>
        <span class="push"></span>
        <${Button} kind="small primary" onClick=${() => answer(one, "accepted")}>Accept</${Button}>
        <${Button} kind="small" onClick=${() => answer(one, "rejected")}>Reject</${Button}>
      </p>`,
    )}
  </section>`;
}
