// People and access in a browser, from a cold start: the first two set up their sign-in, HR tells of two more, one becomes a manager and
// one a nurse, each agreed to by somebody else; the nurse is refused at the gateway, asks, and reads when the manager has approved on a
// telephone; the privacy office takes it back in two clicks; then the two other doors, and the review of the emergency. Every page is
// looked at by axe and kept as a picture.
//
//   node people.mjs CONSOLE GATEWAY TOKEN ADMINISTRATOR-LINK PRIVACY-LINK SCIM-TOKEN PATIENT FOLDER

import { createHmac } from "node:crypto";
import { PHONE, WIDE, journey } from "./journey.mjs";

const [site, gateway, token, administratorLink, privacyLink, scimToken, patient, folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node people.mjs CONSOLE GATEWAY TOKEN ADMINISTRATOR-LINK PRIVACY-LINK SCIM-TOKEN PATIENT FOLDER");
  process.exit(2);
}
const { person, look, expect, complain, end } = await journey(folder, [patient]);

/** What the gateway answers to the nurse, waited for. */
async function reads(where, expected) {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await fetch(`${gateway}/Patient/${patient}`, { headers: { authorization: `Bearer ${token}` } });
    await answer.text();
    if (answer.status === expected) return;
    if (attempt === 40) return complain(where, `the gateway answers ${answer.status} and not ${expected}`);
    await new Promise((go) => setTimeout(go, 100));
  }
}

async function enrolWithPasskey(who, link) {
  await who.page.goto(link);
  await look(who, "enrol");
  await who.page.getByRole("button", { name: "Make a passkey" }).click();
  await who.page.getByRole("heading", { name: "Your recovery codes" }).waitFor();
  await look(who, "recovery-codes");
  await who.page.getByRole("button", { name: "I have them" }).click();
  await who.page.waitForURL(`${site}/`);
  await look(who, "today");
}

/** RFC 6238. */
function code(secret) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replace(/\s/g, "")].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const tag = createHmac("sha1", key).update(step).digest();
  const offset = tag[19] & 15;
  return String((tag.readUInt32BE(offset) & 0x7fffffff) % 1000000).padStart(6, "0");
}

/** What it is for, and which kinds of information of the charts. */
async function scope(who, kinds) {
  await who.page.locator("#task").selectOption("cover");
  for (const kind of kinds) {
    const box = who.page.locator(`input[name=kind][value="${kind}"]`);
    await box.evaluate((input) => (input.closest("details").open = true));
    await box.check();
  }
}

