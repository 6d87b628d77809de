// Other sites, the feeds that go to them, and how far behind is what comes from them.
import { html, useEffect } from "./vendor/view.js";
import { attempt, call, dialog, get, open } from "./lib.js";
import { ago, clock, plural, quoted, size, span } from "./figures.js";
import { Button, Command, Copy, Empty, Facts, Heading, Loading, Progress, Sheet, Trouble } from "./ui.js";
import { useAsked, useEvery } from "./hooks.js";
import { FLEET, FeedDialog, FollowDialog, ForgetDialog, PairDialog, ReadersDialog } from "./fleet-dialogs.js";

async function all() {
  const [site, peers, feeds, sync] = await Promise.all(
    ["", "/peers", "/feeds", "/sync"].map((path) => get("image", `${FLEET}${path}`)),
  );
  const behind = Object.fromEntries(sync.sync.map((one) => [one.feed, one]));
  const own = feeds.feeds.filter((one) => one.is_own);
  const followed = feeds.feeds.filter((one) => !one.is_own);
  return { site, peers: peers.peers, own, followed, behind };
}

export function Fleet({ changed }) {
  const { found, error, ask } = useAsked(all, [dialog.value]);
  useEvery(3, ask);
  const count = (found?.peers.length ?? 0) + (found?.own.length ?? 0) + (found?.followed.length ?? 0);
  useEffect(() => void (found && changed()), [count]);
  if (error && !found) return html`<${Heading}>Fleet</${Heading}><${Trouble} error=${error} again=${ask} />`;
  if (!found) return html`<${Heading}>Fleet</${Heading}><${Loading} />`;
  const { peers, own, followed, behind } = found;
  const actions = html`<${Button} icon="plus" onClick=${() => open(FeedDialog, { peers })}>Feed</${Button}>
    <${Button} kind="primary" icon="link" onClick=${() => open(PairDialog)}>Pair a site</${Button}>`;
  return html`<${Heading} actions=${actions}>Fleet</${Heading}>
    ${error && html`<${Trouble} error=${error} again=${ask} />`}
    ${followed.length > 0 && html`<${Followed} feeds=${followed} behind=${behind} ask=${ask} />`}
    ${own.length > 0 && html`<${Own} feeds=${own} peers=${peers} />`}
    ${peers.length > 0 && html`<${Peers} peers=${peers} />`}
    ${
      !count &&
      html`<${Empty} icon="network" title="No other sites yet">
        Pair this site with another one, by the fingerprints that both show; then images follow each other, block by
        block. A feed can go to files or on a stick as well.
      </${Empty}>`
    }
    <${ThisSite} site=${found.site} />
    <${Command}>glance-appliance sync status</${Command}>`;
}

const copied = (name, text) =>
  html`<span class="mono">${text}</span> <${Copy} text=${text} label=${`Copy the ${name}`} />`;

const ThisSite = ({ site }) =>
  html`<section class="card">
    <h2>This site</h2>
    <${Facts}
      rows=${[
        ["Fingerprint", copied("fingerprint", site.fingerprint)],
        ["Key", copied("key", site.key)],
      ]} />
    <p class="dim">The other side compares the fingerprint before it pairs with this one.</p>
    <${Command}>glance-appliance peer show</${Command}>
  </section>`;

const forget = (props) => () => open(ForgetDialog, props);

function Followed({ feeds, behind, ask }) {
  const head = ["Feed", "From", "Images", "Behind", "Last taken over"].map((word) => [word]);
  return html`<h2 class="section">From other sites</h2>
    <${Sheet} label="Feeds from other sites" head=${[...head, ["Actions", "end"]]}>
      ${feeds.map((feed) => html`<${Follow} key=${feed.name} feed=${feed} behind=${behind[feed.name]} ask=${ask} />`)}
    </${Sheet}>`;
}

function Follow({ feed, behind, ask }) {
  const path = `${FLEET}/sync/${encodeURIComponent(feed.name)}`;
  const now = () => attempt(() => call("image", "POST", path), `The feed ${feed.name} is asked for now.`).then(ask);
  const name = quoted(feed.name);
  return html`<tr>
    <td><b>${feed.name}</b><small>${feed.policy === "keep" ? "keeps what leaves it" : "mirrors it"}</small></td>
    <td>${feed.peer ?? feed.tree ?? "a bundle"}<small class="mono">${feed.origin}</small></td>
    <td class="nums">${feed.images.toLocaleString("en")}</td>
    <td>
      <${Behind} behind=${behind} feed=${feed} />
      ${feed.trouble && html`<small class="bad">${feed.trouble}</small>`}
    </td>
    <td><time datetime=${feed.applied_at} title=${clock(feed.applied_at)}>${ago(feed.applied_at)}</time></td>
    <td>
      <div class="row end">
        <${Button} kind="small" icon="refresh-cw" label=${`Sync now: ${feed.name}`} onClick=${now}
          command=${`glance-appliance sync now ${name}`}>Sync now</${Button}>
        <${Button} kind="small danger" icon="trash" label=${`Forget the feed ${feed.name}`}
          onClick=${forget({ kind: "feed", name: feed.name })} />
      </div>
    </td>
  </tr>`;
}

