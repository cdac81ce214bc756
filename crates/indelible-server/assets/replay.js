// A conversation played again: its calls in their order, with the content that was sealed. Opening each content is an event of its own,
// with the purpose given here.

const EVENTS_MAX = 200;
const SHOWN_CHARACTERS_MAX = 100_000;
/** Longest and shortest time between two calls while it plays, in milliseconds. */
const WAIT_MAX = 4_000;
const WAIT_MIN = 600;

/** The hexadecimal form of a commitment, which names content in addresses. */
const named = (commitment) => [...atob(commitment)].map((letter) => letter.charCodeAt(0).toString(16).padStart(2, "0")).join("");

async function asked(path, parameters) {
  const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`, { credentials: "same-origin" });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({ detail: `the server answered ${answer.status}` }));
  throw new Error(problem.detail);
}

function made(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

/** What was sealed with an event, opened one after the other. What cannot be opened says why. */
async function contents(event, purpose) {
  const blocks = [];
  for (const { name, media_type: type, commitment } of event.sealed ?? []) {
    blocks.push(made("p", `${name}, ${type}`, "quiet"));
    try {
      const text = await (await asked(`/v1/sealed/${named(commitment)}`, { purpose })).text();
      const cut = text.length > SHOWN_CHARACTERS_MAX;
      blocks.push(made("pre", cut ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}\n… the rest is on the event's own page` : text));
    } catch (error) {
      blocks.push(made("p", error.message, "wrong"));
    }
  }
  return blocks;
}

function replay(part) {
  const { log, query } = part.dataset;
  const list = part.querySelector("[data-replay-list]");
  const [back, play, next] = ["back", "play", "next"].map((word) => part.querySelector(`[data-replay-${word}]`));
  const told = part.querySelector("[data-replay-told]");
  let events = [], purpose = "", shown = 0, timer = null;

  const look = () => {
    told.textContent = `${shown} of ${events.length} events`;
    back.disabled = shown < 2;
    next.disabled = play.disabled = shown >= events.length;
    play.textContent = timer ? "Pause" : "Play";
  };
  const stop = () => { clearTimeout(timer); timer = null; };
  const forward = async () => {
    const { index, event } = events[shown];
    const item = document.createElement("li");
    const link = made("a", `${event.time} ${event.operation ?? event.action}: ${event.outcome.result} (${event.outcome.phase ?? "single"})`);
    link.href = `/events/${encodeURIComponent(log)}/${index}`;
    item.append(link, ...(await contents(event, purpose)));
    list.append(item);
    shown += 1;
    look();
  };
  const fail = (error) => { stop(); told.textContent = error.message; };
  const goOn = () => {
    if (shown >= events.length) { stop(); look(); return; }
    const gap = shown > 0 ? Date.parse(events[shown].event.time) - Date.parse(events[shown - 1].event.time) : 0;
    timer = setTimeout(() => forward().then(() => { if (timer) goOn(); }).catch(fail), Math.min(Math.max(gap || 0, WAIT_MIN), WAIT_MAX));
    look();
  };

  part.querySelector("form").addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    stop();
    list.replaceChildren();
    shown = 0;
    try {
      purpose = new FormData(submitted.target).get("purpose");
      const answer = await (await asked("/v1/events", { log, q: query, order: "asc", limit: EVENTS_MAX })).json();
      events = answer.events;
      part.querySelector("[data-replay-keys]").hidden = false;
      if (events.length > 0) await forward();
      look();
    } catch (error) {
      fail(error);
    }
  });
  next.addEventListener("click", () => { stop(); forward().catch(fail); });
  back.addEventListener("click", () => { stop(); list.lastElementChild.remove(); shown -= 1; look(); });
  play.addEventListener("click", () => { if (timer) { stop(); look(); } else goOn(); });
}

document.querySelectorAll("[data-replay]").forEach(replay);
