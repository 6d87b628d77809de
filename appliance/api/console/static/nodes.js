// The nodes of an appliance that is several: which serve, what each runs, and how to take one out.
import { html } from "./vendor/view.js";
import { attempt, call, get } from "./lib.js";
import { ago, clock, quoted } from "./figures.js";
import { Button, Command, Empty, Heading, Loading, Sheet, State, Trouble } from "./ui.js";
import { useAsked, useEvery } from "./hooks.js";

const HEAD = ["Node", "State", "Version", "Lease", "Jobs", "Address", "Started"].map((word) => [word]);
const there = (node) => ["serving", "draining"].includes(node.state);

export function Nodes() {
  const { found, error, ask } = useAsked(() => get("image", "/appliance/v1/nodes"));
  useEvery(2, ask);
  if (error && !found) return html`<${Heading}>Nodes</${Heading}><${Trouble} error=${error} again=${ask} />`;
  if (!found) return html`<${Heading}>Nodes</${Heading}><${Loading} />`;
  const nodes = [...found.nodes].sort((a, b) => a.name.localeCompare(b.name));
  return html`<${Heading}>Nodes</${Heading}>
    ${
      nodes.length
        ? html`<${Sheet} label="Nodes" head=${[...HEAD, ["Actions", "end"]]}>
            ${nodes.map((node) => html`<${Node} key=${node.id} node=${node} ask=${ask} />`)}
          </${Sheet}>`
        : html`<${Empty} icon="server" title="One appliance alone">
            With its rows on PostgreSQL and its blobs in a bucket, an appliance can be several nodes.
          </${Empty}>`
    }
    <p class="dim">
      A lease that ends makes a node lost, and the others take its jobs over. One that drains gets no new clients, and
      what runs there ends.
    </p>
    <${Command}>glance-appliance node list</${Command}>`;
}

function Node({ node, ask }) {
  const path = `/appliance/v1/nodes/${encodeURIComponent(node.id)}`;
  const send = (method, more, said) => attempt(() => call("image", method, path + more), said).then(ask);
  const drain = () => send("PUT", "/drain", `${node.name} gets no new clients any more.`);
  const undrain = () => send("DELETE", "/drain", `${node.name} serves again.`);
  const remove = () => send("DELETE", "", `${node.name} is forgotten.`);
  const button = (word, label, work, verb, kind = "") =>
    html`<${Button} kind=${`small ${kind}`} label=${`${label} ${node.name}`} onClick=${work}
      command=${`glance-appliance node ${verb} ${quoted(node.name)}`}>${word}</${Button}>`;
  const ended = html`<span class="dim" title=${clock(node.renewed_at)}>ended ${ago(node.renewed_at)}</span>`;
  return html`<tr>
    <td><b>${node.name}</b>${node.here && html`<small>answers this page</small>`}</td>
    <td><${State} of=${node.state} /></td>
    <td>${node.version}</td>
    <td class="nums">${there(node) ? `${node.lease} s` : ended}</td>
    <td>${node.jobs.join(", ") || "–"}</td>
    <td class="mono" title=${node.place}>${node.addresses.image ?? node.place}</td>
    <td><time datetime=${node.started_at} title=${clock(node.started_at)}>${ago(node.started_at)}</time></td>
    <td>
      <div class="row end">
        ${node.state === "serving" && button("Drain", "Drain", drain, "drain")}
        ${node.state === "draining" && button("Serve again", "Serve again:", undrain, "drain --undo")}
        ${!there(node) && button("Remove", "Remove", remove, "remove", "danger")}
      </div>
    </td>
  </tr>`;
}
