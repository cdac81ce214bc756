// Every page as a picture: light and dark, wide (1280 pixels) and narrow (360), two of them on a very wide window too.
// `tests/pages/run screenshots DIR`.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { world } from "./world.mjs";

const folder = process.argv[2];
const WINDOWS = { wide: { width: 1280, height: 800 }, narrow: { width: 360, height: 740 }, "very-wide": { width: 2560, height: 1200 } };
const ON_A_VERY_WIDE_ONE = new Set(["overview", "search"]);

/** What a reader does on a page before it is worth a picture. */
const FIRST = {
  async event(page) {
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByText("VERIFIED in this browser").waitFor();
    await page.evaluate(() => scrollTo(0, 0));
  },
  async search(page) {
    await page.locator(".u-over").first().waitFor();
  },
};

mkdirSync(folder, { recursive: true });
const here = await world();
try {
  const pages = await here.pages();
  await new Promise((done) => { setTimeout(done, 3000); }); // until rules have looked at all events
  const held = here.askAModel().catch((error) => error); // it waits for a person, and ends with the server
  for (const colorScheme of ["light", "dark"]) {
    const page = await here.open("admin", { colorScheme });
    for (const [name, path] of Object.entries({ ...pages, "sign-in": "/sign-in" })) {
      for (const [window, size] of Object.entries(WINDOWS)) {
        if (window === "very-wide" && !ON_A_VERY_WIDE_ONE.has(name)) continue;
        await page.setViewportSize(size);
        await page.goto(here.url + path);
        await page.waitForLoadState("networkidle");
        await FIRST[name]?.(page);
        await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${window}.png`) });
      }
    }
  }
  await here.end();
  await held;
} catch (error) {
  await here.end();
  throw error;
}
