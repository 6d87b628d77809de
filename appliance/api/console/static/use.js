// Lines to use an image with, for several programs.
import { html, useState } from "./vendor/view.js";
import { endpoint } from "./lib.js";
import { quoted } from "./figures.js";
import { Copy } from "./ui.js";

const save = (image, name) => `openstack image save --file ${name} ${image.id}`;

const WAYS = {
  openstack: (image) =>
    `openstack server create --image ${image.id} \\\n  --flavor m1.small --network my-network my-server`,
  qemu: (image, name) =>
    `${save(image, name)}\nqemu-system-x86_64 -accel kvm -m 2048 \\\n` +
    `  -drive file=${name},format=${image.disk_format},if=virtio`,
  "virt-install": (image, name) =>
    `${save(image, name)}\nvirt-install --import --name ${quoted(image.name || "machine")} --memory 2048 \\\n` +
    `  --osinfo detect=on,require=off --disk ${name},format=${image.disk_format}`,
  terraform: (image) =>
    `data "openstack_images_image_v2" "image" {\n` +
    `  name        = ${JSON.stringify(image.name ?? "")}\n  most_recent = true\n}`,
  curl: (image, name) =>
    `curl -H "X-Auth-Token: $(openstack token issue -f value -c id)" \\\n` +
    `  -o ${name} ${endpoint("image")}/v2/images/${image.id}/file`,
};

export function Use({ image }) {
  const [way, setWay] = useState("openstack");
  const name = quoted(`${(image.name || image.id).replaceAll("/", "-")}.${image.disk_format}`);
  const text = WAYS[way](image, name);
  return html`<section class="card">
    <h2>Use it</h2>
    <div class="tabs" role="group" aria-label="With what">
      ${Object.keys(WAYS).map(
        (one) => html`<button type="button" key=${one} aria-pressed=${one === way} onClick=${() => setWay(one)}>
          ${one}
        </button>`,
      )}
    </div>
    <div class="code"><pre tabindex="0">${text}</pre><${Copy} text=${text} label="Copy these lines" /></div>
  </section>`;
}
