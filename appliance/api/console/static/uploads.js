// The queue of uploads. It outlives the page that began them: XMLHttpRequest alone tells how much of a file has gone.
import { signal } from "./vendor/view.js";
import { call, get, Refusal, sentence } from "./lib.js";

export const uploads = signal([]);
const AT_ONCE = 2;
let number = 0;

const MAGIC = [
  ["qcow2", 0, "QFI\xfb"],
  ["vmdk", 0, "KDMV"],
  ["vhdx", 0, "vhdxfile"],
  ["vhd", 0, "conectix"],
  ["vdi", 64, "\x7f\x10\xda\xbe"],
  ["iso", 0x8001, "CD001"],
];

// What a file is: by its first bytes, and by its name where they say nothing.
async function formatOf(file) {
  for (const [format, offset, magic] of MAGIC) {
    const bytes = new Uint8Array(await file.slice(offset, offset + magic.length).arrayBuffer());
    if (String.fromCharCode(...bytes) === magic) return format;
  }
  const suffix = file.name.toLowerCase().split(".").pop();
  return ["vmdk", "vhdx", "vhd", "vdi", "iso", "ploop"].includes(suffix) ? suffix : "raw";
}

const nameOf = (file) => file.name.replace(/\.(qcow2|img|raw|vmdk|vhdx?|vdi|iso)$/i, "");

export async function add(files, more = {}) {
  const added = [];
  for (const file of files) {
    added.push({
      id: ++number,
      file,
      name: nameOf(file),
      format: await formatOf(file),
      visibility: "shared",
      ...more,
      state: "waiting",
      sent: 0,
      rate: 0,
    });
  }
  uploads.value = [...uploads.value, ...added];
  next();
}

function change(id, changes) {
  uploads.value = uploads.value.map((one) => (one.id === id ? { ...one, ...changes } : one));
}

const find = (id) => uploads.value.find((one) => one.id === id);

function next() {
  const running = uploads.value.filter((one) => one.state === "sending").length;
  for (const one of uploads.value.filter((each) => each.state === "waiting").slice(0, AT_ONCE - running)) {
    change(one.id, { state: "sending" });
    run(one.id);
  }
}

async function run(id) {
  const { file, name, format, visibility, leftover } = find(id);
  let image = null;
  try {
    if (leftover) await drop(leftover);
    const body = { name, disk_format: format, container_format: "bare", visibility };
    image = (await call("image", "POST", "/v2/images", body)).json;
    change(id, { image: image.id });
    await send(id, image.id, file);
    change(id, { state: "stored", sent: file.size, rate: 0, same: await same(image.id) });
  } catch (error) {
    const leftover = image && !(await drop(image.id)) ? image.id : null;
    change(id, {
      state: find(id)?.state === "cancelled" ? "cancelled" : "failed",
      error: error.message,
      image: null,
      leftover,
    });
  }
  next();
}

// Nothing that is half made stays behind; what could not be removed now is when it is tried again.
const drop = (image) =>
  call("image", "DELETE", `/v2/images/${image}`)
    .then(() => true)
    .catch(() => false);

function send(id, image, file) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let marked = performance.now();
    let before = 0;
    request.upload.onprogress = ({ loaded }) => {
      const now = performance.now();
      const changes = { sent: loaded };
      if (now - marked > 700) {
        changes.rate = ((loaded - before) * 1000) / (now - marked);
        [marked, before] = [now, loaded];
      }
      change(id, changes);
    };
    request.onload = () =>
      request.status < 300
        ? resolve()
        : reject(new Refusal(request.status, sentence(request.status, request.responseText)));
    request.onerror = () => reject(new Refusal(0, "The connection broke: the appliance does not answer."));
    request.onabort = () => reject(new Refusal(0, "The upload was cancelled."));
    request.open("PUT", `api/image/v2/images/${image}/file`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("Accept", "application/json");
    change(id, { abort: () => request.abort() });
    request.send(file);
  });
}

// Another image of the same bytes, if there is one that this user may see.
async function same(id) {
  try {
    const image = await get("image", `/v2/images/${id}`);
    const found = await get("image", `/v2/images?os_hash_value=${image.os_hash_value}&limit=5`);
    return found.images.find((one) => one.id !== id) ?? null;
  } catch {
    return null;
  }
}

export function cancel(id) {
  const one = find(id);
  if (one?.state === "sending") {
    change(id, { state: "cancelled" });
    one.abort?.();
  } else {
    remove(id);
  }
}

export function again(id) {
  change(id, { state: "waiting", sent: 0, rate: 0, error: "", same: null });
  next();
}

export const remove = (id) => (uploads.value = uploads.value.filter((one) => one.id !== id));

const busy = () => uploads.value.some((one) => ["waiting", "sending"].includes(one.state));

window.addEventListener("beforeunload", (event) => {
  if (busy()) event.preventDefault();
});
