// What Helios' search finds, beside what docs/search.md says that it should.
//
//   node check.mjs --base URL [--hospital DIR] [--write]
//
// URL is the base that the program printed, DIR what `scruple synth` wrote. Ends with 1 where something is not as the
// table below or that of ../README.md say; --write writes the latter anew.

import fs from 'node:fs';
import path from 'node:path';

import { call, compareReadme, compareRows, conclude, expect, ids, put, sweep } from '../check.mjs';

const words = process.argv.slice(2);
const value = (name) => (words.includes(name) ? words[words.indexOf(name) + 1] : undefined);
const hospital = value('--hospital');
const base = value('--base');
if (!base) {
  console.error('usage: node check.mjs --base URL [--hospital DIR] [--write]');
  process.exit(2);
}

/** What is found of each kind beside docs/search.md, and what may be sent; queries that differ from those of cases.mjs. */
const table = {
  _id: ['exact', 'as it is'],
  token: ['exact', 'as it is'],
  'token without code': ['narrower', 'nothing'],
  'token comma': ['exact', 'as it is'],
  'token bar': ['narrower', 'nothing'],
  code: ['exact', 'as it is'],
  'code with system': ['exact', '`code` alone'],
  contact: ['exact', 'as it is'],
  'contact with system': ['narrower', '`code` alone'],
  deceased: ['superset', 'as it is'],
  string: ['narrower', 'nothing'],
  date: ['exact', '`ge` of the second before its range and `le` of the second behind it, both'],
  ge: ['superset', '`ge` of the second before its range'],
  le: ['narrower', '`le` of the second behind its range'],
  gt: ['exact', '`ge` of the second before its range'],
  lt: ['narrower', '`le` of the second behind its range'],
  sa: ['exact', '`ge` of the second before its range'],
  eb: ['exact', '`le` of the second behind its range'],
  timing: ['narrower', 'nothing, of a parameter that may read one'],
  'date list': ['superset', 'nothing'],
  reference: ['exact', 'as it is'],
  'reference version': ['exact', 'as it is'],
  'reference id': ['exact', 'as it is'],
  'reference id of several': ['exact', 'as it is'],
  canonical: ['narrower', 'nothing'],
  uri: ['exact', 'as it is'],
  and: ['exact', 'each as above'],
};

const of = (name) => base.replace(/\/fhir\/R4$/, `/${name}/fhir/R4`);
const store = (name) => base.replace(/\/fhir\/R4$/, `/${name}`);

