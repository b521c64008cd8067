// Opens an audit event beside its list.
import { localize } from "./app.js";

const panel = () => document.getElementById("audit-panel");
const place = () => location.pathname + location.search;
let asked = 0;
let shown = place();

function ready(part) {
  for (const button of part.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
}

function mark(href) {
  for (const link of document.querySelectorAll("a[data-detail]")) {
    if (link.href === href) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function close() {
  asked += 1;
  const beside = panel();
  if (!beside || beside.hidden) return;
  beside.hidden = true;
  beside.replaceChildren();
  const opener = document.querySelector("a[data-detail][aria-current]");
  mark(null);
  opener?.focus();
}

async function open(href) {
  const mine = (asked += 1);
  mark(href);
  let part;
  try {
    const answer = await fetch(href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    part = page.querySelector("#audit-detail, .failed");
  } catch {}
  if (mine !== asked) return;
  if (!part) {
    part = document.createElement("p");
    part.setAttribute("role", "alert");
    part.textContent = "The event could not be loaded.";
  }
  const beside = panel();
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn close";
  button.textContent = "Close";
  button.dataset.testid = "audit-close";
  button.addEventListener("click", () => history.back());
  beside.replaceChildren(button, document.adoptNode(part));
  beside.hidden = false;
  ready(beside);
  localize(beside);
  beside.focus();
}

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
    copy.textContent = "Copied";
    return;
  }
  const link = event.target.closest("a[data-detail]");
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !plain || !panel() || event.defaultPrevented) return;
  event.preventDefault();
  // One step back leads to the list, whichever events were opened.
  const step = history.state?.detail ? "replaceState" : "pushState";
  history[step]({ detail: link.href }, "", link.href);
  shown = place();
  open(link.href);
});

addEventListener("popstate", (event) => {
  // A link to a part of this page comes by here too.
  if (place() === shown) return;
  shown = place();
  if (!panel()) location.reload();
  else if (event.state?.detail) open(event.state.detail);
  else close();
});

document.addEventListener("keydown", (event) => {
  const above = document.querySelector("#side:not([hidden]), dialog[open]");
  if (event.key === "Escape" && !above && panel() && !panel().hidden) history.back();
});

// What was left empty needs not stand in the address.
addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
});

ready(document);
