// Sign-in at the organisation's identity provider, a real one (oidc-provider): the first way in after a cold start, the step-up, and all
// who are to stay outside.
//
//   node oidc.mjs CONSOLE ISSUER CLIENT-SECRET LOGIN SCIM-TOKEN FOLDER

import { PHONE, WIDE, journey, require } from "./journey.mjs";
import { pathToFileURL } from "node:url";

const [site, issuer, secret, login, scimToken, folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node oidc.mjs CONSOLE ISSUER CLIENT-SECRET LOGIN SCIM-TOKEN FOLDER");
  process.exit(2);
}
const { person, look, expect, complain, end } = await journey(folder);
const LABEL = /^Sign in with St. Elsewhere, at my own device$/;

/** Who sits before the provider: its name for him, the login that it tells of him, and how he shows that it is he. */
let sits = { subject: "8f14-ola", login, amr: ["pwd", "otp", "mfa"] };

async function provider() {
  const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));
  const people = new Map();
  const made = new Provider(issuer, {
    clients: [{ client_id: "scruple", client_secret: secret, redirect_uris: [`${site}/sign-in/back`] }],
    claims: { openid: ["sub", "amr"], acr: null, auth_time: null, profile: ["preferred_username"], email: ["email", "email_verified"] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: people.get(id) }) }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
  });
  made.use(async (ctx, next) => {
    if (!ctx.path.startsWith("/interaction/")) {
      await next();
      const to = ctx.response.get("location");
      if (!to.startsWith(`${site}/sign-in/back`)) return;
      back = to;
      if (sits.held) Object.assign(ctx, { status: 200, body: "held" });
      return;
    }
    const { subject, login, amr } = sits;
    if (!subject) return made.interactionFinished(ctx.req, ctx.res, { error: "access_denied" });
    people.set(subject, login);
    asked += 1;
    await made.interactionFinished(ctx.req, ctx.res, { login: { accountId: subject, amr, remember: false } });
    ctx.respond = false;
  });
  return new Promise((go) => {
    const server = made.listen(new URL(issuer).port, "127.0.0.1", () => go(server));
  });
}
let asked = 0;
/** The address that the provider last sent a browser back to. */
let back;

async function goes(who) {
  await who.page.goto(`${site}/sign-in`);
  await who.page.getByRole("link", { name: LABEL }).click();
}
async function isOutside(who, label) {
  await who.page.getByRole("heading", { name: "You are not signed in" }).waitFor();
  await look(who, label);
  await who.page.goto(`${site}/`);
  expect(label, new URL(who.page.url()).pathname, "/sign-in");
}
const scim = (method, path, body) =>
  fetch(`${site}/scim/v2${path}`, { method, headers: { authorization: `Bearer ${scimToken}`, "content-type": "application/scim+json" }, body: JSON.stringify(body) });

// The provider is not there yet.
const ola = await person("administrator", WIDE, false);
await ola.page.goto(`${site}/sign-in`);
await look(ola, "sign-in");
await ola.page.getByRole("link", { name: LABEL }).click();
await ola.page.getByRole("heading", { name: "That way is closed now" }).waitFor();
await look(ola, "closed");

// It names somebody who is known here: he is in.
const server = await provider();
await goes(ola);
await ola.page.waitForURL(`${site}/`);
await look(ola, "today");

// Who is to stay outside, each with a browser that the provider has not seen.
async function staysOutside(label, who) {
  sits = { login, amr: ["pwd", "otp", "mfa"], ...who };
  const one = await person(label, PHONE, false);
  await goes(one);
  await isOutside(one, "outside");
  return one;
}
const unknown = await staysOutside("unknown", { subject: "8f14-nobody", login: "nobody.here" });
await unknown.page.goto(back);
await isOutside(unknown, "the-same-code-again");
await staysOutside("other", { subject: "8f14-other" });
await staysOutside("one-factor", { subject: "8f14-ola", amr: ["pwd"] });
await staysOutside("gave-up", { subject: null });
// The snooper's own code, in somebody else's browser.
sits = { subject: "8f14-ola", login, amr: ["pwd", "otp", "mfa"], held: true };
const snooper = await person("snooper", PHONE, false);
await goes(snooper);
await snooper.page.getByText("held").waitFor();
const victim = await person("victim", PHONE, false);
await victim.page.goto(back);
await isOutside(victim, "a-code-that-another-fetched");

// A sensitive act asks anew, at the provider.
const user = { schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"], userName: "rosa.diaz", displayName: "Rosa Diaz", active: true };
const made = await scim("POST", "/Users", user);
expect("SCIM of rosa.diaz", made.status, 201);
const { id } = await made.json();
await ola.page.goto(`${site}/people`);
await ola.page.getByRole("link", { name: "Rosa Diaz" }).first().click();
await ola.page.getByRole("button", { name: /link to set up sign-in/ }).click();
await ola.page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
await look(ola, "confirm");
const before = asked;
sits = { subject: "8f14-other", login, amr: ["pwd", "otp", "mfa"] };
await ola.page.getByRole("link", { name: "Confirm with St. Elsewhere" }).click();
await ola.page.getByRole("heading", { name: "You are not signed in" }).waitFor();
await look(ola, "confirmed-by-another");
sits = { subject: "8f14-ola", login, amr: ["pwd", "otp", "mfa"] };
await ola.page.goto(`${site}/people`);
await ola.page.getByRole("link", { name: "Rosa Diaz" }).first().click();
await ola.page.getByRole("button", { name: /link to set up sign-in/ }).click();
await ola.page.getByRole("link", { name: "Confirm with St. Elsewhere" }).click();
await ola.page.waitForURL(/\/people\//);
await look(ola, "person");
expect("the provider was asked anew each time", asked - before, 2);
await ola.page.getByRole("button", { name: /link to set up sign-in/ }).click();
await ola.page.getByText("/enrol?link=").waitFor();

// Whom HR knows is in, with nothing; whom HR ends is out at once and stays out.
const rosa = await person("nurse", PHONE, false);
sits = { subject: "8f14-rosa", login: "rosa.diaz", amr: ["pwd", "otp", "mfa"] };
await goes(rosa);
await rosa.page.waitForURL(`${site}/`);
await look(rosa, "today");
const ended = await scim("PATCH", `/Users/${id}`, { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations: [{ op: "replace", path: "active", value: false }] });
expect("SCIM ends rosa.diaz", ended.status, 200);
await rosa.page.goto(`${site}/`);
expect("whom HR has ended", new URL(rosa.page.url()).pathname, "/sign-in");
await goes(rosa);
await isOutside(rosa, "who-has-left");

// The provider goes away while somebody is there.
await ola.page.goto(`${site}/`);
await look(ola, "today-still");
server.closeAllConnections();
await new Promise((go) => server.close(go));
if ([...ola.seen, ...rosa.seen, ...unknown.seen].some((html) => html.includes("8f14-"))) complain("the pages", "one names a subject");
await end();
