// What one image is made of: in sums, and from its first byte to its last.
import { html } from "./vendor/view.js";
import { size } from "./figures.js";
import { Parts } from "./ui.js";

export function Made({ map }) {
  const { sums } = map;
  const told = "shared" in sums; // to administrators alone
  const part = (name, value, kind) => ({ name, value, kind, text: size(value) });
  const parts = [
    part(told ? "its own" : "stored", sums.own, "own"),
    ...(told ? [part("shared with others", sums.shared, "shared")] : []),
    part("zeros", sums.zero, "zero"),
    ...(sums.damaged ? [part("damaged", sums.damaged, "damaged")] : []),
  ];
  const data = size(sums.own + (sums.shared ?? 0));
  const packed = `${data} of data take ${size(sums.stored)}: ${size(sums.compressed)} are compressed away.`;
  return html`<section class="card" aria-labelledby="made">
    <h2 id="made">On disk</h2>
    <${Parts} parts=${parts} label="What the image is made of" />
    <${Cells} map=${map} />
    ${sums.compressed > 0 && html`<p class="dim">${packed}</p>`}
    ${
      sums.damaged > 0 &&
      html`<p class="trouble">What is damaged can't be read: upload the same image again, and it is healed.</p>`
    }
  </section>`;
}

// In each cell, from the bottom up, how much is of which kind.
function Cells({ map }) {
  const kinds = map.columns.filter((name) => name !== "stored");
  const label = "Block map, from the first byte to the last";
  return html`<svg class="map" shape-rendering="crispEdges" viewBox=${`0 0 ${map.cells.length} 40`}
    preserveAspectRatio="none" role="img" aria-label=${label}>
    ${map.cells.map((cell, x) => {
      const whole = kinds.reduce((sum, _, number) => sum + cell[number], 0) || 1;
      let y = 40;
      return kinds.map((kind, number) => {
        const height = (40 * cell[number]) / whole;
        if (!height) return null;
        y -= height;
        return html`<rect key=${`${x}${kind}`} class=${kind} x=${x} y=${y} width="1.02" height=${height} />`;
      });
    })}
  </svg>`;
}
