// What images take on disk, asked for many at once: only for rows that somebody looks at, and only once.
import { signal, useEffect } from "./vendor/view.js";
import { getOr } from "./lib.js";

const AT_ONCE = 100;
const spaces = signal(new Map()); // by image and what it was changed at; null for what is not told

const key = (image) => `${image.id} ${image.updated_at}`;
export const spaceOf = (image) => spaces.value.get(key(image));

async function learn(images) {
  const wanted = images.slice(0, AT_ONCE);
  const path = `/appliance/v1/images/space?id=${wanted.map((one) => one.id).join(",")}`;
  const found = await getOr(null, "image", path);
  if (!found) return;
  const told = new Map(found.images.map((one) => [one.image_id, one]));
  spaces.value = new Map([...spaces.value, ...wanted.map((one) => [key(one), told.get(one.id) ?? null])]);
}

// Rows that fly by while somebody scrolls are not asked for.
export function useSpaces(shown) {
  const unknown = shown.filter((one) => one.status === "active" && spaceOf(one) === undefined);
  const wanted = unknown.map(key).join();
  useEffect(() => {
    if (!wanted) return;
    const timer = setTimeout(() => learn(unknown), 120);
    return () => clearTimeout(timer);
  }, [wanted]);
}
