// The values that images may have, and how they are called.
import { signal } from "./vendor/view.js";
import { getOr, isAdmin } from "./lib.js";

// What the settings allow, as the schema of images says; until it is here, what is usual.
const formats = signal(["qcow2", "raw", "iso", "vmdk", "vhd", "vhdx", "vdi"]);
let asked = false;

export function diskFormats() {
  if (!asked) {
    asked = true;
    getOr({}, "image", "/v2/schemas/image").then((schema) => {
      const known = schema.properties?.disk_format?.enum?.filter(Boolean);
      if (known) formats.value = known;
    });
  }
  return formats.value.map((one) => [one, one]);
}

// Publishing is for administrators by default: others need not be tempted. The API decides.
export const visibilities = (now) => [
  ["shared", "shared with chosen projects"],
  ["private", "private"],
  ["community", "community: whoever knows its id"],
  ...(isAdmin.value || now === "public" ? [["public", "public: everybody"]] : []),
];
