// The console in a browser: axe on each page in light and dark, wide and on a telephone, without JavaScript; what Tab
// reaches; whether focus shows; whether anything is wider than the screen; screenshots.
//
//   npm ci && node axe.mjs http://127.0.0.1:PORT FOLDER [light | dark | phone | phone-dark | use]...
//
// FOLDER is where screenshots go; with - in its place none are made.
// Without a name: all but phone-dark. `use` is the keyboard, a user's way through the pages, and a passkey.
// Needs Debian's chromium, or SCRUPLE_TEST_CHROMIUM=/path/to/one. Exits with 1 if anything is found.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PARTS = ["light", "dark", "phone", "phone-dark", "use"];
const [base, folder, ...named] = process.argv.slice(2);
const parts = named.length > 0 ? named : PARTS.filter((part) => part !== "phone-dark");
if (!base || !folder || parts.some((part) => !PARTS.includes(part))) {
  console.error(`usage: node axe.mjs BASE FOLDER [${PARTS.join(" | ")}]...`);
  process.exit(2);
}
const isShown = folder !== "-";
if (isShown) mkdirSync(folder, { recursive: true });
/** Keeps a screenshot, if they are wanted. */
const keep = (page, name, options) => (isShown ? page.screenshot({ path: join(folder, `${name}.png`), ...options }) : undefined);
// The packages stand beside this file, or where `cargo xtask test` has put them.
const packages = process.env.SCRUPLE_TEST_BROWSER;
const require = createRequire(packages ? join(packages, "package.json") : import.meta.url);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const found = [];
const complain = (where, what) => {
  found.push(`${where}: ${what}`);
  console.log(`FOUND ${where}: ${what}`);
};

// A container's /dev/shm may hold less than a long page on a screenshot.
const FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: process.env.SCRUPLE_TEST_CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });

const SCREENS = [
  { name: "light", viewport: { width: 1440, height: 1000 }, colorScheme: "light" },
  { name: "dark", viewport: { width: 1440, height: 1000 }, colorScheme: "dark" },
  { name: "phone", viewport: { width: 390, height: 844 }, colorScheme: "light" },
  { name: "phone-dark", viewport: { width: 390, height: 844 }, colorScheme: "dark" },
];

/** The address of the first part of a type, as a user finds it. */
async function part(page, path, type) {
  await page.goto(base + path);
  const href = await page.locator("nav.parts ul a").evaluateAll((links, type) => links.find((link) => link.textContent.trim().split(/\s/)[0] === type)?.getAttribute("href"), type);
  if (!href) throw new Error(`no part ${type}`);
  return href;
}

const plain = await browser.newContext({ javaScriptEnabled: true });
const scout = await plain.newPage();
const LENS = "/lens?record=1&item=0";
const PAGES = [
  ["lens-biller", `${LENS}&role=biller&purpose=HPAYMT`],
  ["lens-front-desk", `${LENS}&role=front_desk&purpose=PATADMIN`],
  ["lens-nurse", `${LENS}&role=nurse&purpose=TREAT`],
  ["lens-quality", `${LENS}&role=quality_analyst&purpose=HQUALIMP`],
  ["lens-two", `${LENS}&role=front_desk&purpose=PATADMIN&role2=nurse&purpose2=TREAT`],
  ["lens-observation", await part(scout, `${LENS}&role=quality_analyst&purpose=HQUALIMP`, "Observation")],
  ["lens-encounter", await part(scout, `${LENS}&role=front_desk&purpose=PATADMIN`, "Encounter")],
  ["lens-withheld", await part(scout, `${LENS}&role=biller&purpose=HPAYMT`, "DocumentReference")],
  ["lens-labelled", "/lens?record=0&item=0&role=nurse&purpose=TREAT&role2=physician&purpose2=TREAT"],
  ["samples", "/samples"],
  ["error", "/lens?role=nobody"],
];
// Every page with made-up values.
await scout.goto(`${base}/samples/pages`);
const SAMPLES = await scout.locator("main a").evaluateAll((links) => links.map((link) => [link.getAttribute("href").slice(9).replace("/", "-"), link.getAttribute("href")]));
await plain.close();
// Every page on every screen takes minutes; the tests take one of each kind, unless told otherwise.
const all = process.env.SCRUPLE_BROWSER_ALL === "1";
const chosenPages = all ? PAGES : PAGES.filter(([label]) => ["lens-two", "lens-withheld", "samples", "error"].includes(label));
const chosenScreens = SCREENS.filter(({ name }) => parts.includes(name));

