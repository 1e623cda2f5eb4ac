// What Medplum's search finds, beside what docs/search.md says that it should: by crafted resources and expectations
// written by hand, then by every search parameter over a synthetic hospital.
//
//   node check.mjs [--modules DIR] [--hospital DIR] [--write]
//
// DIR of --hospital is what `scruple synth` wrote. Ends with 1 where something is not as `rows` below or the table of
// ../README.md say; --write writes that table anew.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { fixtures, rows } from './cases.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const readme = path.join(here, '../README.md');
const dictionary = path.join(here, '../../crates/scruple-fhir/src/dictionary/search.txt');
const words = process.argv.slice(2);
const value = (name) => (words.includes(name) ? words[words.indexOf(name) + 1] : undefined);
const hospital = value('--hospital');

let failures = 0;
function fail(text) {
  failures += 1;
  console.log(`DIFFERS ${text}`);
}

function expect(what, found, wanted) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) {
    fail(`${what}: ${a}, not ${b}`);
  }
}

const server = spawn(
  process.execPath,
  [
    path.join(here, 'server.mjs'),
    ...(value('--modules') ? ['--modules', value('--modules')] : []),
    ...(hospital ? ['--load', hospital] : []),
  ],
  { stdio: ['pipe', 'pipe', 'inherit'] }
);
const [line] = await once(server.stdout, 'data');
const base = JSON.parse(line).base;
const crafted = base.replace('/fhir/R4', '/crafted/fhir/R4');

async function call(url, init) {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text), type: response.headers.get('content-type') };
}

/** The ids that a query finds over all pages, sorted; the status where it is no answer. */
async function ids(root, query) {
  const found = [];
  let url = `${root}/${query}`;
  while (url) {
    const { status, body } = await call(url);
    if (status !== 200) {
      return status;
    }
    found.push(...(body.entry ?? []).map((one) => one.resource.id));
    url = body.link.find((one) => one.relation === 'next')?.url;
  }
  return found.sort();
}

/** A query with its values percent-encoded. */
function encoded(type, pairs) {
  return `${type}?${new URLSearchParams(pairs)}`;
}

/** A query as it stands in cases.mjs, with its values percent-encoded. */
function encodedText(query) {
  const type = query.slice(0, query.indexOf('?'));
  const pairs = query.slice(type.length + 1).split('&').map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  return encoded(type, pairs);
}

async function compareRows() {
  for (const resource of fixtures) {
    const { status } = await call(`${crafted}/${resource.resourceType}/${resource.id}`, {
      method: 'PUT',
      body: JSON.stringify(resource),
    });
    expect(`PUT ${resource.resourceType}/${resource.id}`, status, 200);
  }
  const lines = [];
  for (const row of rows) {
    let [missing, more] = [undefined, undefined];
    for (const [query, wanted, sent] of row.cases) {
      const found = await ids(crafted, encodedText(query));
      if (sent !== undefined) {
        const candidates = await ids(crafted, encodedText(sent));
        expect(`${sent} for ${query} misses`, wanted.filter((id) => !candidates.includes(id)), []);
      }
      if (typeof found === 'number') {
        missing ??= `\`${query.replaceAll('|', '\\|')}\`: status ${found}`;
        continue;
      }
      const lost = wanted.filter((id) => !found.includes(id));
      const extra = found.filter((id) => !wanted.includes(id));
      if (lost.length > 0) {
        missing ??= `\`${query.replaceAll('|', '\\|')}\` misses ${lost.join(', ')}`;
      }
      if (extra.length > 0) {
        more ??= `\`${query.replaceAll('|', '\\|')}\` finds ${extra.join(', ')} too`;
      }
    }
    const is = missing ? 'narrower' : more ? 'superset' : 'exact';
    expect(row.what, is, row.is);
    lines.push(`| ${row.what} | ${is} | ${missing ?? more ?? ''} | ${row.push ?? ''} |`);
  }
  return ['| kind | found, beside docs/search.md | example | what may be sent |', '|---|---|---|---|', ...lines].join('\n');
}

