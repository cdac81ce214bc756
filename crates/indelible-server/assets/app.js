// What all pages share: keys, charts, copying, and choices that need a browser to know them. Every page works without it.

const each = (root, selector, act) => root.querySelectorAll(selector).forEach(act);

// ---- choices that only a browser can offer ----------------------------------------------------------------------------------

/** Adds the reader's own zone to the choice of zones. */
function offerOwnZone(form) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const select = form.querySelector("select[name=zone]");
  if (!own || own === "UTC" || [...select.options].some((option) => option.value === own)) return;
  select.append(new Option(`mine (${own})`, own));
}

/** A choice that takes effect at once. */
function submitAtOnce(element) {
  element.addEventListener("change", () => element.form.requestSubmit());
  element.form.querySelector("button")?.setAttribute("hidden", "");
}

/** A link that one sends on holds what was asked and nothing empty. */
function sendOnlyWhatIsSaid(form) {
  form.addEventListener("submit", () => {
    const empty = [...form.elements].filter((element) => element.name && element.value === "" && !element.required);
    empty.forEach((element) => { element.disabled = true; });
    setTimeout(() => empty.forEach((element) => { element.disabled = false; }));
  });
}

/** Looks again every so many seconds, as long as somebody sees it and has not begun to write. Each look is recorded, as by hand. */
function lookAgain(part) {
  setInterval(() => {
    const writing = [...part.querySelectorAll("input")].some((input) => input.value !== "" || input === document.activeElement);
    if (!writing && !document.hidden) location.reload();
  }, Number(part.dataset.reload) * 1000);
}

// ---- copying ----------------------------------------------------------------------------------------------------------------

async function copy(button, text) {
  const word = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy by hand";
  }
  setTimeout(() => { button.textContent = word; }, 1500);
}

function offerCopy(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "Copy";
  button.addEventListener("click", () => copy(button, block.textContent));
  block.after(button);
}

// ---- charts -----------------------------------------------------------------------------------------------------------------

const OUTCOMES = ["allowed", "denied", "failed"];

/** Draws the figure's numbers with uPlot: bars that stand on one another. A brush sets the times of the query form. */
function drawChart(figure) {
  const holder = figure.querySelector("[data-numbers]");
  const drawing = figure.querySelector("[data-drawing]");
  if (!holder || !drawing || !globalThis.uPlot) return;
  const numbers = JSON.parse(holder.textContent);
  if (numbers.begins.length === 0) return;
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const middles = numbers.begins.map((begin) => begin + numbers.length / 2);
  const sum = (...lists) => middles.map((_, place) => lists.reduce((total, list) => total + list[place], 0));
  // the tallest is drawn first, the others over it
  const stacks = [sum(numbers.allowed, numbers.denied, numbers.failed), sum(numbers.allowed, numbers.denied), numbers.allowed];
  const colours = ["--failed", "--denied", "--allowed"].map(colour);
  const bars = uPlot.paths.bars({ size: [0.9, 60], align: 0 });
  const zone = figure.dataset.zone;
  const named = zone && zone !== "source" && zone !== "utc" ? zone : "UTC";
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const options = {
    width: drawing.clientWidth, height: 150,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), named),
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: "brush" in figure.dataset, y: false, setScale: false } },
    scales: { x: { time: true, range: () => [numbers.begins[0], numbers.begins.at(-1) + numbers.length] }, y: { range: (_, __, most) => [0, most || 1] } },
    axes: [{ ...axis, size: 30, space: 90, values: (_, splits) => labels(splits, named) }, { ...axis, size: 48, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7] }],
    series: [{}, ...stacks.map((_, place) => ({ fill: colours[place], width: 0, paths: bars, points: { show: false } }))],
    hooks: {
      setSelect: [(plot) => {
        if (plot.select.width > 3) brush(plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x"), numbers);
      }],
      setCursor: [(plot) => tell(figure, numbers, plot.cursor.idx, named)],
    },
  };
  drawing.querySelector(".uplot")?.remove();
  const still = drawing.querySelector("svg");
  still?.classList.add("hidden"); // stays as the description for those who cannot see the drawing
  const plot = new uPlot(options, [middles, ...stacks], drawing);
  figure.plot = plot;
  new ResizeObserver(() => plot.setSize({ width: drawing.clientWidth, height: 150 })).observe(drawing);
}

