// The pages as an auditor and an analyst use them, in a real browser. One server for all; the tests run one after the other.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { AXE, world } from "./world.mjs";

let here;
before(async () => { here = await world(); });
after(async () => { await here?.end(); });

const noFaults = (page) => assert.deepEqual(page.faults, []);
const settled = (page) => page.waitForLoadState("networkidle");

test("a wrong token is refused in words, a right one opens the page one wanted", async () => {
  const page = await here.open();
  await page.context().clearCookies();
  await page.goto(`${here.url}/search?q=actor%3Aana%40example.com`);
  assert.match(page.url(), /\/sign-in\?next=/);
  await page.getByLabel("Token").fill("ind_a_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").textContent(), /not known here/);
  await page.getByLabel("Token").fill(here.tokens.admin);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/\/search\?q=actor/);
  const cookies = await page.context().cookies();
  assert.ok(cookies.some(({ name, httpOnly, sameSite }) => name === "indelible_session" && httpOnly && sameSite === "Strict"));
  noFaults(page);
});

test("search: completion, hits, counts, an error under its place", async () => {
  const page = await here.open();
  await page.keyboard.press("/");
  await page.waitForURL(/\/search/);
  await page.keyboard.press("/");
  await page.keyboard.type("outc");
  await page.getByRole("option", { name: /^outcome:/ }).first().click();
  await page.getByRole("option", { name: /denied/ }).click();
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=outcome%3Adenied/);
  await settled(page);
  const answer = JSON.parse(await here.api("GET", "/v1/stats?q=outcome%3Adenied"));
  const found = Number((await page.locator(".found b").textContent()).replaceAll(",", ""));
  assert.equal(found, answer.matched);
  await page.getByRole("complementary", { name: "Counts by field" }).getByRole("link", { name: "support-bot", exact: true }).click();
  await page.waitForURL(/actor%3Asupport-bot/);
  await page.goto(`${here.url}/search?q=outcome%3Adenied+actr%3Aana`);
  assert.match(await page.getByRole("alert").textContent(), /there is no field `actr`[\s\S]*did you mean `actor`/);
  noFaults(page);
});

test("brushing the histogram narrows the time, scrolling brings more, the link brings it all back", async () => {
  const page = await here.open();
  await page.goto(`${here.url}/search?q=action%3Aread`);
  await settled(page);
  const before = Number((await page.locator(".found b").textContent()).replaceAll(",", ""));
  const box = await page.locator(".u-over").boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 40, { steps: 6 });
  await page.mouse.up();
  await page.waitForURL(/from=.*to=/);
  const link = page.url();
  const some = Number((await page.locator(".found b").textContent()).replaceAll(",", ""));
  assert.ok(some > 0 && some < before, `${some} of ${before}`);
  const other = await here.open("read");
  await other.goto(link);
  assert.equal(Number((await other.locator(".found b").textContent()).replaceAll(",", "")), some, "the same for whom the link was sent");
  await page.goto(`${here.url}/search?q=action%3Aread`);
  const first = await page.locator("#rows tr[data-index]").count();
  await page.locator("tr.more").scrollIntoViewIfNeeded();
  await page.waitForFunction((first) => document.querySelectorAll("#rows tr[data-index]").length > first, first);
  assert.equal(await page.title(), "action:read · Indelible");
  noFaults(page);
});

test("live tail shows what comes, as it comes", async () => {
  const page = await here.open();
  await page.goto(`${here.url}/search?q=actor%3Atailed`);
  await page.goto(`${here.url}/search?q=source%3Awarehouse`);
  const known = await page.locator("#rows tr[data-index]").count();
  const following = page.waitForResponse(/events\/stream/);
  await page.getByRole("button", { name: "Live tail" }).click();
  await following;
  await here.api("POST", "/v1/events", JSON.stringify({ time: new Date().toISOString(), source: { id: "warehouse", kind: "api", seq: 1000 }, actor: { id: "newcomer", type: "human" }, action: "read", outcome: { result: "allowed" } }));
  await page.locator("#rows tr.new", { hasText: "newcomer" }).waitFor();
  assert.ok((await page.locator("#rows tr[data-index]").count()) > known);
  await page.getByRole("button", { name: /stop/ }).click();
  noFaults(page);
});

