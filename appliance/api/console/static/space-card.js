// The number and the bar of all stores together: how much more the images are than what they take.
import { html } from "./vendor/view.js";
import { plural, size } from "./figures.js";
import { Parts } from "./ui.js";

const ratio = (stores) => (stores.stored > 0 ? stores.logical / stores.stored : 1);

// `figures` are what stands beside the number: [what it is, how much].
export function SpaceCard({ stores, figures, history }) {
  const part = (name, value, kind) => ({ name, value, kind, text: size(value) });
  const parts = [
    part("stored", stores.stored, "own"),
    part("shared", stores.shared, "shared"),
    part("compressed away", stores.compressed, "packed"),
    part("zeros", stores.zeros, "zero"),
  ];
  return html`<section class="card hero" aria-label="Space">
    <dl class="figures">
      <div class="lead">
        <dt>in the space of one</dt>
        <dd>${ratio(stores).toFixed(1)} <small>×</small></dd>
      </div>
      ${figures.map(
        ([word, value]) => html`<div key=${word}>
          <dt>${word}</dt>
          <dd>${value}</dd>
        </div>`,
      )}
    </dl>
    <${Parts} label="What the images are made of" parts=${parts} />
    <${Line} hours=${history?.history ?? []} />
  </section>`;
}

function Line({ hours }) {
  if (hours.length < 2) return null;
  const [begin, end] = [hours[0], hours.at(-1)];
  const most = Math.max(1, ...hours.map((hour) => hour.logical));
  const first = Date.parse(begin.at);
  const length = Date.parse(end.at) - first || 1;
  const x = (hour) => ((Date.parse(hour.at) - first) / length) * 600;
  const path = (key) => hours.map((hour) => `${x(hour)},${60 - (hour[key] / most) * 56}`).join(" ");
  const grown = `From ${size(begin.logical)} to ${size(end.logical)} of images`;
  const label = `${grown} in ${plural(hours.length, "hour")}, stored in ${size(end.stored)}`;
  return html`<figure class="line">
    <svg viewBox="0 0 600 62" preserveAspectRatio="none" role="img" aria-label=${label}>
      <polygon points=${`0,62 ${path("logical")} 600,62`} class="area" />
      <polyline points=${path("logical")} class="stroke" />
      <polyline points=${path("stored")} class="stroke stored" />
    </svg>
    <figcaption>
      The last 30 days: <i class="shared"></i>as owners count <i class="own"></i>stored
    </figcaption>
  </figure>`;
}
