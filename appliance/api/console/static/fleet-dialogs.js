// Dialogs of the fleet: pair with a site, make a feed, follow one, and let go of either.
import { html, useState } from "./vendor/view.js";
import { call, tell } from "./lib.js";
import { quoted } from "./figures.js";
import { FormDialog, Input, Select } from "./ui.js";

export const FLEET = "/appliance/v1/fleet";

// The text of a command with those options that are given.
const options = (given) =>
  Object.entries(given)
    .filter(([, value]) => value)
    .map(([name, value]) => ` --${name} ${quoted(value)}`)
    .join("");

// A form of fields by their names: the values, and what keeps one.
function useForm(begin) {
  const [form, setForm] = useState(begin);
  const set = (key) => (event) => setForm({ ...form, [key]: event.target.value.trim() });
  return { form, set };
}

const given = (form) => Object.fromEntries(Object.entries(form).filter(([, value]) => value));

export function PairDialog() {
  const { form, set } = useForm({ name: "", fingerprint: "", url: "", key: "", pin: "" });
  const { name, ...more } = form;
  const work = async () => {
    await call("image", "POST", `${FLEET}/peers`, given(form));
    tell(`${name} is known here now. It has to know this site, too.`);
  };
  return html`<${FormDialog} title="Pair a site" action="Pair" work=${work} ready=${name && form.fingerprint}
    command=${`glance-appliance peer pair ${quoted(name || "name")}${options(more)}`}>
    <p class="dim">Both sides accept each other's fingerprint once. Only who follows needs the other's address.</p>
    <${Input} id="pair-name" label="Name" hint="What it is to be called here." value=${name} onInput=${set("name")}
      required autofocus />
    <${Input} id="pair-fingerprint" label="Its fingerprint" placeholder="4a05-818e-…" value=${form.fingerprint}
      onInput=${set("fingerprint")} required hint="Compare it with what the other site shows." />
    <${Input} id="pair-url" label="Address of its images" type="url" placeholder="https://images.example.com"
      value=${form.url} onInput=${set("url")} />
    <details>
      <summary>A site that can't be reached, or has its own certificate</summary>
      <${Input} id="pair-key" label="Its key" value=${form.key} onInput=${set("key")}
        hint="As the other site shows it; else it is asked for at the address." />
      <${Input} id="pair-pin" label="SHA-256 of its certificate" value=${form.pin} onInput=${set("pin")} />
    </details>
  </${FormDialog}>`;
}

const KINDS = [
  ["tag", "with the tag"],
  ["visibility", "with the visibility"],
  ["owner", "of the project (id)"],
  ["id", "the image (id)"],
  ["all", "every image of all projects"],
];

export function FeedDialog({ peers }) {
  const { form, set } = useForm({ name: "", kind: "tag", value: "" });
  const { name, kind, value } = form;
  const [readers, setReaders] = useState([]);
  const all = kind === "all";
  const work = async () => {
    const filter = all ? { all: true } : { [kind]: [value] };
    await call("image", "POST", `${FLEET}/feeds`, { name, filter, readers });
    tell(`The feed ${name} is there.`);
  };
  const flag = kind === "id" ? "image" : kind;
  const condition = all ? " --all" : options({ [flag]: value });
  const command = `glance-appliance feed create ${quoted(name || "name")}${condition}${who(readers)}`;
  const ready = name && (all || value);
  return html`<${FormDialog} title="New feed" action="Create" work=${work} ready=${ready} command=${command}>
    <${Input} id="feed-name" label="Name" placeholder="golden" value=${name} onInput=${set("name")} required
      autofocus />
    <div class="pair">
      <${Select} id="feed-kind" label="Images" value=${kind} options=${KINDS} onChange=${set("kind")} />
      ${!all && html`<${Input} id="feed-value" label="Which" value=${value} onInput=${set("value")} required />`}
    </div>
    <${Readers} peers=${peers} readers=${readers} change=${setReaders} />
  </${FormDialog}>`;
}

const who = (readers) => readers.map((one) => ` --reader ${quoted(one)}`).join("");