test("an event reads in words, with its chain, and is verified in the browser", async () => {
  const page = await here.open("read");
  await page.goto(`${here.url}/search?q=actor%3Asupport-bot+resource_type%3Atable+outcome%3Aallowed`);
  await page.locator("#rows a.open").first().click();
  await page.waitForURL(/\/events\/main\/\d+/);
  assert.match(await page.getByRole("heading", { level: 1 }).textContent(), /^Agent Support bot, acting for .+@example\.com, read [\d,]+ rows? of \w+ \(table, \w+\).* through orders-mcp: allowed by support-read\.$/);
  assert.equal(await page.locator(".chain li").count(), 4);
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText("VERIFIED in this browser").waitFor();
  assert.equal(await page.locator(".step.ok").count(), 7);
  noFaults(page);
});

test("a kept checkpoint, receipt and proof are checked, and something else is refused", async () => {
  const page = await here.open("read");
  const kept = [await here.api("GET", "/log/main/checkpoint"), await here.api("GET", "/v1/logs/main/entries/3/proof")];
  const event = { time: new Date().toISOString(), actor: { id: "a", type: "human" }, action: "read", outcome: { result: "allowed" } };
  kept.push(JSON.parse(await here.api("POST", "/v1/events", JSON.stringify(event))).receipt);
  await new Promise((done) => { setTimeout(done, 1500); });
  await page.goto(`${here.url}/integrity`);
  for (const text of kept) {
    await page.getByLabel("or its text").fill(text);
    await page.getByRole("button", { name: "Check" }).click();
    await page.locator("output.done").waitFor();
    assert.match(await page.locator("output").textContent(), /VERIFIED in this browser/);
    await page.reload();
  }
  await page.getByLabel("or its text").fill(kept[0].replace(/^\d+$/m, "7"));
  await page.getByRole("button", { name: "Check" }).click();
  await page.locator("output.wrong").waitFor();
  assert.match(await page.locator("output").textContent(), /NOT VERIFIED.*signature/);
  noFaults(page);
});

test("an export is exactly what was shown, and its page says how far it is", async () => {
  const page = await here.open();
  await page.goto(`${here.url}/search?q=label%3Aphi`);
  await page.getByRole("link", { name: "Export" }).click();
  const matched = Number((await page.locator("main b.num").first().textContent()).replaceAll(",", ""));
  for (const [format, check] of [
    ["NDJSON", (text) => text.trim().split("\n").every((line) => JSON.parse(line).resources.some(({ labels }) => labels?.includes("phi"))) && text.trim().split("\n").length],
    ["CSV", (text) => text.trim().split("\n").length - 1],
    ["OCSF", (text) => text.trim().split("\n").map((line) => JSON.parse(line).class_uid).length],
  ]) {
    await page.goto(`${here.url}/export?q=label%3Aphi`);
    await page.getByRole("radio", { name: new RegExp(format) }).check();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export" }).click();
    const text = readFileSync(await (await download).path(), "utf8");
    assert.equal(check(text), matched, format);
    await page.getByText("all was sent").waitFor();
  }
  noFaults(page);
});

