// What every journey through the console needs: people with browsers of their own, a look at each page by axe, and a list of what was
// found wrong.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const packages = process.env.SCRUPLE_TEST_BROWSER;
export const require = createRequire(packages ? join(packages, "package.json") : import.meta.url);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const WIDE = { viewport: { width: 1280, height: 900 } };
export const PHONE = { viewport: { width: 390, height: 844 } };

/** Begins a journey: pictures go to `folder`; no address may hold one of `secrets`. */
export async function journey(folder, secrets = []) {
  mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch({ executablePath: process.env.SCRUPLE_TEST_CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });
  const found = [];
  const people = [];
  let pictures = 0;

  process.on("uncaughtException", async (error) => {
    console.log(error.message);
    for (const { name, page } of people) {
      const says = await page.locator("body").innerText({ timeout: 1000 }).catch(() => "");
      console.log(`${name} is at ${page.url()}:\n${says.slice(0, 600)}`);
    }
    process.exit(1);
  });

  const complain = (where, what) => {
    found.push(`${where}: ${what}`);
    console.log(`FOUND ${where}: ${what}`);
  };

  const expect = (where, is, should) => {
    if (JSON.stringify(is) !== JSON.stringify(should)) complain(where, `${JSON.stringify(is)} and not ${JSON.stringify(should)}`);
  };

  /** A person with a browser of his own, and a device that makes passkeys. */
  async function person(name, screen, withPasskeys = true) {
    const context = await browser.newContext({ ...screen, bypassCSP: true });
    const page = await context.newPage();
    page.setDefaultTimeout(20000);
    if (withPasskeys) {
      const devtools = await context.newCDPSession(page);
      await devtools.send("WebAuthn.enable");
      const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
      await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
    }
    const made = { name, page, screen, seen: [] };
    people.push(made);
    return made;
  }

  /** Looks at the page where somebody is. */
  async function look(who, label) {
    const { page } = who;
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    for (const one of violations) complain(`${label} (${who.name})`, `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
    const width = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    if (width[0] > width[1]) complain(`${label} (${who.name})`, `wider than the screen: ${width.join(" of ")}`);
    if ((await page.locator("h1").count()) !== 1) complain(label, "not one h1");
    if (secrets.some((secret) => page.url().includes(secret))) complain(label, "the address names a patient");
    who.seen.push(await page.content());
    pictures += 1;
    await page.screenshot({ path: join(folder, `${String(pictures).padStart(2, "0")}-${label}-${who.name}.png`), fullPage: true });
  }

  /** Ends it, and the program. */
  async function end() {
    await browser.close();
    console.log(`${pictures} pages looked at, ${found.length} findings`);
    process.exit(found.length ? 1 : 0);
  }

  return { person, look, expect, complain, end };
}