/** Times of day; days where a day begins or all labels are days. */
function labels(splits, zone) {
  const part = (seconds, options) => new Date(seconds * 1000).toLocaleString("en-GB", { timeZone: zone, ...options });
  const step = splits.length > 1 ? splits[1] - splits[0] : 60;
  return splits.map((seconds) => {
    const clock = part(seconds, { hour: "2-digit", minute: "2-digit", ...(step < 60 ? { second: "2-digit" } : {}) });
    const day = part(seconds, { month: "short", day: "numeric" });
    return step >= 86400 || clock === "00:00" ? day : clock;
  });
}

/** Says in words what stands under the cursor. */
function tell(figure, numbers, place, zone) {
  let line = figure.querySelector("[data-told]");
  if (!line) {
    line = document.createElement("p");
    line.className = "told quiet";
    line.dataset.told = "";
    figure.querySelector("figcaption").append(line);
  }
  if (place === null || place === undefined) { line.textContent = ""; return; }
  const begin = new Date(numbers.begins[place] * 1000).toLocaleString("sv-SE", { timeZone: zone });
  line.textContent = `${begin} ${zone}: ` + OUTCOMES.map((word) => `${word} ${numbers[word][place]}`).join(", ");
}

/** Searches within the stretch that was brushed, whole bars. */
function brush(from, to, numbers) {
  const form = document.querySelector("[data-query]");
  if (!form) return;
  const start = numbers.begins[0];
  const whole = (seconds, round) => start + round((seconds - start) / numbers.length) * numbers.length;
  const text = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
  form.elements.from.value = text(whole(from, Math.floor));
  form.elements.to.value = text(whole(to, Math.ceil) - 1);
  form.requestSubmit();
}

// ---- keys -------------------------------------------------------------------------------------------------------------------

const GO = { o: "/", s: "/search", f: "/flows", a: "/alerts", p: "/approvals", q: "/sources", i: "/integrity" };
let going = false;

const rows = () => [...document.querySelectorAll("[data-rows] tbody tr:not(.more)")];

function step(by) {
  const all = rows();
  if (all.length === 0) return;
  const here = all.findIndex((row) => "here" in row.dataset);
  const next = all[Math.min(Math.max(here + by, 0), all.length - 1)];
  if (here >= 0) delete all[here].dataset.here;
  next.dataset.here = "";
  next.scrollIntoView({ block: "nearest" });
  next.querySelector("a.open, a")?.focus({ preventScroll: true });
}

function onKey(event) {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && typing) { event.target.blur(); return; }
  if (typing) return;
  if (going) {
    going = false;
    if (GO[event.key]) { event.preventDefault(); location.assign(GO[event.key]); }
    return;
  }
  const acts = {
    "/": () => { const q = document.querySelector("[data-search-input]"); if (q) { q.focus(); q.select(); } else location.assign("/search"); },
    "?": () => location.assign("/help"),
    j: () => step(1),
    k: () => step(-1),
    o: () => document.querySelector("[data-rows] tr[data-here] a.open, [data-rows] tr[data-here] a")?.click(),
    g: () => { going = true; setTimeout(() => { going = false; }, 1000); },
  };
  if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
}

// ---- begin ------------------------------------------------------------------------------------------------------------------

function begin(root) {
  each(root, "[data-preferences]", offerOwnZone);
  each(root, "[data-submit]", submitAtOnce);
  each(root, "form.query", sendOnlyWhatIsSaid);
  each(root, "[data-copied]", offerCopy);
  each(root, "[data-copy-link]", (button) => {
    button.hidden = false;
    button.addEventListener("click", () => copy(button, new URL(button.dataset.copy, location.href).href));
  });
  each(root, "[data-chart]", drawChart);
  each(root, "[data-reload]", lookAgain);
}

document.addEventListener("keydown", onKey);
// menus close when one goes elsewhere
document.addEventListener("click", (event) => each(document, "details.menu[open]", (menu) => { if (!menu.contains(event.target)) menu.open = false; }));
begin(document);
// in a narrow window the page one is on may lie beyond the edge
const place = document.querySelector(".places [aria-current]");
if (place) place.closest("nav").scrollLeft = place.offsetLeft - place.closest("nav").offsetLeft;