function Behind({ behind, feed }) {
  if (!behind) return html`<span class="dim">comes when it is brought</span>`;
  const { images_behind, bytes_behind, seconds_behind, bytes_came, state, asked_at } = behind;
  if (state === "running") {
    const whole = bytes_behind + bytes_came;
    return html`<span class="state busy">${size(bytes_came)} of ${size(whole)} came</span>
      ${whole > 0 && html`<${Progress} value=${(100 * bytes_came) / whole} label=${`What came of ${feed.name}`} />`}`;
  }
  if (!asked_at) return html`<span class="dim">not asked for yet</span>`;
  if (!images_behind) return html`<span class="state good">up to date</span>`;
  const much = [plural(images_behind, "image"), size(bytes_behind), seconds_behind ? span(seconds_behind) : ""];
  return html`<span class="state warn">${much.filter(Boolean).join(", ")}</span>`;
}

const CONDITIONS = { id: "these images", tag: "tag", property: "property", visibility: "visibility", owner: "owner" };

// What a feed has in it, in words.
function conditions(filter) {
  if (filter.all) return "every image";
  const value = (found) => {
    if (Array.isArray(found)) return found.join(", ");
    return typeof found === "object" ? Object.entries(found).map((pair) => pair.join("=")).join(", ") : String(found);
  };
  return Object.entries(filter).map(([kind, found]) => `${CONDITIONS[kind] ?? kind} ${value(found)}`).join("; ");
}

function readers(feed) {
  if (feed.readers.includes("all")) return "every site that is paired";
  return feed.readers.join(", ") || html`<span class="dim">nobody yet</span>`;
}

function Own({ feeds, peers }) {
  const head = ["Feed", "What is in it", "Images", "Entries", "Who may follow"].map((word) => [word]);
  return html`<h2 class="section">Of this site</h2>
    <${Sheet} label="Feeds of this site" head=${[...head, ["Actions", "end"]]}>
      ${feeds.map(
        (feed) => html`<tr key=${feed.name}>
          <td><b>${feed.name}</b></td>
          <td>${conditions(feed.filter)}</td>
          <td class="nums">${feed.images.toLocaleString("en")}</td>
          <td class="nums">${feed.entries.toLocaleString("en")}</td>
          <td>${readers(feed)}</td>
          <td>
            <div class="row end">
              <${Button} kind="small" icon="users" label=${`Readers of ${feed.name}`}
                onClick=${() => open(ReadersDialog, { feed, peers })}>Readers</${Button}>
              <${Button} kind="small danger" icon="trash" label=${`Delete the feed ${feed.name}`}
                onClick=${forget({ kind: "feed", name: feed.name })} />
            </div>
          </td>
        </tr>`,
      )}
    </${Sheet}>`;
}

function Peers({ peers }) {
  const head = ["Site", "Fingerprint", "Address", "Paired"].map((word) => [word]);
  return html`<h2 class="section">Sites</h2>
    <${Sheet} label="Sites" head=${[...head, ["Actions", "end"]]}>
      ${peers.map(
        (peer) => html`<tr key=${peer.name}>
          <td><b>${peer.name}</b></td>
          <td class="mono">${peer.fingerprint}</td>
          <td class="mono">${peer.url ?? html`<span class="dim">calls us, or sends bundles</span>`}</td>
          <td><time datetime=${peer.paired_at} title=${clock(peer.paired_at)}>${ago(peer.paired_at)}</time></td>
          <td>
            <div class="row end">
              <${Button} kind="small" icon="download" label=${`Follow a feed of ${peer.name}`}
                onClick=${() => open(FollowDialog, { peer })}>Follow</${Button}>
              <${Button} kind="small danger" icon="trash" label=${`Part with ${peer.name}`}
                onClick=${forget({ kind: "peer", name: peer.name })} />
            </div>
          </td>
        </tr>`,
      )}
    </${Sheet}>`;
}
