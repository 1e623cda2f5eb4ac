// Twenty emergencies of one night, and the morning after: a nurse opens twenty charts and says why; the privacy office reads one of each
// group in full and closes the groups, with a stop watch. One case that is different is decided on its own page.
//
//   node twenty.mjs CONSOLE PRIVACY-LINK NURSE-LINK NUMBERS FOLDER

import { PHONE, WIDE, journey } from "./journey.mjs";

const [site, privacyLink, nurseLink, list, folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node twenty.mjs CONSOLE PRIVACY-LINK NURSE-LINK NUMBERS FOLDER");
  process.exit(2);
}
const numbers = list.split(",");
const { person, look, expect, complain, end } = await journey(folder, numbers);
const REASONS = ["The patient cannot answer", "Rapid response or code", "Poisoning, allergy or interaction"];

async function enrol(who, link) {
  await who.page.goto(link);
  await who.page.getByRole("button", { name: "Make a passkey" }).click();
  await who.page.getByRole("button", { name: "I have them" }).click();
  await who.page.waitForURL(`${site}/`);
}

const megan = await person("nurse", PHONE);
await enrol(megan, nurseLink);
for (const [place, number] of numbers.entries()) {
  await megan.page.goto(`${site}/door`);
  await megan.page.locator("#patient").fill(number);
  await megan.page.getByRole("button", { name: "Go on" }).click();
  await megan.page.getByRole("button", { name: REASONS[place % REASONS.length] }).click();
  await megan.page.waitForURL(/\/access/);
}
// One sentence each; the last one stays untold.
for (let told = 1; told < numbers.length; told += 1) {
  await megan.page.goto(`${site}/`);
  await megan.page.locator("a[href*='/tell']").first().click();
  await megan.page.locator("#account").fill(`Called to bed ${told} by the team, medications were needed at once, number ${told}`);
  await megan.page.getByRole("button", { name: "Send it" }).click();
  await megan.page.waitForURL(/done=told/);
}

const ines = await person("privacy", WIDE);
await enrol(ines, privacyLink);
await ines.page.goto(`${site}/`);
const began = Date.now();
await ines.page.goto(`${site}/emergency`);
await look(ines, "groups");
const count = async () => {
  await ines.page.goto(`${site}/emergency`);
  const text = await ines.page.locator(".heading .soft").innerText();
  return Number(/(\d+) open/.exec(text)?.[1] ?? 0);
};
expect("open before", await count(), numbers.length);
let clicks = 0;
for (;;) {
  const group = ines.page.locator("section.group", { has: ines.page.getByRole("button", { name: /^Justified/ }) }).first();
  if (!(await group.count())) break;
  await group.locator("textarea[name=note]").fill("Seen with the log of the switchboard of that night; the reads fit the calls");
  await group.getByRole("button", { name: /^Justified/ }).click();
  await ines.page.getByText(/The reviews? (is|are) closed\./).waitFor();
  clicks += 1;
  if (clicks === 1) await look(ines, "after-the-first-group");
  if (clicks > numbers.length) break;
}
const seconds = Math.round((Date.now() - began) / 1000);
expect("open after", await count(), 0);
await look(ines, "nothing-left");
await ines.page.goto(`${site}/emergency?state=closed`);
await look(ines, "closed");
await ines.page.goto(`${site}/emergency/figures`);
await look(ines, "figures");
await ines.page.goto(`${site}/exceptions`);
await look(ines, "exceptions");
await ines.page.goto(`${site}/requests/figures`);
await look(ines, "requests-figures");
console.log(`${numbers.length} reviews closed with ${clicks} sentences in ${seconds} s, machine time`);
if (clicks >= numbers.length / 2) complain("groups", `${clicks} decisions for ${numbers.length} reviews`);
await end();
