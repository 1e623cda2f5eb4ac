// Who opened this chart, and why: a privacy officer from a cold start of the demo, with a stop watch from the first page to the answer;
// then the complaint, the reader's answer on a telephone, the decision and the letter. Every page is looked at by axe, at three widths
// and in the dark where it is new, and kept as a picture.
//
//   node history.mjs CONSOLE PRIVACY-LINK NURSE-LINK NUMBER PATIENT FOLDER

import { PHONE, WIDE, journey } from "./journey.mjs";

const [site, privacyLink, nurseLink, number, patient, folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node history.mjs CONSOLE PRIVACY-LINK NURSE-LINK NUMBER PATIENT FOLDER");
  process.exit(2);
}
const { person, look: check, complain, end } = await journey(folder, [patient, number]);

/** Looks at the page where somebody is: as it is, on a telephone, in the dark. */
async function look(who, label) {
  const { page } = who;
  const told = page.url() + (await page.title());
  if (told.includes(patient) || told.includes(number)) complain(label, "address or title names the patient");
  await check(who, label);
  await page.setViewportSize(PHONE.viewport);
  await check(who, `${label}-phone`);
  await page.emulateMedia({ colorScheme: "dark" });
  await check(who, `${label}-phone-dark`);
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(who.screen.viewport);
}

async function enrol(who, link) {
  await who.page.goto(link);
  await who.page.getByRole("button", { name: "Make a passkey" }).click();
  await who.page.getByRole("heading", { name: "Your recovery codes" }).waitFor();
  await who.page.getByRole("button", { name: "I have them" }).click();
  await who.page.waitForURL(`${site}/`);
}

const ines = await person("privacy", WIDE);
const { page } = ines;
const began = Date.now();
await enrol(ines, privacyLink);
// By keyboard alone from here to the answer.
await page.getByRole("navigation", { name: "Areas" }).getByRole("link", { name: "Charts" }).focus();
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "Who opened this chart?" }).waitFor();
await page.locator("#patient").focus();
await page.keyboard.type(number);
await page.keyboard.press("Enter");
await page.waitForURL(/\/charts\/[0-9a-f-]{36}$/);
await page.getByText(/people opened this chart/).waitFor();
const seconds = (Date.now() - began) / 1000;
console.log(`answered ${seconds.toFixed(1)} s after the first link was opened`);
if (seconds > 90) complain("the question", `${seconds} seconds`);
const answer = await page.locator("main").innerText();
for (const word of ["Mara Keller", "Megan Doyle", "log of epic", "enforced and recorded by the gateway"]) {
  if (!answer.includes(word)) complain("the answer", `no ${word}`);
}
await look(ines, "history");
await page.locator("details.more summary").first().click();
await check(ines, "history-open");
await page.goto(`${site}/charts`);
await look(ines, "charts");
await page.getByRole("link", { name: /^chart \.\./i }).first().click();
await page.waitForURL(/\/charts\//);

await page.getByRole("link", { name: "Report for the patient" }).click();
await page.getByRole("heading", { name: "Who opened your record" }).waitFor();
await look(ines, "report");
await page.goBack();

// From the complaint to the letter.
const row = page.locator("ul.people > li", { hasText: "Megan Doyle" });
await row.getByText("Somebody complains about this").click();
await row.locator("textarea").fill("He");
await row.getByRole("button", { name: "Open a case" }).click();
await page.getByText("three words are too few").first().waitFor();
await look(ines, "case-refused");
const again = page.locator("ul.people > li", { hasText: "Megan Doyle" });
await again.locator("textarea").fill("My former husband works there, and I fear that he looked");
await again.getByRole("button", { name: "Open a case" }).click();
await page.waitForURL(/\/cases\//);
const casePage = page.url().split("?")[0];
await look(ines, "case");
await page.getByRole("button", { name: "Ask the reader" }).click();
await page.getByText("The reader is asked.").waitFor();

const megan = await person("nurse", PHONE);
await enrol(megan, nurseLink);
await look(megan, "asked-today");
await megan.page.getByRole("link", { name: "Answer in a sentence" }).click();
await megan.page.getByRole("heading", { name: "A question about your work" }).waitFor();
await look(megan, "answer");
const asked = await megan.page.content();
for (const word of [patient, number, "former husband"]) if (asked.includes(word)) complain("the reader's page", `names ${word}`);
await megan.page.locator("#account").fill("I was the nurse of that bed in the night");
await megan.page.getByRole("button", { name: "Send it" }).click();
await megan.page.getByText("Your answer is with the privacy office.").waitFor();
for (const path of ["/charts", new URL(casePage).pathname]) {
  const refused = await megan.page.goto(`${site}${path}`);
  if (refused.status() !== 403) complain(path, `the nurse gets ${refused.status()}`);
}

await page.goto(casePage);
await look(ines, "case-answered");
await page.locator("#note").fill("The roster has her on that unit in that night");
await page.getByRole("button", { name: "The work needed it" }).click();
await page.getByText("It is decided. The letter is next.").waitFor();
await look(ines, "case-decided");
await page.getByRole("button", { name: "Make the letter" }).click();
await page.getByRole("link", { name: "The letter, to print" }).click();
await page.waitForURL(/\/letter$/);
await look(ines, "letter");
await page.goto(`${site}/`);
await look(ines, "today");
const peopleLink = page.getByRole("navigation", { name: "Areas" }).getByRole("link", { name: "People" });
await peopleLink.click();
await page.getByRole("link", { name: "Megan Doyle" }).first().click();
await page.getByText("Used in the last 90 days").waitFor();
await look(ines, "person");

await end();
