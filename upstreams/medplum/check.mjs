// What Medplum's search finds, beside what docs/search.md says that it should.
//
//   node check.mjs [--modules DIR] [--hospital DIR] [--write]
//
// DIR of --hospital is what `scruple synth` wrote. Ends with 1 where something is not as the table below or that of
// ../README.md say; --write writes the latter anew.

import { spawn } from 'node:child_process';
import path from 'node:path';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { call, compareReadme, compareRows, conclude, expect, ids, sweep } from '../check.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const value = (name) => (words.includes(name) ? words[words.indexOf(name) + 1] : undefined);
const hospital = value('--hospital');

/** What is found of each kind beside docs/search.md, and what may be sent; queries that differ from those of cases.mjs. */
const table = {
  _id: ['superset', 'as it is'],
  token: ['superset', 'as it is'],
  'token without code': ['exact', 'as it is'],
  'token comma': ['exact', 'as it is'],
  'token bar': ['narrower', 'nothing'],
  code: ['superset', 'as it is'],
  'code with system': ['narrower', '`code` alone'],
  contact: ['superset', 'as it is'],
  'contact with system': ['narrower', '`code` alone'],
  deceased: ['superset', 'as it is'],
  string: ['narrower', 'nothing'],
  date: ['narrower', '`ge` of the second before its range and `le` of the second behind it, both'],
  ge: ['narrower', '`ge` of the second before its range'],
  le: ['narrower', '`le` of the second behind its range'],
  gt: ['narrower', '`ge` of the second before its range'],
  lt: ['narrower', '`le` of the second behind its range'],
  sa: ['narrower', '`ge` of the second before its range'],
  eb: ['narrower', '`le` of the second behind its range'],
  timing: ['narrower', 'nothing, of a parameter that may read one'],
  'date list': ['narrower', 'nothing'],
  reference: ['exact', 'as it is'],
  'reference version': ['narrower', 'nothing, where the data may name one'],
  'reference id': ['exact', '`Type/id`'],
  'reference id of several': ['narrower', '`Type/id` of each type, as a list', {
    'Observation?performer=G1': 'Observation?performer=Practitioner/G1,Organization/G1',
    'Observation?encounter=E1': 'Observation?encounter=Encounter/E1',
  }],
  canonical: ['narrower', 'nothing'],
  uri: ['superset', 'as it is'],
  and: ['exact', 'each as above'],
};

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

try {
  const lines = await compareRows(crafted, table);
  await protocol();
  compareReadme('medplum', lines, words.includes('--write'));
  if (hospital) {
    await sweep(base, hospital);
  }
} finally {
  server.kill();
}
conclude();
