// A real OpenID provider on 127.0.0.1, with keys of its own at each start: `node openid_provider.mjs MODULES PORT`.
// Prints its issuer when it serves. Users are in USERS, and their password is their name backwards.
import { createRequire } from 'node:module';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const [modules, port] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { default: Provider, errors } = await import(pathToFileURL(require.resolve('oidc-provider')));

const USERS = { alice: ['operators', 'staff'], bob: ['staff'] };
const SCOPES = 'openid profile groups';

const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const issuer = `http://127.0.0.1:${port}`;
const client = (id, grants) => ({
  client_id: id, client_secret: `secret of ${id}`, grant_types: grants, redirect_uris: [], response_types: [],
});

const provider = new Provider(issuer, {
  jwks: { keys: [{ ...key, kid: randomUUID(), use: 'sig', alg: 'RS256' }] },
  clients: [client('cli', ['password']), client('robot', ['client_credentials']), client('game', ['password'])],
  claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
  conformIdTokenClaims: false,
  scopes: SCOPES.split(' '),
  ttl: { IdToken: 600, AccessToken: 600, ClientCredentials: 600, Grant: 600 },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => claimsOf(id) }),
  extraTokenClaims: (ctx, token) => (token.accountId ? claimsOf(token.accountId) : { groups: ['robots'] }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => (ctx.oidc.client?.clientId === 'game' ? 'urn:games' : 'urn:openstack'),
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: SCOPES, audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});

function claimsOf(id) {
  return { sub: id, preferred_username: id, groups: USERS[id] };
}

provider.registerGrantType('password', async (ctx) => {
  const { username, password } = ctx.oidc.params;
  if (!(username in USERS) || password !== [...username].reverse().join('')) {
    throw new errors.InvalidGrant('wrong username or password');
  }
  const { client } = ctx.oidc;
  const resource = client.clientId === 'game' ? 'urn:games' : 'urn:openstack';
  const grant = new provider.Grant({ accountId: username, clientId: client.clientId });
  grant.addOIDCScope(SCOPES);
  grant.addResourceScope(resource, SCOPES);
  const shared = { accountId: username, client, grantId: await grant.save(), gty: 'password', scope: SCOPES };
  const access = new provider.AccessToken({ ...shared });
  access.resourceServer = new provider.ResourceServer(resource, {
    scope: SCOPES, audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
  });
  ctx.oidc.entity('AccessToken', access);
  const id = new provider.IdToken(claimsOf(username), { ctx });
  id.scope = SCOPES;
  id.mask = {};
  ctx.body = {
    access_token: await access.save(),
    id_token: await id.issue({ use: 'idtoken' }),
    expires_in: access.expiration,
    token_type: 'Bearer',
    scope: SCOPES,
  };
}, ['username', 'password']);

provider.on('server_error', (ctx, error) => console.error(error));
const server = provider.listen(Number(port), '127.0.0.1', () => console.log(issuer));
process.on('SIGTERM', () => { server.close(); process.exit(0); });