// Each sample once on a telephone but for other writing and hostile text (3 and 4 of a page), which change what is wide and not what the
// page is made of; of these the first five pages. The first one of a page also wide and dark. Or all on all.
const isOfWriting = ([label]) => /-[34]$/.test(label);
const onPhone = SAMPLES.filter((sample) => !isOfWriting(sample)).concat(SAMPLES.filter(isOfWriting).slice(0, 10));
const samplesOn = (name) => (all ? SAMPLES : name === "phone" ? onPhone : name === "dark" ? SAMPLES.filter(([label]) => label.endsWith("-1")) : []);

for (const screen of chosenScreens) {
  const { name, ...options } = screen;
  // The page runs without JavaScript; axe is put in by the driver, which the page's own policy would refuse.
  const still = await browser.newContext({ ...options, javaScriptEnabled: false });
  const tested = await browser.newContext({ ...options, bypassCSP: true });
  for (const context of [still, tested]) context.setDefaultTimeout(120000);
  for (const [label, path] of [...chosenPages, ...samplesOn(name)]) {
    const where = `${label} ${name}`;
    // The first sample of a page as it comes and with all opened; the others with all opened.
    const first = all || !path.startsWith("/samples/") || label.endsWith("-1");
    const complaints = [];
    if (first) {
      const page = await still.newPage();
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      page.on("requestfailed", (request) => complaints.push(`request failed: ${new URL(request.url()).pathname}`));
      await page.goto(base + path);
      await keep(page, `${label}-${name}`, { fullPage: true });
      await page.close();
    }
    for (const complaint of complaints) {
      if (!(label === "error" && complaint.includes("400"))) complain(where, complaint);
    }
    const probe = await tested.newPage();
    await probe.goto(base + path);
    await probe.evaluate(axe);
    const open = async (state) => {
      const result = await probe.evaluate(() => axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
      for (const violation of result.violations) {
        complain(where + state, `axe ${violation.id}: ${violation.nodes.length} x, first ${violation.nodes[0].html.slice(0, 160)} ${violation.nodes[0].failureSummary ?? ""}`);
      }
    };
    if (first) await open("");
    const wide = await probe.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) complain(where, `${wide} pixels wider than the screen`);
    const small = await probe.evaluate(() =>
      [...document.querySelectorAll("main a, main button, main select, main textarea, main summary, main input:not([type=hidden], [type=radio], [type=checkbox]), .pick, header summary, header a:not(.skip)")]
        // A link within a sentence is as high as its line (WCAG 2.5.8).
        .filter((element) => element.checkVisibility() && getComputedStyle(element).display !== "inline" && !element.closest("p:not(.share p)"))
        .filter((element) => element.getBoundingClientRect().height < 43.5)
        .map((element) => `${element.tagName} "${element.textContent.trim().slice(0, 30)}" ${element.getBoundingClientRect().height}`),
    );
    if (small.length > 0) complain(where, `targets under 44 px: ${small.length}, first ${small[0]}`);
    const shut = await probe.evaluate(() => {
      const details = [...document.querySelectorAll("details:not([open])")];
      for (const each of details) each.open = true;
      return details.length;
    });
    if (shut > 0 || !first) await open(" opened");
    const wider = await probe.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wider > 0) complain(`${where} opened`, `${wider} pixels wider than the screen`);
    await probe.close();
  }
  await still.close();
  await tested.close();
}

// The keyboard: Tab reaches each control once, in the order of the page, and each shows that it has the focus.
async function keyboard() {
  const keys = await browser.newContext({ viewport: { width: 1440, height: 1000 }, bypassCSP: true });
  for (const [label, path] of PAGES.filter(([label]) => ["lens-biller", "lens-two", "samples", "error"].includes(label)).concat(SAMPLES.filter(([label]) => ["today-1", "people-1"].includes(label)))) {
    const page = await keys.newPage();
    await page.goto(base + path);
    const expected = await page.evaluate(() => {
      const all = [...document.querySelectorAll("a[href], button:not(:disabled), select:not(:disabled), textarea:not(:disabled), input:not(:disabled):not([type=hidden]), summary")];
      // Of a group of radio buttons Tab reaches the chosen one.
      const shown = all.filter((element) => (element.matches(".skip") || element.checkVisibility()) && !element.matches("input[type=radio]:not(:checked)"));
      shown.forEach((element, place) => (element.dataset.place = String(place)));
      return shown.length;
    });
    const order = [];
    for (let press = 0; press < expected; press += 1) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        const style = getComputedStyle(element);
        return { place: Number(element.dataset.place ?? -1), visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, text: element.textContent.trim().slice(0, 30) };
      });
      order.push(at.place);
      if (!at.visible) complain(`${label} keyboard`, `focus does not show on "${at.text}"`);
    }
    const wrong = order.findIndex((place, index) => place !== index);
    if (wrong >= 0) complain(`${label} keyboard`, `press ${wrong + 1} came to ${order[wrong]} of ${expected}`);
    console.log(`${label}: Tab reached ${order.length} controls in order`);
    await page.close();
  }
  await keys.close();
}