async function protocol() {
  const root = base.replace('/fhir/R4', '/protocol/fhir/R4');
  const kept = { resourceType: 'Basic', id: 'k', meta: { versionId: '7', lastUpdated: '2020-01-01T00:00:00Z' }, code: { text: 'x' } };
  const store = root.replace('/fhir/R4', '');
  await call(`${root}/Basic/old`, { method: 'PUT', body: '{"resourceType":"Basic","id":"old","code":{"text":"x"}}' });
  expect('a store is filled', (await call(store, { method: 'PUT', body: `${JSON.stringify(kept)}\n` })).status, 204);
  expect('what it held is gone', await ids(root, 'Basic'), ['k']);
  expect('meta is kept', (await call(`${root}/Basic/k`)).body, kept);
  expect('a line that is wrong', (await call(store, { method: 'PUT', body: '{}' })).status, 400);
  await call(`${root}/Basic/k`, { method: 'DELETE' });
  const numbers = Array.from({ length: 1_005 }, (_, at) => `b${String(at).padStart(4, '0')}`);
  for (const id of numbers) {
    await call(`${root}/Basic/${id}`, { method: 'PUT', body: JSON.stringify({ resourceType: 'Basic', id, code: { text: 'x' } }) });
  }
  const first = await call(`${root}/Basic`);
  expect('default page', [first.body.entry.length, first.body.total], [20, 1_005]);
  expect('next link', first.body.link[1], { relation: 'next', url: `${root}/Basic?_count=20&_offset=20` });
  expect('content type', first.type, 'application/fhir+json; charset=utf-8');
  expect('full URL', first.body.entry[0].fullUrl, `${root}/Basic/b0000`);
  expect('largest page', (await call(`${root}/Basic?_count=5000`)).body.entry.length, 1_000);
  expect('all pages', await ids(root, 'Basic?_count=300'), numbers);
  expect('_count=0', (await call(`${root}/Basic?_count=0`)).body.entry, undefined);
  expect('_count=x', (await call(`${root}/Basic?_count=x`)).status, 400);
  const sorted = await call(`${root}/Basic?_sort=-_id&_count=2`);
  expect('_sort=-_id', sorted.body.entry.map((one) => one.resource.id), ['b1004', 'b1003']);
  expect('_total=none', (await call(`${root}/Basic?_total=none`)).body.total, 1_005);
  expect('unknown parameter', (await call(`${root}/Basic?nonsense=1`)).body.total, 0);
  const strict = await call(`${root}/Basic?nonsense=1`, { headers: { prefer: 'handling=strict' } });
  expect('unknown parameter, strict', [strict.status, strict.body.total], [200, 0]);
  const risk = { resourceType: 'RiskAssessment', id: 'r', status: 'final', subject: { reference: 'Patient/p' }, prediction: [{ probabilityDecimal: 1 }] };
  await call(`${root}/RiskAssessment/r`, { method: 'PUT', body: JSON.stringify(risk) });
  expect('number', (await call(`${root}/RiskAssessment?probability=1`)).body.total, 0);
  await call(`${root}/Patient/p`, { method: 'PUT', body: '{"resourceType":"Patient","id":"p"}' });
  expect('_has', (await call(`${root}/Patient?_has:RiskAssessment:subject:_id=r`)).body.total, 0);
  expect('compartment', (await call(`${root}/Patient/p/RiskAssessment`)).status, 404);
  expect('unknown modifier', (await call(`${root}/Basic?_id:nonsense=b0001`)).body.total, 1);
  const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: '_id=b0003,b0001' };
  const posted = await call(`${root}/Basic/_search`, form);
  expect('POST _search', posted.body.entry.map((one) => one.resource.id), ['b0001', 'b0003']);
  expect('POST _search, link', posted.body.link[0].url, `${root}/Basic?_id=b0003%2Cb0001&_count=20&_offset=0`);
  const further = await call(`${root}/Basic/_search`, { ...form, body: '_count=2&_offset=4' });
  expect('POST _search, next', further.body.link[1].url, `${root}/Basic?_count=2&_offset=6`);
  expect('POST _search, further page', further.body.entry.map((one) => one.resource.id), ['b0004', 'b0005']);
  expect('read', (await call(`${root}/Basic/b0007`)).body.id, 'b0007');
  expect('DELETE', (await call(`${root}/Basic/b0007`, { method: 'DELETE' })).status, 200);
  expect('read what was deleted', (await call(`${root}/Basic/b0007`)).status, 404);
  expect('unknown type', (await call(`${root}/Nonsense`)).status, 404);
  expect('metadata', (await call(`${root}/metadata`)).status, 404);
  expect('another store is empty', (await call(`${crafted}/Basic`)).body.total, 0);
  const number = '{"resourceType":"Basic","id":"n","code":{"text":"x"},"extension":[{"url":"u","valueDecimal":1.50}]}';
  await call(`${root}/Basic/n`, { method: 'PUT', body: number });
  expect('decimals', (await call(`${root}/Basic/n`)).body.extension[0].valueDecimal, 1.5);
  expect('a store goes', (await call(store, { method: 'DELETE' })).status, 204);
  expect('and is empty', await ids(root, 'Basic'), []);
}

/** The values at a path of the dictionary, through arrays and choices. */
function valuesAt(resource, place) {
  let values = [resource];
  for (const name of place.split('.').slice(1)) {
    values = values.flatMap((one) => {
      if (one === null || typeof one !== 'object') {
        return [];
      }
      if (!name.endsWith('[x]')) {
        return [one[name] ?? []].flat();
      }
      const stem = name.slice(0, -3);
      return Object.entries(one).filter(([key]) => key.startsWith(stem) && /^[A-Z]/.test(key.slice(stem.length))).flatMap(([, v]) => v);
    });
  }
  return values;
}

