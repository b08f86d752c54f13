// Pictures dropped or pasted anywhere on these pages go into the inbox, a few at a time. The form does the same without.

const drop = document.querySelector("[data-drop]");
const list = document.querySelector("[data-sent]");
const token = document.querySelector("input[name=csrf]")?.value ?? "";
const AT_ONCE = 2;
const waiting = [];
let under = 0;
let came = 0;
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
  words.textContent = `${name}: on its way…`;
  const form = new FormData();
  form.append("file", file, name);
  try {
    const answer = await fetch("/api/inbox", { method: "POST", body: form, headers: { "X-CSRF-Token": token } });
    const said = await answer.json();
    if (answer.ok) {
      came += 1;
      words.textContent = `${name}: in the inbox`;
      return;
    }
    throw new Error(`${said.error.message} ${said.error.hint}`.trim());
  } catch (error) {
    refused += 1;
    words.classList.add("refused");
    words.textContent = `${name}: ${error instanceof TypeError ? "The server cannot be reached. Send it again." : error.message}`;
    item.scrollIntoView({ block: "nearest" });
  }
}

function go() {
  while (under < AT_ONCE && waiting.length) {
    under += 1;
    send(waiting.shift()).finally(() => {
      under -= 1;
      go();
    });
  }
  if (!under && !waiting.length && came && !refused) location.assign(`/curator/inbox?came=${came}`);
  else if (!under && !waiting.length && came) refresh();
}

// What was refused stays on the page with its reason; what came is counted beside it.
async function refresh() {
  const answer = await fetch("/curator/inbox");
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of ["[data-left]", ".actions", ".uploads", ".nothing"]) {
    const [old, fresh] = [document.querySelector(part), page.querySelector(part)];
    if (old && fresh) old.replaceWith(fresh);
    else if (old) old.remove();
    else if (fresh) list.after(fresh);
  }
}

function take(files) {
  const chosen = [...files];
  if (!chosen.length) return;
  if (!list) {
    sendFromElsewhere(chosen);
    return;
  }
  if (!under && !waiting.length) came = refused = 0;
  list.hidden = false;
  for (const file of chosen) {
    const made = row(file);
    list.append(made.item);
    waiting.push({ file, ...made });
  }
  go();
}

// On an upload's own page there is no list: what comes is said in a line, and the page stays.
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

// The rest of the site searches with what is dropped or pasted: here that is heard first, and not passed on.
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
// What is being examined is looked after until it is; what was refused stays on the page with its reason.
async function look() {
  if (under || waiting.length || !document.querySelector("[data-examining]")) return;
  const answer = await fetch("/api/inbox?state=waiting&k=1").catch(() => null);
  if (answer?.ok && !(await answer.json()).total && !under) await refresh();
}
setInterval(look, 2000);
if (other?.value) other.focus();
document.documentElement.dataset.inbox = "ready";
