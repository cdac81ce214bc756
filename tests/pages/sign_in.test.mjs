// Signing in at an OpenID provider (npm's oidc-provider), in a real browser. The provider is at `localhost`, the program at `127.0.0.1`:
// to the browser two sites, as in life.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { ADMIN, chromiumOfDebian, installed, start } from "./world.mjs";

const SECRET = "a-secret-of-the-client-0123456789";
const GROUPS = { ana: ["staff", "auditors"], ben: ["staff"], chiara: ["admins"] };

/** A port that is free now. */
async function freePort() {
  const server = http.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** The provider: anybody may sign in under any name; the groups are those above. */
async function provider(redirect) {
  const { Provider } = await installed("oidc-provider");
  const server = http.createServer().listen(0, "localhost");
  await once(server, "listening");
  const issuer = `http://localhost:${server.address().port}`;
  const claims = (sub) => ({ sub, email: `${sub}@example.com`, email_verified: sub !== "deniz", groups: GROUPS[sub] ?? [] });
  const oidc = new Provider(issuer, {
    clients: [{ client_id: "indelible", client_secret: SECRET, redirect_uris: [redirect], grant_types: ["authorization_code"], response_types: ["code"] }],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["groups"] },
    cookies: { keys: ["of these tests"] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => claims(sub) }),
  });
  server.on("request", oidc.callback());
  return { issuer, stop: async () => { server.closeAllConnections(); server.close(); await once(server, "close"); } };
}

let folder, server, identity, browser;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "indelible-sign-in-"));
  const port = await freePort();
  const redirect = `http://127.0.0.1:${port}/sign-in/callback`;
  identity = await provider(redirect);
  writeFileSync(join(folder, "secret"), SECRET);
  const rule = (group, role) => `[[sign_in.oidc.role]]\ngroup = "${group}"\nrole = "${role}"\n`;
  const settings = `[sign_in.oidc]\nissuer = "${identity.issuer}"\nclient_id = "indelible"\nclient_secret_file = ${JSON.stringify(join(folder, "secret"))}\nredirect_url = "${redirect}"\n`;
  writeFileSync(join(folder, "indelible.toml"), settings + rule("auditors", "read") + rule("admins", "admin"));
  server = await start(join(folder, "data"), join(folder, "indelible.toml"), port);
  browser = await chromiumOfDebian();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await identity?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Goes to a page of the program, and from there through the provider as somebody. */
async function signIn(who, path = "/") {
  const page = await (await browser.newContext()).newPage();
  await page.goto(server.url + path);
  await page.getByRole("link", { name: "Sign in with your organisation" }).click();
  await page.waitForURL(/localhost.*interaction/);
  await page.locator("input[name=login]").fill(who);
  await page.locator("input[name=password]").fill("anything");
  await page.getByRole("button", { name: /sign-in/i }).click();
  await page.getByRole("button", { name: /continue/i }).click();
  await page.waitForURL((url) => url.hostname === "127.0.0.1");
  return page;
}

test("somebody in a group with a role comes back to the page they wanted, with that role, and it is on record", async () => {
  const page = await signIn("ana", "/search?q=action%3Alogin");
  await page.waitForURL(/\/search\?q=action%3Alogin/);
  assert.match(await page.locator(".who summary").textContent(), /ana@example\.com\s+read/);
  const answer = await fetch(`${server.url}/v1/events?q=action%3Alogin`, { headers: { authorization: `Bearer ${ADMIN}` } });
  const [login] = (await answer.json()).events.map(({ event }) => event);
  assert.equal(login.actor.id, "ana@example.com");
  assert.equal(login.actor.type, "human");
  const settings = await page.goto(`${server.url}/access`);
  assert.equal(settings.status(), 403, "the role read does not open what an administrator sees");
  await page.goto(server.url);
  await page.locator(".who summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/sign-in/);
  await page.goto(`${server.url}/search`);
  assert.match(page.url(), /sign-in/, "the session is over");
});

test("another group has another role", async () => {
  const page = await signIn("chiara", "/access");
  await page.getByRole("heading", { name: "Access" }).waitFor();
  await page.getByRole("row", { name: /auditors read/ }).waitFor();
});

test("somebody without a group that has a role does not get in, and is told why", async () => {
  const page = await signIn("ben");
  assert.match(await page.getByRole("alert").textContent(), /ben@example\.com/);
  await page.goto(server.url);
  assert.match(page.url(), /sign-in/);
});

test("an address that nobody has shown to be theirs names nobody", async () => {
  const page = await signIn("deniz");
  assert.match(await page.getByRole("alert").textContent(), /`email`.*unverified/);
});

test("a return that was used, or belongs to another browser, opens nothing", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(server.url);
  let back;
  page.on("request", (request) => { if (request.url().includes("/sign-in/callback?")) back = request.url(); });
  await page.getByRole("link", { name: "Sign in with your organisation" }).click();
  await page.locator("input[name=login]").fill("ana");
  await page.locator("input[name=password]").fill("anything");
  await page.getByRole("button", { name: /sign-in/i }).click();
  await page.getByRole("button", { name: /continue/i }).click();
  await page.waitForURL((url) => url.hostname === "127.0.0.1");
  await context.clearCookies({ name: "indelible_session" });
  for (const somebody of [page, await (await browser.newContext()).newPage()]) {
    await somebody.goto(back);
    assert.match(await somebody.getByRole("alert").textContent(), /Begin again/);
  }
});

// last: the provider is gone after it
test("without the provider the page says so, and a token still opens it", async () => {
  await identity.stop();
  identity = undefined;
  await server.stop();
  server = await start(join(folder, "data"), join(folder, "indelible.toml"), new URL(server.url).port);
  const page = await (await browser.newContext()).newPage();
  await page.goto(server.url);
  await page.getByRole("link", { name: "Sign in with your organisation" }).click();
  assert.match(await page.getByRole("alert").textContent(), /You are not signed in/);
  await page.getByLabel("Token").fill(ADMIN);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
});