// As a user: the skip link, a reason opened by the keyboard, the form, a role by its link; without JavaScript.
async function journey() {
  const user = await browser.newContext({ viewport: { width: 1440, height: 1000 }, javaScriptEnabled: false });
  const page = await user.newPage();
  await page.goto(base);
  await page.keyboard.press("Tab");
  await keep(page, "skip-link");
  await page.keyboard.press("Enter");
  if (!page.url().endsWith("#content")) complain("journey", "the skip link leads elsewhere");
  const why = page.locator("details.why").first();
  await why.locator("summary").focus();
  await page.keyboard.press("Enter");
  if (!(await why.locator("dl").isVisible())) complain("journey", "a reason does not open");
  await keep(page, "reason-open");
  await page.locator("#as").selectOption("nurse.TREAT");
  await page.locator("#and").selectOption("biller.HPAYMT");
  await page.locator(".ask button").click();
  await page.waitForURL("**/lens?record=*&item=0&role=nurse&purpose=TREAT&role2=biller&purpose2=HPAYMT");
  await page.getByRole("link", { name: "Front desk" }).click();
  if (!page.url().includes("role=front_desk")) complain("journey", "a role's link leads elsewhere");
  await page.getByRole("link", { name: "Show the first role alone" }).click();
  if (page.url().includes("role2")) complain("journey", "the second role stays");
  await page.emulateMedia({ media: "print" });
  await keep(page, "print", { fullPage: true });
  await user.close();
}

// A passkey, made and used by a device that is none; and what is said where the device has none.
async function passkey() {
  const owner = await browser.newContext();
  const desk = await owner.newPage();
  const device = await owner.newCDPSession(desk);
  await device.send("WebAuthn.enable");
  const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  const { authenticatorId } = await device.send("WebAuthn.addVirtualAuthenticator", { options });
  const origin = base.replace("127.0.0.1", "localhost");
  for (const [path, action, members] of [["/samples/enrol/1", "/enrol/passkey", ["attestationObject"]], ["/samples/sign-in/4", "/sign-in/passkey", ["authenticatorData", "signature"]]]) {
    await desk.goto(origin + path);
    // What is sent is looked at, and taken: a sample has nobody to send it to.
    await desk.route(`**${action}`, (route) => route.fulfill({ status: 200, contentType: "text/html", body: "taken" }));
    const sent = desk.waitForRequest((request) => request.method() === "POST");
    await desk.locator("form[data-passkey] button").click();
    const request = await sent;
    await desk.waitForURL(`**${action}`);
    const fields = new URLSearchParams(request.postData());
    const answer = JSON.parse(fields.get("passkey"));
    if (new URL(request.url()).pathname !== action || !fields.get("csrf")) complain("passkey", `${path} is sent elsewhere or without its token`);
    for (const part of ["clientDataJSON", ...members]) if (!answer.response[part]) complain("passkey", `${path} lacks ${part}`);
  }
  await device.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
  await device.send("WebAuthn.addVirtualAuthenticator", { options });
  await desk.goto(origin + "/samples/sign-in/4");
  await desk.locator("form[data-passkey] button").click();
  await desk.locator("[data-failed]").waitFor({ state: "visible", timeout: 20000 }).catch(() => complain("passkey", "nothing is said where there is no passkey"));
  await owner.close();
}

if (parts.includes("use")) {
  await keyboard();
  await journey();
  await passkey();
}
await browser.close();

console.log(found.length === 0 ? "nothing found" : `${found.length} found`);
process.exit(found.length === 0 ? 0 : 1);
