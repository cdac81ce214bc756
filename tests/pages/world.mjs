// A server with something to show, and a browser to look at it with.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.env.PAGES_MODULES, "x.js"));
const { chromium } = require("playwright-core");

/** A module of those that are installed for these tests. */
export const installed = (name) => import(pathToFileURL(require.resolve(name)));
export const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const ADMIN = "only-for-these-tests-0123456789abcdef";
const EVENTS = 600;

/** A model that answers at once: what stands behind the gateway. */
async function model() {
  const server = http.createServer((request, response) => {
    request.resume();
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ id: "c1", object: "chat.completion", created: 1, model: "gpt-5.2", choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "Done." } }], usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 } }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** What people, agents and services did in the last hours: the same at each run but for the clock. */
function* happenings(now) {
  const people = ["ana@example.com", "ben@example.com", "chiara@example.com", "deniz@example.com"];
  const tables = [["customers", ["pii"]], ["orders", ["internal"]], ["patients", ["phi"]], ["prices", ["public"]]];
  const sources = {};
  for (let place = 0; place < EVENTS; place += 1) {
    const person = people[place % people.length];
    const [table, labels] = tables[(place * 7) % tables.length];
    const time = new Date(now - (EVENTS - place) * 30_000).toISOString().replace("Z", "+00:00");
    const source = ["orders-mcp", "warehouse", "assistant"][place % 3];
    sources[source] = (sources[source] ?? 0) + (source === "warehouse" && place === 301 ? 4 : 1);
    const result = place % 17 === 0 ? "denied" : place % 41 === 0 ? "failed" : "allowed";
    const common = { time, source: { id: source, kind: "api", seq: sources[source] }, trace: { trace_id: String(place % 50).padStart(32, "1"), span_id: String(place).padStart(16, "2") } };
    if (source === "assistant") {
      yield { ...common, actor: { id: "support-bot", type: "agent", name: "Support bot", ip: "192.0.2.7" }, on_behalf_of: [{ id: person, type: "human" }], action: "infer", operation: "chat.completions", resources: [{ type: "model", id: place % 2 ? "gpt-5.2" : "claude-sonnet-5" }], outcome: { result }, ai: { provider: "openai", request_model: place % 2 ? "gpt-5.2" : "claude-sonnet-5", input_tokens: 100 + place, output_tokens: 20 + (place % 30), conversation: `c-${place % 25}` } };
    } else if (source === "orders-mcp") {
      yield { ...common, actor: { id: "support-bot", type: "agent", name: "Support bot", ip: "192.0.2.7" }, on_behalf_of: [{ id: person, type: "human" }], action: "read", operation: "tools/call", resources: [{ type: "table", id: table, labels, count: 1 + ((place * 31) % 1300) }], outcome: result === "denied" ? { result, reason: "not for this agent", policy: "support-read" } : { result, policy: "support-read" }, ai: { tool_name: "lookup_order", conversation: `c-${place % 25}` } };
    } else {
      yield { ...common, actor: { id: person, type: "human", ip: "198.51.100.4" }, action: "read", operation: "SELECT", resources: [{ type: "table", id: table, labels, count: 1 + ((place * 13) % 90) }], outcome: { result }, duration_ns: 1_000_000 + place * 1_000 };
    }
  }
}