async function ask(who, { subject, role, patients, numbers, until, reason, kinds = [] }) {
  await who.page.goto(`${site}/ask${subject ? `?subject=${subject}` : ""}`);
  await scope(who, kinds);
  await who.page.locator("#role").selectOption(role);
  await who.page.locator(`input[name=patients][value=${patients}]`).check();
  if (numbers) await who.page.locator("#numbers").fill(numbers);
  await who.page.locator(`input[name=until][value=${until}]`).check();
  await who.page.locator("#reason").fill(reason);
  await look(who, "ask");
  await who.page.getByRole("button", { name: "Ask", exact: true }).click();
  // What is the least here is read first.
  await who.page.getByLabel("I have read this").check();
  await who.page.getByRole("button", { name: "Ask", exact: true }).click();
  await who.page.waitForURL(/\/requests\//);
  await look(who, "request");
  return new URL(who.page.url()).pathname;
}

async function approve(who, path) {
  await who.page.goto(`${site}${path}`);
  await look(who, "decide");
  await who.page.getByRole("button", { name: "Approve as asked" }).click();
  await who.page.getByText("Approved. It counts within a second.").waitFor();
  await look(who, "approved");
}

// The first two: one with a passkey, one with an app and without JavaScript's help.
const ola = await person("administrator", WIDE);
await enrolWithPasskey(ola, administratorLink);
const ines = await person("privacy", WIDE, false);
await ines.page.goto(privacyLink);
const secret = await ines.page.locator("code.secret").innerText();
await ines.page.locator("#code").fill("000000");
await ines.page.getByRole("button", { name: "Use this app" }).click();
await ines.page.getByText("That is not the code that the app shows now").waitFor();
await look(ines, "enrol-wrong-code");
expect("the secret after a wrong code", await ines.page.locator("code.secret").innerText(), secret);
await ines.page.locator("#code").fill(code(secret));
await ines.page.getByRole("button", { name: "Use this app" }).click();
await ines.page.getByRole("heading", { name: "Your recovery codes" }).waitFor();
const spare = (await ines.page.locator("ol.codes code").allInnerTexts())[0];
await ines.page.getByRole("button", { name: "I have them" }).click();
await look(ines, "today");

// Out and in again: by name and recovery code, which works once.
await ines.page.locator("details.user summary").click();
await ines.page.getByRole("button", { name: /sign out/i }).click();
await ines.page.waitForURL(`${site}/sign-in`);
await look(ines, "sign-in");
await ines.page.locator("#login").fill("ines.vogt");
await ines.page.locator("input[name=device][value=own]").check();
await ines.page.getByRole("button", { name: "Continue" }).click();
await look(ines, "sign-in-second");
await ines.page.locator("#code").fill("123456");
await ines.page.getByRole("button", { name: "Sign in", exact: true }).click();
await ines.page.getByText("That did not match.").waitFor();
await ines.page.getByText("I have neither").click();
await ines.page.locator("#recovery").fill(spare);
await ines.page.getByRole("button", { name: "Sign in with it" }).click();
await ines.page.waitForURL(`${site}/`);

// HR tells of two people. They hold nothing.
for (const [userName, displayName] of [["mara.keller", "Mara Keller"], ["megan.doyle", "Megan Doyle"]]) {
  const body = JSON.stringify({ schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"], userName, displayName, active: true });
  const made = await fetch(`${site}/scim/v2/Users`, { method: "POST", headers: { authorization: `Bearer ${scimToken}`, "content-type": "application/scim+json" }, body });
  expect(`SCIM of ${userName}`, made.status, 201);
}
await reads("before anything was approved", 403);

// The administrator finds them, and makes their links.
async function linkOf(name) {
  await ola.page.goto(`${site}/people`);
  await look(ola, "people");
  await ola.page.getByRole("link", { name }).first().click();
  await ola.page.waitForURL(/\/people\//);
  await look(ola, "person");
  const id = new URL(ola.page.url()).pathname.split("/").pop();
  await ola.page.getByRole("button", { name: /link to set up sign-in/ }).click();
  const text = await ola.page.getByText("/enrol?link=").innerText();
  await look(ola, "link");
  return [id, site + text.trim()];
}
const [maraId, maraLink] = await linkOf("Mara Keller");
const [meganId, meganLink] = await linkOf("Megan Doyle");
const mara = await person("manager", PHONE);
await enrolWithPasskey(mara, maraLink);
const megan = await person("nurse", PHONE);
await enrolWithPasskey(megan, meganLink);

// A role each: asked for by one, agreed to by another.
const forMara = await ask(ola, { subject: maraId, role: "manager", patients: "related", until: "month", reason: "Mara Keller leads 4 West from today on" });
await approve(ines, forMara);
const forMegan = await ask(ines, { subject: meganId, role: "nurse", patients: "related", until: "month", reason: "Megan Doyle works as a nurse on 4 West" });
await approve(mara, forMegan);
await reads("a nurse without a relationship", 404);

// The nurse asks, the manager approves on a telephone, the nurse reads.
await megan.page.goto(`${site}/ask`);
await scope(megan, ["labs", "vitals"]);
await megan.page.locator("#role").selectOption("nurse");
await megan.page.locator("#numbers").fill(patient);
await megan.page.locator("#reason").fill("test");
await megan.page.getByRole("button", { name: "Ask", exact: true }).click();
await megan.page.getByText("three words are too few").first().waitFor();
await look(megan, "ask-again");
expect("what was typed is kept", await megan.page.locator("#numbers").inputValue(), patient);
expect("what was ticked is kept", await megan.page.locator("input[name=kind]:checked").count(), 2);
const forChart = await ask(megan, { role: "nurse", patients: "numbers", numbers: patient, kinds: ["labs", "vitals"], until: "shift", reason: "Float pool tonight, the roster comes at eight" });
await megan.page.goto(`${site}/requests`);
await look(megan, "requests");
await mara.page.goto(`${site}/`);
await look(mara, "today-with-work");
await approve(mara, forChart);
await reads("an approved chart", 200);

// Nobody decides twice, and nobody decides for himself.
await mara.page.goto(`${site}${forChart}`);
expect("decided already", await mara.page.getByRole("button", { name: "Approve as asked" }).count(), 0);
await megan.page.goto(`${site}${forChart}`);
expect("one's own", await megan.page.getByRole("button", { name: "Approve as asked" }).count(), 0);

// The privacy office takes it back in two clicks.
await ines.page.goto(`${site}/people/${meganId}`);
await look(ines, "person");
await ines.page.getByRole("link", { name: /End .*one chart/ }).click();
await look(ines, "confirm");
await ines.page.getByRole("button", { name: "End it now" }).click();
await ines.page.getByText("Ended. It counts within a second.").waitFor();
await reads("after it was taken back", 404);

// The two doors that need nobody's yes.
async function door() {
  await megan.page.goto(`${site}/door`);
  await look(megan, "door-find");
  await megan.page.locator("#patient").fill(patient);
  await megan.page.getByRole("button", { name: "Go on" }).click();
  await megan.page.getByRole("heading", { name: "Not open to you now" }).waitFor();
  await look(megan, "door");
}
await door();
await megan.page.getByText("I cover for a colleague").click();
await megan.page.getByRole("button", { name: "I care for this patient" }).click();
await megan.page.waitForURL(/\/access/);
await look(megan, "access");
await reads("declared", 200);
await megan.page.getByRole("link", { name: /give it back/ }).first().click();
await look(megan, "give-back");
await megan.page.getByRole("button", { name: "Give it back" }).click();
await megan.page.waitForURL(/\/access/);
await reads("given back", 404);
await door();
await megan.page.getByRole("button", { name: "The patient cannot answer" }).click();
await megan.page.waitForURL(/\/access/);
await reads("an emergency", 200);
await megan.page.goto(`${site}/`);
await look(megan, "today-after");
await megan.page.locator("a[href*='/tell']").first().click();
await look(megan, "tell");
await megan.page.locator("#account").fill("Found unresponsive in the corridor, medications were needed at once");
await megan.page.getByRole("button", { name: "Send it" }).click();
await ines.page.goto(`${site}/emergency`);
await look(ines, "emergency");
await ines.page.locator("textarea[name=note]").first().fill("ok");
await ines.page.getByRole("button", { name: /^Justified/ }).first().click();
await ines.page.getByText("three words are too few").first().waitFor();
await look(ines, "emergency-again");
await ines.page.locator("textarea[name=note]").first().fill("Called to the corridor by the team, two minutes before the first read");
await ines.page.getByRole("button", { name: /^Justified/ }).first().click();
await ines.page.getByText("The review is closed.").waitFor();
await look(ines, "emergency-empty");

// What is not for somebody's work.
for (const [who, path] of [[megan, "/people"], [megan, "/emergency"], [mara, "/emergency"], [ola, "/emergency"]]) {
  const answer = await who.page.goto(`${site}${path}`);
  expect(`${path} for ${who.name}`, answer.status(), 403);
  await look(who, "forbidden");
}
// A page of a manager or an administrator holds no patient.
for (const who of [mara, ola]) {
  if (who.seen.some((html) => html.includes(patient))) complain(who.name, "a page names the patient");
}
await megan.page.goto(`${site}/`);
await megan.page.locator("details.user summary").click();
await megan.page.getByRole("button", { name: /sign out/i }).click();
await megan.page.goto(`${site}/access`);
await megan.page.waitForURL(`${site}/sign-in`);

await end();
