// A guard for people, like the command line's: nobody takes away the last one who could put it right again here.
// The page acts in projects alone.
import { get } from "./lib.js";

// Whether any enabled administrator is left once the assignments are gone of which `ends` says so.
export async function keepAnAdministrator(ends) {
  const { roles } = await get("identity", "/v3/roles?name=admin");
  if (!roles.length) return;
  const [{ role_assignments }, { users }, { projects }] = await Promise.all([
    get("identity", `/v3/role_assignments?role.id=${roles[0].id}&effective`),
    get("identity", "/v3/users?enabled=true"),
    get("identity", "/v3/projects?enabled=true"),
  ]);
  const enabled = new Set([...users, ...projects].map((one) => one.id));
  const held = role_assignments.filter(
    (one) => enabled.has(one.user?.id) && enabled.has(one.scope.project?.id),
  );
  if (held.length && held.every(ends)) throw new Error("This is the last administrator: make another one first.");
}

export const ofUser = (id) => (one) => one.user.id === id;
export const onProject = (id) => (one) => one.scope.project?.id === id;
export const ofUserOnProject = (user, project) => (one) => ofUser(user)(one) && onProject(project)(one);