/** Starts the program over a data folder; gives its address when it listens. */
export async function start(data, config, port = 0) {
  const arguments_ = ["serve", "--data", data, "--listen", `127.0.0.1:${port}`, "--log-level", "error", ...(config ? ["--config", config] : [])];
  // variables of that name are settings to the program
  const { INDELIBLE_BIN, ...environment } = process.env;
  const child = spawn(INDELIBLE_BIN, arguments_, { env: { ...environment, INDELIBLE_ADMIN_TOKEN: ADMIN }, stdio: ["ignore", "ignore", "pipe"] });
  let told = "";
  const url = await new Promise((resolve, reject) => {
    // it tells people where it is, and people read standard error
    child.stderr.on("data", (piece) => {
      told += piece;
      const found = /^URL: *(\S+)/m.exec(told);
      if (found) resolve(found[1]);
    });
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${told}`)));
  });
  return { child, url, stop: async () => { child.kill(); await once(child, "exit"); } };
}

/** The browser. */
export function chromiumOfDebian() {
  const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  return chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--headless", "--no-sandbox", ...quiet] });
}

/** The world that tests look at. */
export async function world() {
  const folder = mkdtempSync(join(tmpdir(), "indelible-pages-"));
  const data = join(folder, "data");
  const upstream = await model();
  writeFileSync(join(folder, "provider.key"), "not-a-key\n");
  writeFileSync(join(folder, "hold.cedar"), '@id("models-need-a-person")\n@hold("somebody has to say yes")\npermit(principal, action, resource);\n');
  writeFileSync(join(folder, "indelible.toml"), `[policy]\nfolder = ${JSON.stringify(folder)}\n[[gateway.llm]]\nname = "models"\nmount = "/llm/models"\nupstream = "http://127.0.0.1:${upstream.address().port}"\nformat = "openai"\ncredential_file = ${JSON.stringify(join(folder, "provider.key"))}\n`);
  let server = await start(data, join(folder, "indelible.toml"));
  const api = async (method, path, body, type = "application/json") => {
    const answer = await fetch(server.url + path, { method, headers: { authorization: `Bearer ${ADMIN}`, ...(body ? { "content-type": type } : {}) }, body });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.text();
  };
  const lines = [...happenings(Date.now())].map((event) => JSON.stringify(event)).join("\n");
  await api("POST", "/v1/events", lines, "application/x-ndjson");
  const token = async (name, role) => JSON.parse(await api("POST", "/v1/tokens", JSON.stringify({ name, role }))).token;
  const tokens = { admin: ADMIN, read: await token("auditor", "read"), gateway: await token("assistant-app", "gateway"), boss: await token("boss", "approver") };
  const browser = await chromiumOfDebian();

  return {
    tokens,
    api,
    get url() { return server.url; },
    /** Every page by a name, with the one of an alert that was raised meanwhile. */
    async pages() {
      for (let tries = 0; tries < 60; tries += 1) {
        const { alerts } = JSON.parse(await api("GET", "/v1/alerts"));
        const denials = alerts.find(({ rule }) => rule.title.includes("denials")) ?? alerts[0];
        if (denials) return { ...PAGES, alert: `/alerts/${denials.id}` };
        await new Promise((done) => { setTimeout(done, 500); });
      }
      throw new Error("no alert within half a minute");
    },
    /** A call through the gateway, which the policy holds until somebody decides. */
    askAModel() {
      const headers = { authorization: `Bearer ${tokens.gateway}`, "content-type": "application/json", "x-indelible-conversation": "c-held" };
      const body = JSON.stringify({ model: "gpt-5.2", messages: [{ role: "user", content: "hello" }] });
      return fetch(`${server.url}/llm/models/v1/chat/completions`, { method: "POST", headers, body });
    },
    /** A page of a browser that has the session of another page, and nothing in its cache. */
    async afresh(page) {
      const context = await browser.newContext({ storageState: await page.context().storageState() });
      return context.newPage();
    },
    /** A page of a browser of its own, signed in as the holder of a token. */
    async open(who = "admin", options = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: "Europe/Berlin", locale: "en-GB", ...options });
      const page = await context.newPage();
      page.faults = [];
      page.on("pageerror", (error) => page.faults.push(error.message));
      page.on("console", (message) => { if (message.type() === "error" && !/status of [45]/.test(message.text())) page.faults.push(message.text()); });
      await page.goto(`${server.url}/sign-in`);
      await page.getByLabel("Token").fill(tokens[who]);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
      return page;
    },
    /** Stops the server, changes one name in an old entry of a copy of its data, and serves the copy. */
    async tampered() {
      await server.stop();
      const copy = join(folder, "copy");
      cpSync(data, copy, { recursive: true });
      const bundle = join(copy, "logs/main/tile/entries/000");
      const bytes = readFileSync(bundle);
      const at = bytes.indexOf("chiara@example.com", 20_000);
      bytes.write("eviria", at);
      rmSync(bundle);
      writeFileSync(bundle, bytes);
      server = await start(copy);
      return { entry: entryAt(bytes, at) };
    },
    async end() {
      await browser.close();
      await server.stop().catch(() => {});
      upstream.close();
      if (!process.env.KEEP) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Which entry of a bundle a byte belongs to (C2SP tlog-tiles, "Log Entries": each entry after its length in two bytes). */
function entryAt(bundle, at) {
  for (let entry = 0, begin = 0; ; entry += 1) {
    begin += 2 + bundle.readUInt16BE(begin);
    if (at < begin) return entry;
  }
}

/** Every page whose address is known beforehand, by a name for its picture. */
const PAGES = {
  overview: "/", search: "/search?q=outcome%3Adenied", event: "/events/main/100", actor: "/actor?id=support-bot", resource: "/resource?id=customers",
  flows: "/flows", alerts: "/alerts?state=any", approvals: "/approvals", sources: "/sources", integrity: "/integrity", access: "/access", settings: "/settings",
  export: "/export?q=label%3Apii", help: "/help",
};
