// The event page: sealed content is shown on the page once its purpose was given; without script the form downloads it.

const SHOWN_BYTES_MAX = 1024 * 1024;

async function unseal(form) {
  const place = form.parentElement.querySelector("[data-unsealed]");
  const say = (text, className) => {
    const line = document.createElement("p");
    line.className = className;
    line.textContent = text;
    place.replaceChildren(line);
    place.hidden = false;
  };
  const answer = await fetch(`${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({ detail: `the server answered ${answer.status}` }));
    say(problem.detail, "wrong");
    return;
  }
  const content = await answer.blob();
  const type = form.dataset.type;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = "content";
  link.textContent = `Save (${content.size.toLocaleString("en")} bytes)`;
  if (/^text\/|json|event-stream/.test(type) && content.size <= SHOWN_BYTES_MAX) {
    const text = await content.text();
    const block = document.createElement("pre");
    block.textContent = pretty(text, type);
    place.replaceChildren(block, link);
  } else {
    place.replaceChildren(link);
  }
  place.hidden = false;
}

function pretty(text, type) {
  if (!type.includes("json")) return text;
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

document.querySelectorAll("[data-unseal]").forEach((form) => form.addEventListener("submit", (event) => {
  event.preventDefault();
  unseal(form).catch((error) => { form.parentElement.querySelector("[data-unsealed]").textContent = String(error); });
}));
