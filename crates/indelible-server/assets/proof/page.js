// The checks on a page: a button, a list of steps, a verdict. All text that comes from the log is put in as text.

import { verifyEntry, verifyKept } from "./verify.js";

/** Fetches below a log's address, at most `most` bytes. */
const fetcher = (log) => async (path, most) => {
  const answer = await fetch(`/log/${encodeURIComponent(log)}/${path}`, { credentials: "same-origin", cache: path === "checkpoint" ? "no-store" : "default" });
  if (!answer.ok) throw new Error(`the server answered ${answer.status} to ${path}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (bytes.length > most) throw new Error(`${path} has more than ${most} bytes`);
  return bytes;
};

/** What this browser saw of a log: its key and its newest checkpoint. */
const memoryOf = (log) => ({
  get: (what) => localStorage.getItem(`indelible ${log} ${what}`),
  set: (what, text) => localStorage.setItem(`indelible ${log} ${what}`, text),
});

/** Shows steps as they are told. */
function teller(list) {
  list.replaceChildren();
  const items = new Map();
  return ({ name, state, detail }) => {
    let item = items.get(name);
    if (!item) {
      item = document.createElement("li");
      items.set(name, item);
      list.append(item);
    }
    const sign = { running: "…", ok: "✓", failed: "✗" }[state];
    const title = document.createElement("b");
    title.textContent = `${sign} ${name}: ${state}`;
    const words = document.createElement("span");
    words.textContent = ` ${detail}`;
    item.className = `step ${state}`;
    item.replaceChildren(title, words);
  };
}

function bind(section, button, check) {
  const verdict = section.querySelector("[data-proof-verdict]");
  button.addEventListener("click", async () => {
    button.disabled = true;
    verdict.className = "";
    verdict.textContent = "Checking …";
    try {
      const { ok, reason } = await check(teller(section.querySelector("[data-proof-steps]")));
      verdict.className = ok ? "done" : "wrong";
      verdict.textContent = ok ? "✓ VERIFIED in this browser" : `✗ NOT VERIFIED. ${reason}`;
    } catch (error) {
      verdict.className = "wrong";
      verdict.textContent = `✗ NOT VERIFIED. ${error.message}`;
    }
    button.disabled = false;
  });
}

for (const section of document.querySelectorAll("[data-proof]")) {
  const { log, index } = section.dataset;
  const shown = document.querySelector("[data-entry]")?.textContent;
  bind(section, section.querySelector("[data-proof-run]"), (tell) =>
    verifyEntry({ fetchBytes: fetcher(log), index: Number(index), shown, memory: memoryOf(log), tell }));
}

for (const section of document.querySelectorAll("[data-kept]")) {
  const { log } = section.dataset;
  bind(section, section.querySelector("[data-kept-run]"), async (tell) => {
    const file = section.querySelector("[data-kept-file]").files[0];
    const text = file ? await file.text() : section.querySelector("[data-kept-text]").value;
    const key = section.querySelector("[data-kept-key]").value.trim();
    return verifyKept({ fetchBytes: fetcher(log), text: text.endsWith("\n") ? text : `${text}\n`, key, memory: memoryOf(log), tell });
  });
}
