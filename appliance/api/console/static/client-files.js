// The files that clients read, as this user would write them.
import { endpoint, project, session } from "./lib.js";
import { quoted } from "./figures.js";

const identity = () => `${endpoint("identity").replace(/\/v3$/, "")}/v3`;
const region = () => session.value.catalog?.[0]?.endpoints[0]?.region ?? "RegionOne";

// Where the certificates of our own authority are kept, if there is one.
export const CA_FILE = "~/.config/openstack/appliance-ca.pem";

// clouds.yaml is YAML, of which JSON is a part: quoted strings are always right.
const yaml = (text) => JSON.stringify(text ?? "");
const line = (indent) => ([name, value]) => `${" ".repeat(indent)}${name}: ${yaml(value)}\n`;
const lines = (indent, pairs) => pairs.map(line(indent)).join("");

// `secret` is an application credential, in the place of user and password.
export function clouds({ secret, authority } = {}) {
  const { user } = session.value;
  const auth = secret
    ? [
        ["application_credential_id", secret.id],
        ["application_credential_secret", secret.secret],
      ]
    : [
        ["username", user.name],
        ["user_domain_name", user.domain.name],
        ["project_name", project.value?.name],
        ["project_domain_name", project.value?.domain.name],
      ];
  return [
    "clouds:\n  appliance:\n",
    secret ? "    auth_type: v3applicationcredential\n" : "",
    "    auth:\n",
    lines(6, [["auth_url", identity()], ...auth]),
    lines(4, [["region_name", region()], ...(authority ? [["cacert", CA_FILE]] : [])]),
    "    identity_api_version: 3\n",
  ].join("");
}

export function openrc({ authority } = {}) {
  const { user } = session.value;
  const values = [
    ["AUTH_URL", identity()],
    ["IDENTITY_API_VERSION", "3"],
    ["USERNAME", user.name],
    ["USER_DOMAIN_NAME", user.domain.name],
    ["PROJECT_NAME", project.value?.name ?? ""],
    ["PROJECT_DOMAIN_NAME", project.value?.domain.name ?? ""],
    ["REGION_NAME", region()],
  ];
  const exports = values.map(([name, value]) => `export OS_${name}=${quoted(value)}\n`);
  // A tilde is the shell's only outside of quotes.
  if (authority) exports.push(`export OS_CACERT=${CA_FILE}\n`);
  return `${exports.join("")}read -rsp 'Password: ' OS_PASSWORD; export OS_PASSWORD; echo\n`;
}

export function terraform({ authority } = {}) {
  const { user } = session.value;
  const values = [
    ["auth_url", identity()],
    ["user_name", user.name],
    ["tenant_name", project.value?.name],
    ["domain_name", user.domain.name],
    ["region", region()],
    ...(authority ? [["cacert_file", "appliance-ca.pem"]] : []),
  ];
  const width = Math.max(...values.map(([name]) => name.length));
  const said = values.map(([name, value]) => `  ${name.padEnd(width)} = ${yaml(value)}\n`);
  return `provider "openstack" {\n${said.join("")}}\n`;
}
