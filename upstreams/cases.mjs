// Crafted resources, queries, and by docs/search.md what each should find: written by hand, not computed.
//
// A case is [query, what it should find, what a gateway that judges every criterion itself asks in its place, if that is
// another query]. How a server answers stands in the check of that server.

const concept = (system, code, more = {}) => ({ coding: [{ system, code, ...more }] });
const observation = (id, more) => ({
  resourceType: 'Observation', id, status: 'final', code: concept('http://loinc.org', '8867-4'), ...more,
});
const patient = (id, more) => ({ resourceType: 'Patient', id, ...more });
const encounter = (id, period) => ({
  resourceType: 'Encounter', id, status: 'finished', class: { system: 'urn:c', code: 'AMB' }, period,
});
const at = (id, effectiveDateTime) => observation(id, { effectiveDateTime });

export const fixtures = [
  patient('P1', {
    identifier: [{ system: 'urn:mrn', value: 'A-1' }],
    active: true,
    name: [{ text: 'Chief José Ortiz', family: 'Ortiz', given: ['José', 'Ana  Lía'], prefix: ['Dr.'] }],
    telecom: [{ system: 'phone', value: '555-01' }, { system: 'email', value: 'o@x.example' }],
    gender: 'female',
    birthDate: '1980-02',
    deceasedBoolean: false,
    address: [{ text: 'Blue House', line: ['1 Oak St'], city: 'Yuma', district: 'West', state: 'AZ', country: 'US' }],
  }),
  patient('P2', {
    identifier: [{ value: 'A-1' }, { system: 'urn:mrn', value: 'a-1' }],
    name: [{ family: 'McOrtiz' }],
    gender: 'male',
    birthDate: '1980-02-29',
    deceasedDateTime: '2020-01-01',
  }),
  patient('P3', { identifier: [{ system: 'urn:odd', value: 'a,b' }, { system: 'urn:odd', value: 'c|d' }] }),

  observation('O1', { subject: { reference: 'Patient/P1' }, encounter: { reference: 'Encounter/E1' } }),
  observation('O2', { subject: { reference: 'Group/P1' } }),
  observation('O3', { subject: { reference: 'Patient/P1/_history/2' } }),
  observation('O4', {
    code: { coding: [{ system: 'http://loinc.org', code: '1-8', display: 'Pulse' }, { code: 'local' }], text: 'Puls' },
    valueCodeableConcept: concept('http://snomed.info/sct', '1'),
    component: [{ code: concept('http://loinc.org', '2-6'), valueCodeableConcept: concept('http://snomed.info/sct', '2') }],
    specimen: { reference: 'Specimen/N1' },
    performer: [{ reference: 'Practitioner/R1' }, { reference: 'Organization/G1' }],
  }),
  at('D1', '2020-02-29T10:00:00Z'),
  at('D2', '2020-02-29T10:00:00.000Z'),
  at('D3', '2020-02-29T23:30:00-07:00'),
  at('D4', '2020-03-01'),
  at('D5', '2020-02'),
  at('D6', '2020-02-29T10:00:00.000900Z'),
  observation('D7', { effectivePeriod: { start: '2020-02-28', end: '2020-03-02' } }),
  { resourceType: 'ServiceRequest', id: 'S1', status: 'active', intent: 'order', occurrenceTiming: { event: ['2020-02-29'] } },
  encounter('E1', { start: '2021-05-01T08:00:00Z' }),
  encounter('E2', { end: '2021-05-31T08:00:00Z' }),
  encounter('E3', { start: '2021-05-10', end: '2021-05-12' }),
  { resourceType: 'Condition', id: 'C1', code: { coding: [{ system: 'urn:c', display: 'No code' }] }, subject: { reference: 'Patient/P1' } },
  { resourceType: 'QuestionnaireResponse', id: 'Q1', status: 'completed', questionnaire: 'http://q.example/a|1' },
  { resourceType: 'QuestionnaireResponse', id: 'Q2', status: 'completed', questionnaire: 'http://q.example/b' },
  { resourceType: 'Questionnaire', id: 'U1', status: 'active', url: 'http://q.example/a' },
  { resourceType: 'Questionnaire', id: 'U2', status: 'active', url: 'http://q.example/ab' },
];

const dated = ['D1', 'D2', 'D3', 'D4', 'D5', 'D6', 'D7'];