test("an alert is taken, silenced and closed, each by a form and on record", async () => {
  const denied = Array.from({ length: 40 }, (_, place) => JSON.stringify({ time: new Date().toISOString(), source: { id: "probe", kind: "api", seq: place + 1 }, actor: { id: "mallory", type: "human" }, action: "read", resources: [{ type: "table", id: `secret-${place}` }], outcome: { result: "denied" } }));
  await here.api("POST", "/v1/events", denied.join("\n"), "application/x-ndjson");
  const page = await here.open();
  for (let tries = 0; ; tries += 1) {
    await page.goto(`${here.url}/alerts?entity=mallory`);
    if ((await page.locator("#alerts a.open").count()) > 0) break;
    assert.ok(tries < 60, "an alert about the denials within half a minute");
    await page.waitForTimeout(500);
  }
  await page.locator("#alerts a.open").first().click();
  await page.getByRole("heading", { name: "Evidence" }).waitFor();
  await page.getByRole("button", { name: "Acknowledge" }).click();
  await page.getByText("looked after by admin").waitFor();
  await page.locator("form", { hasText: "Silence" }).getByLabel("Reason").fill("a drill");
  await page.getByRole("button", { name: "Silence" }).click();
  await page.getByRole("heading", { name: "Silences that cover it" }).waitFor();
  await page.getByRole("button", { name: "End it" }).click();
  await page.getByRole("heading", { name: "Silences that cover it" }).waitFor({ state: "detached" });
  await page.locator("form", { hasText: "Close" }).getByLabel("Reason").fill("it was us");
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByText("Closed: it was us").waitFor();
  const recorded = JSON.parse(await here.api("GET", "/v1/events?q=operation%3Aalerts.acknowledge%2Csilences.set%2Csilences.end%2Calerts.close"));
  assert.ok(recorded.events.length >= 4);
  noFaults(page);
});

test("a held call waits for a person, who decides on the page", async () => {
  const call = here.askAModel();
  const page = await here.open("boss");
  for (let tries = 0; (await page.getByRole("button", { name: "Approve" }).count()) === 0; tries += 1) {
    assert.ok(tries < 40, "the call waits");
    await page.waitForTimeout(250);
    await page.goto(`${here.url}/approvals`);
  }
  assert.match(await page.locator("article").textContent(), /assistant-app wants to[\s\S]*somebody has to say yes/);
  await page.getByLabel("Reason").fill("asked for by the team");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByText("Nothing waits").waitFor();
  const answer = await call;
  assert.equal(answer.status, 200, await answer.text());
  const auditor = await here.open();
  await auditor.goto(`${here.url}/search?q=conversation%3Ac-held+phase%3Aoutcome`);
  await auditor.locator("#rows a.open").first().click();
  await auditor.locator("[data-replay]").getByLabel("Purpose").fill("a look back");
  await auditor.getByRole("button", { name: "Begin" }).click();
  const played = auditor.locator("[data-replay-list] li");
  await played.first().waitFor();
  await auditor.getByRole("button", { name: "Play" }).click();
  await auditor.locator("[data-replay-list]").getByText("Done.").waitFor();
  assert.match(await played.first().textContent(), /chat\.completions[\s\S]*hello/);
  const opened = JSON.parse(await here.api("GET", "/v1/events?q=operation%3Asealed.read"));
  assert.ok(opened.events.length >= 2 && opened.events.every(({ event }) => event.purpose === "a look back"));
  noFaults(auditor);
  assert.equal((await page.goto(`${here.url}/search`)).status(), 403, "an approver sees approvals and nothing else");
  assert.match(await page.getByRole("heading", { level: 1 }).textContent(), /does not allow/);
  noFaults(page);
});

test("times are shown in the source's zone, in UTC and in one's own, and say which", async () => {
  const page = await here.open();
  const choose = async (zone) => {
    await page.locator("summary", { hasText: "and how things are shown" }).click();
    await page.getByLabel("Times in").selectOption(zone);
    await page.getByRole("button", { name: "Apply" }).click();
    await settled(page);
    return page.locator("#rows td.num").first().textContent();
  };
  await page.goto(`${here.url}/search?q=source%3Aorders-mcp`);
  assert.match(await choose("utc"), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
  assert.match(await choose("Europe/Berlin"), / \+0[12]:00$/);
  assert.match(await choose("source"), / \+00:00$/);
  assert.match(page.url(), /q=source/, "one stays where one was");
  noFaults(page);
});

test("a search is kept under a name and forgotten", async () => {
  const page = await here.open();
  await page.goto(`${here.url}/search?q=outcome%3Afailed`);
  await page.getByText("Saved searches").click();
  await page.getByLabel("Keep this one as").fill("what failed");
  await page.getByRole("button", { name: "Keep" }).click();
  await page.getByText("Saved searches").click();
  await page.getByRole("link", { name: "what failed" }).click();
  await page.waitForURL(/q=outcome%3Afailed/);
  await page.getByText("Saved searches").click();
  await page.getByRole("button", { name: "Forget what failed" }).click();
  await page.getByText("Saved searches").click();
  await page.getByText("You keep none yet.").waitFor();
  noFaults(page);
});

test("keyboard only: to the search, down the rows, into an event, and out again", async () => {
  const page = await here.open();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await page.waitForURL(/\/search/);
  await settled(page);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  assert.equal(await page.locator("tr[data-here]").count(), 1);
  const index = await page.locator("tr[data-here]").getAttribute("data-index");
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(`/events/main/${index}$`));
  await page.keyboard.press("?");
  await page.waitForURL(/\/help/);
  noFaults(page);
});

