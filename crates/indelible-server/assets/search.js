// The search page: completion of fields and values, live tail, choosing columns.

const input = document.querySelector("[data-search-input]");
const list = document.getElementById("completions");
const form = document.querySelector("[data-query]");

// ---- completion -------------------------------------------------------------------------------------------------------------

const fields = (input?.dataset.fields ?? "").split(" ").filter(Boolean);
let offered = [];
let chosen = -1;
let asked = 0;

/** The term in which the cursor stands: where it begins, its sign, its field and what is written of its value. */
function termAtCursor() {
  const before = input.value.slice(0, input.selectionStart);
  const found = /(^|[\s(])(-?)([^\s():"]*)(?::("?)([^\s()"]*))?$/.exec(before);
  if (!found) return null;
  const [, , , field, , value] = found;
  const length = value === undefined ? field.length : value.length + (found[4]?.length ?? 0);
  return { field, value, from: before.length - length, to: before.length };
}

async function complete() {
  const term = termAtCursor();
  const turn = ++asked;
  if (!term) return offer([], term);
  if (term.value === undefined) {
    if (term.field === "") return offer([], term);
    const begins = fields.filter((field) => field.startsWith(term.field));
    return offer(begins.slice(0, 12).map((field) => ({ text: `${field}:` })), term);
  }
  await new Promise((done) => { setTimeout(done, 150); });
  if (turn !== asked) return;
  const answer = await fetch(`/v1/stats?${new URLSearchParams({ by: term.field, limit: "200", ...(form.elements.log ? { log: form.elements.log.value } : {}) })}`);
  if (turn !== asked || !answer.ok) return offer([], term);
  const { rows } = await answer.json();
  const wanted = term.value.toLowerCase();
  const values = rows.map((row) => ({ value: row[term.field], count: row.count }))
    .filter(({ value }) => value !== null && value !== undefined && String(value).toLowerCase().startsWith(wanted));
  offer(values.slice(0, 12).map(({ value, count }) => ({ text: quoted(String(value)), count })), term);
}

const quoted = (value) => (/^[\p{L}\p{N}\-_@/.]+$/u.test(value) && !value.includes("..") ? value : `"${value.replace(/["\\]/g, "\\$&")}"`);

function offer(completions, term) {
  offered = completions.map((completion) => ({ ...completion, term }));
  chosen = -1;
  list.replaceChildren(...offered.map((completion, place) => {
    const item = document.createElement("li");
    item.id = `completion-${place}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    item.append(completion.text);
    if (completion.count !== undefined) {
      const count = document.createElement("span");
      count.className = "num";
      count.textContent = completion.count.toLocaleString("en");
      item.append(count);
    }
    item.addEventListener("mousedown", (event) => { event.preventDefault(); take(place); });
    return item;
  }));
  list.hidden = offered.length === 0;
  input.setAttribute("aria-expanded", String(!list.hidden));
}

function mark(place) {
  chosen = (place + offered.length) % offered.length;
  [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
  list.children[chosen].scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", `completion-${chosen}`);
}

function take(place) {
  const { text, term } = offered[place];
  const end = text.endsWith(":") ? "" : " ";
  input.setRangeText(text + end, term.from, term.to, "end");
  offer([], null);
  if (end === "") complete();
}

if (input && list) {
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-controls", "completions");
  input.setAttribute("aria-expanded", "false");
  input.setAttribute("aria-autocomplete", "list");
  input.addEventListener("input", complete);
  input.addEventListener("blur", () => offer([], null));
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const acts = {
      ArrowDown: () => mark(chosen + 1),
      ArrowUp: () => mark(chosen - 1),
      Enter: chosen >= 0 ? () => take(chosen) : null,
      Tab: chosen >= 0 ? () => take(chosen) : null,
      Escape: () => offer([], null),
    };
    if (acts[event.key]) { event.preventDefault(); event.stopPropagation(); acts[event.key](); }
  });
}

// ---- columns ----------------------------------------------------------------------------------------------------------------

const order = document.querySelector("[data-columns-text]");
document.querySelectorAll("[data-column]").forEach((box) => box.addEventListener("change", () => {
  const words = order.value.split(",").filter((word) => word && word !== box.value);
  if (box.checked) words.push(box.value);
  order.value = words.join(",");
}));

// ---- live tail --------------------------------------------------------------------------------------------------------------

const button = document.querySelector("[data-tail]");
const ROWS_MAX = 500;
let tail = null;

/** Asks for the rows of what has come, once for all that came together, and puts them on top. */
function freshRows() {
  const address = new URL(location.href);
  address.searchParams.delete("cursor");
  address.searchParams.set("order", "desc");
  return fetch(address, { headers: { accept: "text/html" }, signal: tail?.signal }).then((answer) => answer.text()).then((text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const body = document.getElementById("rows");
    if (!body) { location.reload(); return; }
    const known = new Set([...body.querySelectorAll("tr[data-index]")].map((row) => row.dataset.index));
    const fresh = [...page.querySelectorAll("#rows tr[data-index]")].filter((row) => !known.has(row.dataset.index));
    fresh.forEach((row) => row.classList.add("new"));
    body.prepend(...fresh);
    [...body.querySelectorAll("tr[data-index]")].slice(ROWS_MAX).forEach((row) => row.remove());
    setTimeout(() => fresh.forEach((row) => row.classList.remove("new")), 3000);
  });
}

/** Follows the query by the same stream that `indelible tail` reads. */
async function follow() {
  tail = new AbortController();
  const parameters = new URLSearchParams({ q: withoutOwnLooks(form.elements.q.value) });
  if (form.elements.log) parameters.set("log", form.elements.log.value);
  const answer = await fetch(`/v1/events/stream?${parameters}`, { signal: tail.signal });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let timer = null;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    // empty lines are signs of life
    if (timer === null && value.trim() !== "") {
      timer = setTimeout(() => { timer = null; freshRows().catch(() => {}); }, 1000);
    }
  }
}

/** A look at this page is an event too: following those would never end. */
const withoutOwnLooks = (q) => `${q.includes(" or ") ? `(${q})` : q} -operation:events.search,events.follow,events.count`.trim();

if (button && form) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (tail) { tail.abort(); tail = null; button.setAttribute("aria-pressed", "false"); button.textContent = "Live tail"; return; }
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Live: stop";
    try { await follow(); } catch (error) { if (error.name !== "AbortError") button.textContent = `Live tail ended: ${error.message}`; }
  });
}