export const rows = [
  {
    key: '_id',
    what: '`_id`, one or a list',
    cases: [['Patient?_id=P1', ['P1']], ['Patient?_id=P2,P1,none', ['P1', 'P2']], ['Patient?_id=p1', []]],
  },
  {
    key: 'token',
    what: 'token of Coding, CodeableConcept, Identifier: `code`, `system\\|code`, `\\|code`, `system\\|`',
    cases: [
      ['Observation?code=1-8', ['O4']],
      ['Observation?code=http://loinc.org|1-8', ['O4']],
      ['Observation?code=|local', ['O4']],
      ['Observation?code=|1-8', []],
      ['Observation?code=pulse', []],
      ['Observation?combo-code=2-6', ['O4']],
      ['Observation?value-concept=http://snomed.info/sct|1', ['O4']],
      ['Observation?component-value-concept=http://snomed.info/sct|', ['O4']],
      ['Encounter?class=urn:c|AMB', ['E1', 'E2', 'E3']],
      ['Patient?identifier=A-1', ['P1', 'P2']],
      ['Patient?identifier=|A-1', ['P2']],
      ['Patient?identifier=urn:mrn|', ['P1', 'P2']],
      ['Patient?identifier=urn:mrn|A-1', ['P1']],
    ],
  },
  {
    key: 'token without code',
    what: 'token `system\\|`, where a Coding or Identifier of the system has no code',
    cases: [['Condition?code=urn:c|', ['C1']]],
  },
  {
    key: 'token comma',
    what: 'token whose text holds `\\,`, `\\$`',
    cases: [['Patient?identifier=a\\,b', ['P3']], ['Patient?identifier=urn:odd|a\\,b', ['P3']]],
  },
  {
    key: 'token bar',
    what: 'token whose text holds `\\|` or `\\\\`',
    cases: [['Patient?identifier=c\\|d', ['P3']]],
  },
  {
    key: 'code',
    what: 'token of code, id, string, uri, boolean: `code`, `\\|code`',
    cases: [
      ['Patient?gender=female', ['P1']],
      ['Patient?gender=|male', ['P2']],
      ['Patient?active=true', ['P1']],
      ['Patient?gender=FEMALE', []],
      ['Observation?status=final', ['O1', 'O2', 'O3', 'O4', ...dated]],
    ],
  },
  {
    key: 'code with system',
    what: 'token of code, id, string, uri, boolean: `system\\|code`',
    cases: [['Patient?gender=http://hl7.org/fhir/administrative-gender|female', ['P1'], 'Patient?gender=female']],
  },
  {
    key: 'contact',
    what: 'token of ContactPoint: `code`',
    cases: [['Patient?telecom=555-01', ['P1']], ['Patient?email=O@X.example', []], ['Patient?phone=o@x.example', []]],
  },
  {
    key: 'contact with system',
    what: 'token of ContactPoint: `\\|code`, `system\\|code`',
    cases: [
      ['Patient?telecom=|555-01', ['P1'], 'Patient?telecom=555-01'],
      ['Patient?telecom=urn:s|555-01', ['P1'], 'Patient?telecom=555-01'],
    ],
  },
  {
    key: 'deceased',
    what: '`deceased`',
    cases: [['Patient?deceased=true', ['P2']], ['Patient?deceased=false', ['P1']]],
  },
  {
    key: 'string',
    what: 'string',
    cases: [
      ['Patient?name=jose', ['P1']],
      ['Patient?family=ortiz', ['P1']],
      ['Patient?name=Chief', ['P1']],
      ['Patient?given=ana lia', ['P1']],
      ['Patient?address=blue', ['P1']],
      ['Patient?address=west', ['P1']],
    ],
  },
  {
    key: 'date',
    what: 'date without prefix, `eq`',
    cases: [
      ['Observation?date=2020-02-29', ['D1', 'D2', 'D6'], 'Observation?date=ge2020-02-28T23:59:59Z&date=le2020-03-01T00:00:00Z'],
      ['Observation?date=2020-02-29T10:00:00Z', ['D1', 'D2', 'D6'], 'Observation?date=ge2020-02-29T09:59:59Z&date=le2020-02-29T10:00:01Z'],
      ['Observation?date=2020-02-29T10:00Z', ['D1', 'D2', 'D6'], 'Observation?date=ge2020-02-29T09:59:59Z&date=le2020-02-29T10:01:00Z'],
      ['Observation?date=2020-02', ['D1', 'D2', 'D5', 'D6'], 'Observation?date=ge2020-01-31T23:59:59Z&date=le2020-03-01T00:00:00Z'],
    ],
  },
  {
    key: 'ge',
    what: 'date with `ge`',
    cases: [
      ['Observation?date=ge2020-03-01', ['D3', 'D4', 'D7']],
      ['Observation?date=ge2020-02-29T10:00:00.000800Z', ['D1', 'D3', 'D4', 'D5', 'D6', 'D7']],
      ['Observation?date=ge2020-03-01T06:30Z', ['D3', 'D4', 'D7'], 'Observation?date=ge2020-03-01T06:29:59Z'],
      ['Encounter?date=ge2021-06', ['E1']],
      ['Encounter?date=ge2021-05-31', ['E1']],
      ['Patient?birthdate=ge1980-02', ['P1', 'P2']],
    ],
  },
  {
    key: 'le',
    what: 'date with `le`',
    cases: [
      ['Observation?date=le2020-02-29T10:00:00Z', ['D1', 'D2', 'D5', 'D6', 'D7']],
      ['Observation?date=le2020-02-29T10:00Z', ['D1', 'D2', 'D5', 'D6', 'D7'], 'Observation?date=le2020-02-29T10:01:00Z'],
      ['Observation?date=le2020-02', ['D1', 'D2', 'D5', 'D6']],
      ['Encounter?date=le2021-05-01', ['E1', 'E2'], 'Encounter?date=le2021-05-02T00:00:00Z'],
      ['Patient?birthdate=le1980-02', ['P1', 'P2']],
    ],
  },
  {
    key: 'gt',
    what: 'date with `gt`',
    cases: [
      ['Observation?date=gt2020-02', ['D3', 'D4', 'D7'], 'Observation?date=ge2020-01-31T23:59:59Z'],
      ['Observation?date=gt2020-03-01', ['D7']],
      ['Encounter?date=gt2021-05-31T08:00:00Z', ['E1']],
    ],
  },
  {
    key: 'lt',
    what: 'date with `lt`',
    cases: [
      ['Observation?date=lt2020-02-29', ['D5', 'D7'], 'Observation?date=le2020-03-01T00:00:00Z'],
      [
        'Observation?date=lt2020-02-29T10:00:00.000950Z',
        ['D1', 'D2', 'D5', 'D6', 'D7'],
        'Observation?date=le2020-02-29T10:00:01Z',
      ],
    ],
  },
  {
    key: 'sa',
    what: 'date with `sa`',
    cases: [['Observation?date=sa2020-02', ['D3', 'D4'], 'Observation?date=ge2020-01-31T23:59:59Z']],
  },
  {
    key: 'eb',
    what: 'date with `eb`',
    cases: [
      ['Observation?date=eb2020-03-01', ['D1', 'D2', 'D5', 'D6'], 'Observation?date=le2020-03-02T00:00:00Z'],
      ['Encounter?date=eb2021-05-31', ['E3'], 'Encounter?date=le2021-06-01T00:00:00Z'],
    ],
  },
  {
    key: 'timing',
    what: 'date of a Timing',
    cases: [['ServiceRequest?occurrence=ge2020-02-29', ['S1']]],
  },
  {
    key: 'date list',
    what: 'date, a list',
    cases: [['Observation?date=2019,2020-03-01', ['D4']]],
  },
  {
    key: 'reference',
    what: 'reference `Type/id`, one or a list',
    cases: [
      ['Observation?subject=Group/P1', ['O2']],
      ['Observation?encounter=Encounter/E1', ['O1']],
      ['Observation?performer=Practitioner/R1,Practitioner/none', ['O4']],
      ['Observation?performer=Practitioner/none,Organization/G1', ['O4']],
      ['Observation?patient=Patient/none', []],
    ],
  },
  {
    key: 'reference version',
    what: 'reference `Type/id`, where the data name a version',
    cases: [['Observation?patient=Patient/P1', ['O1', 'O3']], ['Observation?subject=Patient/P1', ['O1', 'O3']]],
  },
  {
    key: 'reference id',
    what: 'reference `id`, of a parameter that names one type alone',
    cases: [['Observation?specimen=N1', ['O4']]],
  },
  {
    key: 'reference id of several',
    what: 'reference `id`, of a parameter that names several, or does so on other types (`encounter`)',
    cases: [
      ['Observation?performer=G1', ['O4']],
      ['Observation?encounter=E1', ['O1']],
    ],
  },
  {
    key: 'canonical',
    what: 'reference to a canonical',
    cases: [
      ['QuestionnaireResponse?questionnaire=http://q.example/b', ['Q2']],
      ['QuestionnaireResponse?questionnaire=http://q.example/a', ['Q1']],
    ],
  },
  {
    key: 'uri',
    what: 'uri',
    cases: [['Questionnaire?url=http://q.example/a', ['U1']]],
  },
  {
    key: 'and',
    what: 'a name more than once (AND)',
    cases: [
      ['Observation?performer=Practitioner/R1&performer=Organization/G1', ['O4']],
      ['Observation?performer=Practitioner/R1&performer=Organization/G2', []],
    ],
  },
];
