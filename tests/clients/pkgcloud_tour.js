// What pkgcloud and openstack-wrapper, as they are released, do with the appliance; prints what they saw as one JSON
// object. pkgcloud has no client for the image service: its own login, catalogue, requests and streams are given that
// service's type, as its other clients do. openstack-wrapper has one, but its upload names a variable that isn't there.
'use strict';

const fs = require('fs');
const util = require('util');
const wrapper = require('openstack-wrapper');
const { Client } = require('pkgcloud/lib/pkgcloud/openstack/client');
const identity = require('pkgcloud/lib/pkgcloud/openstack/identity/client');

const url = process.env.OS_AUTH_URL.replace(/\/v3$/, '');
const bytes = fs.readFileSync(process.env.FILE);
const who = { username: process.env.OS_USERNAME, password: process.env.OS_PASSWORD, authUrl: url, region: 'RegionOne' };
const v3 = { ...who, keystoneAuthVersion: 'v3', domainName: 'Default', tenantName: 'admin', projectDomainName: 'Default' };
const v2 = { ...who, tenantName: 'admin' };
const seen = {};

function Images(options) {
  Client.call(this, options);
  this.serviceType = 'image';
}
util.inherits(Images, Client);
Images.prototype._getUrl = function (options) { return this._serviceUrl + '/v2' + options.path; };

const call = (client, options) => new Promise((resolve, reject) =>
  client._request(options, (error, body) => (error ? reject(error) : resolve(body))));
const ask = (object, name, ...words) => new Promise((resolve, reject) =>
  object[name](...words, (error, result) => (error ? reject(error) : resolve(result))));

function upload(client, id) {
  return new Promise((resolve, reject) => {
    const stream = client._request({
      method: 'PUT', path: `/images/${id}/file`, upload: true, headers: { 'Content-Type': 'application/octet-stream' },
    });
    stream.on('error', reject);
    stream.on('complete', (response) => resolve(response.statusCode));
    fs.createReadStream(process.env.FILE).pipe(stream);
  });
}

function download(client, id) {
  return new Promise((resolve, reject) => {
    const parts = [];
    client._request({ path: `/images/${id}/file`, download: true })
      .on('error', reject)
      .on('data', (part) => parts.push(part))
      .on('end', () => resolve(Buffer.concat(parts).equals(bytes)));
  });
}

async function tour(name, options) {
  const client = new Images(options);
  const body = { name: `${name} ü`, disk_format: 'raw', container_format: 'bare' };
  const made = await call(client, { method: 'POST', path: '/images', body });
  seen[`${name}_created`] = made.status;
  seen[`${name}_uploaded`] = await upload(client, made.id);
  const shown = await call(client, { path: `/images/${made.id}` });
  seen[`${name}_shown`] = { name: shown.name, status: shown.status, checksum: shown.checksum };
  seen[`${name}_downloaded`] = await download(new Images(options), made.id); // logs in while the caller waits
  const listed = await call(client, { path: '/images', qs: { name: body.name, sort: 'created_at:desc' } });
  seen[`${name}_listed`] = listed.images.map((image) => image.id).includes(made.id);
  await call(client, { method: 'DELETE', path: `/images/${made.id}` });
  seen[`${name}_deleted`] = await call(client, { path: `/images/${made.id}` }).catch((error) => error.statusCode);
}

async function tenants() {
  const client = new identity.Client({ ...v2, useAdmin: true });
  client.serviceType = 'identity';
  client._serviceUrl = null;
  await ask(client, 'auth');
  client._serviceUrl = client._serviceUrl.replace(/\/v2\.0$/, '');
  const listed = (await ask(client, 'getTenantInfo')).tenants.map((tenant) => tenant.name);
  const validated = await ask(client, 'validateToken', client._identity.token.id, client._identity.token.tenant.id);
  return { admin: listed.includes('admin'), user: validated.access.user.name, id: validated.access.token.tenant.id };
}

async function wrapped(admin) {
  const keystone = new wrapper.Keystone(`${url}/v3`);
  const token = await ask(keystone, 'getToken', who.username, who.password);
  const scoped = await ask(keystone, 'getProjectToken', token.token, admin);
  seen.wrapper_projects = (await ask(keystone, 'listProjects', scoped.token)).map((one) => one.id).includes(admin);
  seen.wrapper_regions = (await ask(keystone, 'listRegions', scoped.token)).map((region) => region.id);
  seen.wrapper_roles = (await ask(keystone, 'listRoles', scoped.token)).map((role) => role.name).sort();
  const service = scoped.catalog.find((entry) => entry.type === 'image');
  const glance = new wrapper.Glance(`${service.endpoints[0].url}/v2`, scoped.token);
  const queued = await ask(glance, 'queueImage', {
    name: 'wrapped', visibility: 'private', tags: ['a', 'b'], disk_format: 'raw', container_format: 'bare',
  });
  seen.wrapper_queued = queued.status;
  const changed = await ask(glance, 'updateImage', queued.id, { name: 'renamed', tags: ['c'], protected: true });
  seen.wrapper_updated = { name: changed.name, tags: changed.tags, protected: changed.protected };
  seen.wrapper_listed = (await ask(glance, 'listImages')).map((image) => image.name).includes('renamed');
  seen.wrapper_refused = await ask(glance, 'removeImage', queued.id).catch((error) => error.message);
  await ask(glance, 'updateImage', queued.id, { protected: false });
  await ask(glance, 'removeImage', queued.id);
  seen.wrapper_deleted = await ask(glance, 'getImage', queued.id).catch(() => 'gone');
  const project = await ask(wrapper, 'getSimpleProject', who.username, who.password, admin, `${url}/v3`);
  seen.wrapper_simple_project = (await ask(project.glance, 'listImages')).length;
}

async function main() {
  await tour('v3', v3);
  await tour('v2', v2);
  await tour('unscoped', who); // without a project: pkgcloud asks for the projects and takes the first
  seen.tenants = await tenants();
  await wrapped(seen.tenants.id);
  seen.wrong_password = await call(new Images({ ...v3, password: 'wrong' }), { path: '/images' })
    .catch((error) => error.statusCode);
  console.log(JSON.stringify(seen));
}

main().catch((error) => {
  console.log(JSON.stringify(seen));
  console.error(error);
  process.exitCode = 1;
});