const escape = (text) => text.replaceAll(/[\\,|$]/g, '\\$&');
const plain = (text) => typeof text === 'string' && text.length < 400 && !/[|\\]/.test(text);
const dateText = /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?$/;

/** Queries, in the form of the table's last column, that must find a resource which has this value. */
function queries(kind, code, one) {
  if (kind === 'token') {
    if (one === null || typeof one !== 'object') {
      return plain(String(one)) ? [[[code, escape(String(one))]]] : [];
    }
    if (typeof one.value === 'number') {
      return []; // a Quantity
    }
    const tokens = one.coding ?? [one];
    return tokens.flatMap(({ system, code: value = one.value }) => [
      ...(plain(value) ? [[[code, escape(value)]]] : []),
      ...(plain(value) && system && one.rank === undefined && /[:/]/.test(system) ? [[[code, `${system}|${escape(value)}`]]] : []),
    ]);
  }
  if (kind === 'date') {
    const texts = typeof one === 'string' ? [one] : [one?.start, one?.end];
    return texts.filter((text) => dateText.test(text ?? '')).flatMap((text) => {
      const from = new Date(text).getTime();
      const second = (more) => new Date(Math.floor(from / 1000 + more) * 1000).toISOString().replace('.000Z', 'Z');
      return [[[code, `ge${second(-1)}`], [code, `le${second(1)}`]]];
    });
  }
  if (kind === 'reference') {
    const target = typeof one === 'string' ? one : one?.reference;
    return plain(target) && (typeof one === 'string' || /^[A-Za-z]+\/[^/]+$/.test(target)) ? [[[code, escape(target)]]] : [];
  }
  return kind === 'uri' && plain(one) ? [[[code, escape(one)]]] : [];
}

/** Whether docs/search.md reads the reference: a parameter with the name of a type reads that type alone. */
const reads = (code, one, types) => {
  const type = types.get(code.replaceAll('-', ''));
  return !type || typeof one === 'string' || !one.reference?.includes('/') || one.reference.startsWith(`${type}/`);
};

async function sweep(folder) {
  const lines = fs.readFileSync(dictionary, 'utf8').split('\n').filter((one) => one && !one.startsWith('#'));
  const types = new Map(lines.map((one) => one.split(' ')[0]).map((type) => [type.toLowerCase(), type]));
  const counts = { parameters: 0, queries: 0 };
  const lost = new Map();
  for (const [type, code, kind, places] of lines.map((one) => one.split(' '))) {
    const file = path.join(folder, `${type}.ndjson`);
    if (!['token', 'date', 'reference', 'uri'].includes(kind) || places === 'withheld' || !fs.existsSync(file)) {
      continue;
    }
    const resources = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((one) => JSON.parse(one));
    const asked = new Map();
    for (const resource of resources) {
      const read = (place, one) => kind !== 'token' || !place.endsWith('[x]') || typeof one === 'object';
      const values = (place) => valuesAt(resource, place).filter((one) => read(place, one));
      for (const one of places.split('|').flatMap(values)) {
        const systems = { email: ['email'], phone: ['phone'] }[code];
        if ((systems && !systems.includes(one.system)) || code === 'deceased' || code === 'death-date') {
          continue;
        }
        if (kind === 'reference' && !reads(code, one, types)) {
          continue;
        }
        for (const pairs of queries(kind, code, one)) {
          const query = encoded(type, [...pairs, ['_count', '1000']]);
          asked.set(query, (asked.get(query) ?? new Set()).add(resource.id));
        }
      }
    }
    counts.parameters += asked.size > 0 ? 1 : 0;
    for (const [query, wanted] of [...asked].slice(0, 25)) {
      counts.queries += 1;
      const found = await ids(base, query);
      if (typeof found === 'number' || [...wanted].some((id) => !found.includes(id))) {
        lost.set(`${type} ${code} ${kind}`, `${query} ${typeof found === 'number' ? found : ''}`);
      }
    }
  }
  console.log(`hospital: ${counts.queries} queries of ${counts.parameters} parameters`);
  return { counts, lost };
}

try {
  const table = await compareRows();
  await protocol();
  const marks = ['<!-- table: begin -->', '<!-- table: end -->'];
  const document = fs.readFileSync(readme, 'utf8');
  const [before, rest] = document.split(marks[0]);
  const written = `${before}${marks[0]}\n${table}\n${marks[1]}${rest.split(marks[1])[1]}`;
  if (words.includes('--write')) {
    fs.writeFileSync(readme, written);
  } else if (written !== document) {
    fail('the table of README.md; --write writes it anew');
  }
  if (hospital) {
    const { lost } = await sweep(hospital);
    for (const [parameter, query] of lost) {
      fail(`${parameter}: what has the value is not found by ${query}`);
    }
  }
} finally {
  server.kill();
}
console.log(failures === 0 ? 'as written' : `${failures} differ`);
process.exitCode = failures === 0 ? 0 : 1;
