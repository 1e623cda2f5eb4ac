// Holds what README.md says of a server's search against that server: by crafted resources and expectations written by
// hand (cases.mjs), then by every search parameter over a synthetic hospital. The check of each server uses it.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { fixtures, rows } from './cases.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const readme = path.join(here, 'README.md');
const dictionary = path.join(here, '../crates/scruple-fhir/src/dictionary/search.txt');

let failures = 0;
export function fail(text) {
  failures += 1;
  console.log(`DIFFERS ${text}`);
}

export function expect(what, found, wanted) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) {
    fail(`${what}: ${a}, not ${b}`);
  }
}

/** An answer: its status, body and content type. */
export async function call(url, init) {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text), type: response.headers.get('content-type') };
}

/** The ids that a query finds over all pages, sorted; the status where it is no answer. */
export async function ids(root, query) {
  const found = [];
  let url = `${root}/${query}`;
  while (url) {
    const { status, body } = await call(url);
    if (status !== 200) {
      return status;
    }
    found.push(...(body.entry ?? []).map((one) => one.resource.id));
    url = body.link?.find((one) => one.relation === 'next')?.url;
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

/** Puts a resource at its own id. */
export function put(root, resource) {
  const headers = { 'content-type': 'application/fhir+json' };
  return call(`${root}/${resource.resourceType}/${resource.id}`, { method: 'PUT', headers, body: JSON.stringify(resource) });
}

/** Asks all cases of a store, expects of them what a table says, and gives the lines that README.md should hold. `table` has
 * for each key of cases.mjs what is found beside docs/search.md, what may be sent, and queries to send in place of those
 * of cases.mjs. */
export async function compareRows(crafted, table) {
  for (const resource of fixtures) {
    const { status } = await put(crafted, resource);
    expect(`PUT ${resource.resourceType}/${resource.id}`, [200, 201].includes(status), true);
  }
  const lines = [];
  for (const row of rows) {
    let [missing, more] = [undefined, undefined];
    const [said, push, instead = {}] = table[row.key];
    for (const [query, wanted, usual] of row.cases) {
      const sent = instead[query] ?? usual;
      const found = await ids(crafted, encodedText(query));
      if (sent !== undefined) {
        const candidates = await ids(crafted, encodedText(sent));
        expect(`${sent} for ${query} misses`, wanted.filter((id) => !candidates.includes(id)), []);
      }
      const less = typeof found === 'number' || wanted.some((id) => !found.includes(id));
      if (less && sent === undefined && !push.startsWith('nothing')) {
        fail(`${query}: not in full, and nothing is said of what to send in its place`);
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
    expect(row.what, is, said);
    lines.push(`| ${row.what} | ${is} | ${missing ?? more ?? ''} | ${push} |`);
  }
  return ['| kind | found, beside docs/search.md | example | what may be sent |', '|---|---|---|---|', ...lines].join('\n');
}

/** Expects these lines in README.md between two marks of a name; with `write` puts them there. */
export function compareReadme(name, lines, write) {
  const marks = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const document = fs.readFileSync(readme, 'utf8');
  const [before, rest] = document.split(marks[0]);
  const written = `${before}${marks[0]}\n${lines}\n${marks[1]}${rest.split(marks[1])[1]}`;
  if (write) {
    fs.writeFileSync(readme, written);
  } else if (written !== document) {
    fail(`the table ${name} of README.md; --write writes it anew`);
  }
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

/** Asks a store that holds a hospital by each parameter for which the hospital has values: nothing may be missing. */
export async function sweep(base, folder) {
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
  for (const [parameter, query] of lost) {
    fail(`${parameter}: what has the value is not found by ${query}`);
  }
}

/** Says how it went, and ends with 1 where something is not as it was said. */
export function conclude() {
  console.log(failures === 0 ? 'as written' : `${failures} differ`);
  process.exitCode = failures === 0 ? 0 : 1;
}