async function protocol() {
  const root = of('protocol');
  const kept = { resourceType: 'Basic', id: 'k', meta: { versionId: '7', lastUpdated: '2020-01-01T00:00:00.000Z' }, code: { text: 'x' } };
  await put(root, { resourceType: 'Basic', id: 'old', code: { text: 'x' } });
  const fill = (...resources) =>
    call(store('protocol'), { method: 'PUT', body: resources.map((one) => `${JSON.stringify(one)}\n`).join('') });
  expect('a store is filled', (await fill(kept)).status, 204);
  expect('what it held is gone', await ids(root, 'Basic'), ['k']);
  expect('meta is kept', (await call(`${root}/Basic/k`)).body, kept);
  expect('its version', (await call(`${root}/Basic/k/_history/7`)).body, kept);
  expect('a line that is wrong', (await call(store('protocol'), { method: 'PUT', body: '{}' })).status, 400);
  expect('keeps what was there', await ids(root, 'Basic'), ['k']);
  const numbers = Array.from({ length: 1_005 }, (_, at) => `b${String(at).padStart(4, '0')}`);
  const basic = (id) => ({ resourceType: 'Basic', id, meta: { lastUpdated: '2020-01-01T00:00:00Z' }, code: { text: 'x' } });
  expect('a store of many', (await fill(...numbers.map(basic))).status, 204);
  const first = await call(`${root}/Basic`);
  expect('default page', [first.body.entry.length, first.body.total], [20, undefined]);
  const next = first.body.link.find((one) => one.relation === 'next').url;
  expect('next link', next.replace(/_cursor=[^&]*/, '_cursor=C'), `${root}/Basic?_cursor=C`);
  expect('content type', first.type, 'application/json');
  expect('full URL', first.body.entry[0].fullUrl, `${root}/Basic/b0000`);
  expect('largest page', (await call(`${root}/Basic?_count=5000`)).body.entry.length, 1_000);
  expect('all pages', await ids(root, 'Basic?_count=300'), numbers);
  expect('_count=0', (await call(`${root}/Basic?_count=0`)).body.entry, []);
  expect('_count=x', (await call(`${root}/Basic?_count=x`)).body.entry.length, 20);
  expect('_total', (await call(`${root}/Basic?_total=accurate`)).body.total, 1_005);
  const sorted = await call(`${root}/Basic?_sort=-_id&_count=2`);
  expect('_sort=-_id', sorted.body.entry.map((one) => one.resource.id), ['b1004', 'b1003']);
  const strict = { headers: { prefer: 'handling=strict' } };
  expect('unknown parameter', (await call(`${root}/Basic?nonsense=1&_total=accurate`)).body.total, 1_005);
  expect('unknown parameter, strict', (await call(`${root}/Basic?nonsense=1`, strict)).status, 400);
  expect('unknown modifier', (await call(`${root}/Basic?_id:nonsense=b0001`)).status, 400);
  expect('a date that is none', (await call(`${root}/Basic?created=2020-13`)).status, 400);
  const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: '_id=b0003,b0001' };
  const posted = await call(`${root}/Basic/_search`, form);
  expect('POST _search', posted.body.entry.map((one) => one.resource.id), ['b0001', 'b0003']);
  const further = await call(`${root}/Basic/_search`, { ...form, body: '_count=2' });
  expect('POST _search, next', further.body.link.find((one) => one.relation === 'next').url.split('?')[0], `${root}/Basic`);
  expect('read', (await call(`${root}/Basic/b0007`)).body.id, 'b0007');
  expect('DELETE', (await call(`${root}/Basic/b0007`, { method: 'DELETE' })).status, 204);
  expect('read what was deleted', (await call(`${root}/Basic/b0007`)).status, 410);
  expect('unknown type', (await call(`${root}/Nonsense`)).status, 404);
  expect('metadata', (await call(`${root}/metadata`)).status, 200);
  expect('all types', (await call(`${root}/?_type=Basic`)).status, 501);
  const risk = { resourceType: 'RiskAssessment', id: 'r', status: 'final', subject: { reference: 'Patient/p' }, prediction: [{ probabilityDecimal: 1 }] };
  await put(root, { resourceType: 'Patient', id: 'p' });
  await put(root, { resourceType: 'Patient', id: 'q' });
  await put(root, risk);
  expect('number', await ids(root, 'RiskAssessment?probability=1'), ['r']);
  expect('_has', await ids(root, 'Patient?_has:RiskAssessment:subject:_id=r'), ['p']);
  expect('chain', await ids(root, 'RiskAssessment?subject:Patient._id=p'), ['r']);
  expect('compartment', await ids(root, 'Patient/p/RiskAssessment'), ['r']);
  expect('$everything', (await call(`${root}/Patient/p/$everything`)).body.entry.length, 2);
  expect('history', (await call(`${root}/Patient/p/_history`)).body.entry.length, 1);
  expect('another store is empty', await ids(of('crafted'), 'Basic'), []);
  const decimal = { method: 'PUT', headers: { 'content-type': 'application/fhir+json' } };
  const number = '{"resourceType":"Basic","id":"n","code":{"text":"x"},"extension":[{"url":"u","valueDecimal":1.50}]}';
  await call(`${root}/Basic/n`, { ...decimal, body: number });
  expect('decimals', (await (await fetch(`${root}/Basic/n`)).text()).includes('"valueDecimal":1.50}'), true);
  expect('a store goes', (await call(store('protocol'), { method: 'DELETE' })).status, 204);
  expect('and is empty', await ids(root, 'Basic'), []);
}

await call(store('crafted'), { method: 'PUT', body: '' });
const lines = await compareRows(of('crafted'), table);
await protocol();
compareReadme('helios', lines, words.includes('--write'));
if (hospital) {
  const files = fs.readdirSync(hospital).filter((name) => name.endsWith('.ndjson'));
  const body = files.map((name) => fs.readFileSync(path.join(hospital, name), 'utf8')).join('\n');
  expect('the hospital is loaded', (await call(store('hospital'), { method: 'PUT', body })).status, 204);
  await sweep(of('hospital'), hospital);
}
for (const name of ['crafted', 'protocol', 'hospital']) {
  await call(store(name), { method: 'DELETE' });
}
conclude();
