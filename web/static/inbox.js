// Uploads pictures that are dropped or pasted anywhere on these pages, a few at a time. Without this script, the form uploads them.

import { count } from "./select.js";

const base = document.documentElement.dataset.base;
const drop = document.querySelector("[data-drop]");
const list = document.querySelector("[data-sent]");
const token = document.querySelector("input[name=csrf]")?.value ?? "";
const AT_ONCE = 2;
const waiting = [];
let running = 0;
let received = 0;
let refused = 0;

function row(file) {
  const item = document.createElement("li");
  if (/^image\/(?!svg)/.test(file.type)) {
    const picture = document.createElement("img");
    picture.alt = "";
    picture.src = URL.createObjectURL(file);
    picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
    picture.addEventListener("error", () => picture.remove());
    item.append(picture);
  }
  const words = document.createElement("span");
  words.textContent = `${file.name || "pasted"}: waiting`;
  item.append(words);
  return { item, words };
}

async function send({ file, item, words }) {
  const name = file.name || "pasted";
  words.textContent = `${name}: uploading…`;
  const form = new FormData();
  form.append("file", file, name);
  try {
    const answer = await fetch(`${base}/api/inbox`, { method: "POST", body: form, headers: { "X-CSRF-Token": token } });
    const body = await answer.json();
    if (answer.ok) {
      received += 1;
      words.textContent = `${name}: in the inbox`;
      return;
    }
    throw new Error(`${body.error.message} ${body.error.hint}`.trim());
  } catch (error) {
    refused += 1;
    words.classList.add("refused");
    words.textContent = `${name}: ${error instanceof TypeError ? "The server cannot be reached. Try again." : error.message}`;
    item.scrollIntoView({ block: "nearest" });
  }
}

function go() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    send(waiting.shift()).finally(() => {
      running -= 1;
      go();
    });
  }
  if (!running && !waiting.length && received && !refused) location.assign(`${base}/curator/inbox?came=${received}`);
  else if (!running && !waiting.length && received) refresh();
}

// Refused files stay listed with their reason while the heaps are refreshed; what was ticked stays ticked.
async function refresh() {
  const answer = await fetch(`${base}/curator/inbox`);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const picks = () => document.querySelectorAll("[data-pick]");
  const ticked = new Map([...picks()].map((one) => [one.value, one.checked]));
  const focused = document.activeElement?.matches?.("[data-pick]") ? document.activeElement.value : undefined;
  const category = document.getElementById("into")?.value;
  for (const part of ["[data-left]", "[data-heaps]"]) {
    const [old, fresh] = [document.querySelector(part), page.querySelector(part)];
    if (old && fresh) old.replaceWith(fresh);
  }
  for (const one of picks()) {
    if (ticked.has(one.value)) one.checked = ticked.get(one.value);
    if (one.value === focused) one.focus();
  }
  if (category && document.getElementById("into")) document.getElementById("into").value = category;
  count();
}

function take(files) {
  const chosen = [...files];
  if (!chosen.length) return;
  if (!list) {
    sendFromElsewhere(chosen);
    return;
  }
  if (!running && !waiting.length) received = refused = 0;
  list.hidden = false;
  for (const file of chosen) {
    const made = row(file);
    list.append(made.item);
    waiting.push({ file, ...made });
  }
  go();
}

// The page of one upload has no list: a line reports the progress, and the page stays.
async function sendFromElsewhere(files) {
  const note = document.createElement("p");
  note.className = "busy";
  note.setAttribute("role", "status");
  document.body.append(note);
  const words = note;
  for (const file of files) await send({ file, item: note, words });
  setTimeout(() => note.remove(), refused ? 8000 : 3000);
}

drop?.addEventListener("submit", (event) => {
  event.preventDefault();
  take(drop.elements.file.files);
  drop.reset();
});
drop?.elements.file.addEventListener("change", () => drop.requestSubmit());

// Other pages search with a dropped or pasted picture: these handlers run first and stop the event.
let entered = 0;
const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
function first(name, does) {
  document.addEventListener(
    name,
    (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      does(event);
    },
    true,
  );
}
first("dragenter", () => document.body.classList.toggle("sending", ++entered > 0));
first("dragleave", () => document.body.classList.toggle("sending", --entered > 0));
first("dragover", () => {});
first("drop", (event) => {
  entered = 0;
  document.body.classList.remove("sending");
  take(event.dataTransfer.files);
});
document.addEventListener(
  "paste",
  (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    take(files);
  },
  true,
);


const other = document.getElementById("other");
// Moves the bar while uploads are analysed, and shows the heaps anew when some more are.
async function look() {
  if (running || waiting.length) return;
  const examining = document.querySelector("[data-examining]");
  if (!examining) return document.querySelector("[data-preparing]") && refresh();
  const answer = await fetch(`${base}/api/inbox?state=waiting&k=1`).catch(() => null);
  if (!answer?.ok || running) return;
  const { total } = await answer.json();
  const bar = examining.querySelector("progress");
  bar.value = bar.max - total;
  examining.querySelector("[data-analysed]").textContent = bar.value;
  if (!total || examining.dataset.examining - total >= 10) await refresh();
}
setInterval(look, 2000);
if (other?.value) other.focus();
document.documentElement.dataset.inbox = "ready";