function Readers({ peers, readers, change }) {
  const tick = (name) => (event) =>
    change(event.target.checked ? [...readers, name] : readers.filter((one) => one !== name));
  const rows = [["all", "every site that is paired, now and later"], ...peers.map((one) => [one.name, one.name])];
  return html`<fieldset>
    <legend>Who may follow it</legend>
    ${rows.map(
      ([name, word]) => html`<label class="check" key=${name}>
        <input type="checkbox" checked=${readers.includes(name)} onChange=${tick(name)} /> ${word}
      </label>`,
    )}
  </fieldset>`;
}

export function ReadersDialog({ feed, peers }) {
  const [readers, setReaders] = useState(feed.readers);
  const work = async () => {
    await call("image", "PATCH", `${FLEET}/feeds/${encodeURIComponent(feed.name)}`, { readers });
    tell(`The readers of ${feed.name} are changed.`);
  };
  const command = `glance-appliance feed set ${quoted(feed.name)}${who(readers) || " --no-readers"}`;
  return html`<${FormDialog} title=${`Who may follow ${feed.name}`} action="Save" work=${work} command=${command}>
    <${Readers} peers=${peers} readers=${readers} change=${setReaders} />
  </${FormDialog}>`;
}

const EVERY = [
  ["900", "every 15 minutes"],
  ["3600", "every hour"],
  ["86400", "every day"],
  ["0", "when told to"],
];
const POLICIES = [
  ["mirror", "removed here, too"],
  ["keep", "kept here"],
];

export function FollowDialog({ peer }) {
  const { form, set } = useForm({ feed: "", every: "900", hours: "", policy: "mirror", tree: "", project: "" });
  const { feed, every, hours, policy, tree, project } = form;
  const path = `${FLEET}/peers/${encodeURIComponent(peer.name)}/feeds`;
  const work = async () => {
    await call("image", "POST", path, { ...given(form), every: Number(every) });
    tell(`${feed} is followed from now on.`);
  };
  const terms = options({ tree, every: `${every}s`, between: hours, policy, project });
  const command = `glance-appliance feed follow ${quoted(peer.name)} ${quoted(feed || "feed")}${terms}`;
  return html`<${FormDialog} title=${`Follow a feed of ${peer.name}`} action="Follow" work=${work} ready=${feed}
    command=${command}>
    <${Input} id="follow-feed" label="Feed" hint="What it is called there." value=${feed} onInput=${set("feed")}
      required autofocus />
    <div class="pair">
      <${Select} id="follow-every" label="Look" value=${every} options=${EVERY} onChange=${set("every")} />
      <${Input} id="follow-hours" label="Only between" placeholder="22:00-06:00" value=${hours}
        onInput=${set("hours")} />
    </div>
    <${Select} id="follow-policy" label="What leaves the feed is" value=${policy} options=${POLICIES}
      onChange=${set("policy")} />
    <details>
      <summary>From files on a web server, or into another project</summary>
      <${Input} id="follow-tree" label="Address of the files" type="url" value=${tree} onInput=${set("tree")} />
      <${Input} id="follow-project" label="Project that is to own the images (id)" value=${project}
        onInput=${set("project")} hint="Else the one of the same id as there." />
    </details>
  </${FormDialog}>`;
}

const FORGET = {
  feed: ["Forget the feed", "feeds", "feed delete", "The images that came with it, or are in it, stay."],
  peer: ["Part with", "peers", "peer remove", "Its feeds and their images stay; nothing more comes from it."],
};

export function ForgetDialog({ kind, name }) {
  const [verb, place, command, stays] = FORGET[kind];
  const work = async () => {
    await call("image", "DELETE", `${FLEET}/${place}/${encodeURIComponent(name)}`);
    tell(`${name} is forgotten.`);
  };
  return html`<${FormDialog} title=${`${verb} ${name}`} action="Forget" danger work=${work}
    command=${`glance-appliance ${command} ${quoted(name)}`}>
    <p>${stays}</p>
  </${FormDialog}>`;
}
