// Every page as a picture: light and dark, 360, 1280 and 2560 pixels wide. `tests/pages/run screenshots DIR`.

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { PAGES, world } from "./world.mjs";

const folder = process.argv[2];
mkdirSync(folder, { recursive: true });
const here = await world();
try {
  await new Promise((done) => { setTimeout(done, 3000); }); // until rules have looked at the events
  for (const colorScheme of ["light", "dark"]) {
    const page = await here.open("admin", { colorScheme });
    for (const [name, path] of Object.entries(PAGES)) {
      for (const width of [360, 1280, 2560]) {
        await page.setViewportSize({ width, height: width === 360 ? 740 : 900 });
        await page.goto(here.url + path);
        await page.waitForLoadState("networkidle");
        if (name === "event") {
          await page.getByRole("button", { name: "Verify" }).click();
          await page.getByText("VERIFIED in this browser").waitFor();
        }
        await page.screenshot({ path: join(folder, `${name}-${colorScheme}-${width}.png`) });
      }
    }
  }
} finally {
  await here.end();
}