test("without script everything is there but what only a browser can do", async () => {
  const page = await here.open("admin", { javaScriptEnabled: false });
  for (const path of Object.values(await here.pages())) {
    assert.equal((await page.goto(here.url + path)).status(), 200, path);
    assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1, path);
  }
  await page.goto(`${here.url}/search`);
  await page.getByLabel("Query", { exact: true }).fill("outcome:denied");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.getByRole("link", { name: "More events" }).click();
  assert.match(page.url(), /cursor=/);
  await page.goto(`${here.url}/search?q=outcome%3Adenied`);
  await page.getByRole("link", { name: "Counts by field" }).click();
  await page.getByRole("heading", { name: "Counts by field" }).waitFor();
  await page.goto(`${here.url}/export?q=outcome%3Adenied`);
  await page.getByRole("button", { name: "Export" }).click();
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download" }).click();
  assert.ok(readFileSync(await (await download).path(), "utf8").length > 100);
});

test("every page meets WCAG 2.2 AA as far as axe can tell, light and dark, and fits 360 and 2560 pixels", async () => {
  const told = [];
  const pages = await here.pages();
  for (const colorScheme of ["light", "dark"]) {
    const page = await here.open("admin", { colorScheme });
    for (const [name, path] of Object.entries({ ...pages, "no such page": "/events/main/99999999", "wrong query": "/search?q=actr%3A1" })) {
      await page.goto(here.url + path);
      await settled(page);
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
      told.push(...violations.map(({ id, nodes }) => `${name} (${colorScheme}): ${id}: ${nodes.slice(0, 2).map(({ target }) => target).join(" | ")}`));
      for (const width of [360, 2560]) {
        await page.setViewportSize({ width, height: 900 });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        const cause = () => [...document.querySelectorAll("main *")].filter((element) => element.getBoundingClientRect().right > innerWidth).map((element) => element.outerHTML.slice(0, 80)).at(-1);
        if (wide > width) told.push(`${name} (${colorScheme}) is ${wide} pixels wide at ${width}: ${await page.evaluate(cause)}`);
      }
      await page.setViewportSize({ width: 1280, height: 900 });
    }
    noFaults(page);
  }
  assert.deepEqual(told, []);
});

test("a first page is at most 100 KiB, with all that it needs", async () => {
  const page = await here.afresh(await here.open());
  const answers = [];
  page.on("response", (answer) => answers.push(answer));
  await page.goto(here.url);
  await settled(page);
  const sizes = await Promise.all(answers.map(async (answer) => {
    const { responseBodySize, responseHeadersSize } = await answer.request().sizes();
    return responseBodySize + responseHeadersSize;
  }));
  const sum = sizes.reduce((total, size) => total + size, 0);
  assert.ok(answers.length > 4 && sum < 100 * 1024, `${sum} bytes in ${answers.length} answers`);
});

// last: it takes the server's place
test("in a tampered copy the changed entry is not verified, and its neighbours in other bundles are", async () => {
  const { entry } = await here.tampered();
  const page = await here.open();
  await page.goto(`${here.url}/events/main/${entry}`);
  await page.getByRole("button", { name: "Verify" }).click();
  await page.locator("output.wrong").waitFor();
  assert.match(await page.locator("output").textContent(), /NOT VERIFIED\. The entry's bytes: the log holds other bytes than this page shows/);
  await page.goto(`${here.url}/events/main/400`);
  await page.getByRole("button", { name: "Verify" }).click();
  await page.locator("output.done").waitFor();
  noFaults(page);
});
