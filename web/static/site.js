// Makes the pages quicker to use. Every page works without it.

const box = document.querySelector("[data-search]");
const field = box?.querySelector("input[type=search]");

// --- a picture to search with: chosen, pasted or dragged anywhere ---

function notify(message, seconds = 6) {
  document.querySelector(".busy")?.remove();
  const note = document.createElement("p");
  note.className = "busy";
  note.setAttribute("role", "status");
  note.textContent = message;
  document.body.append(note);
  if (seconds) setTimeout(() => note.remove(), seconds * 1000);
}

async function searchWith(file) {
  if (!file) return;
  notify("Searching with the picture…", 0);
  const form = new FormData();
  form.append("picture", file, file.name || "pasted");
  form.append("q", field?.value ?? "");
  form.append("category", box?.elements.category?.value ?? "");
  try {
    const answer = await fetch(`${document.documentElement.dataset.base}/upload`, { method: "POST", body: form });
    if (answer.ok) {
      location.href = answer.url;
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    notify([...page.querySelectorAll("main h1, main h1 + p")].map((one) => one.textContent.trim()).join(" ") || "The search with this picture failed.");
  } catch {
    notify("The server cannot be reached. Try again.");
  }
}

for (const choose of document.querySelectorAll("[data-choose]")) {
  choose.addEventListener("click", (event) => {
    event.preventDefault();
    const input = document.createElement("input");
    input.type = "file";
    input.accept = "image/*,video/*";
    input.addEventListener("change", () => searchWith(input.files[0]));
    input.click();
  });
}

document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => /^(image|video)\//.test(one.type));
  if (file) {
    event.preventDefault();
    searchWith(file);
  }
});

let entered = 0;
const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragenter", (event) => {
  if (holdsFile(event)) document.body.classList.toggle("dragging", ++entered > 0);
});
document.addEventListener("dragleave", (event) => {
  if (holdsFile(event)) document.body.classList.toggle("dragging", --entered > 0);
});
document.addEventListener("dragover", (event) => holdsFile(event) && event.preventDefault());
document.addEventListener("drop", (event) => {
  if (!holdsFile(event)) return;
  event.preventDefault();
  entered = 0;
  document.body.classList.remove("dragging");
  searchWith(event.dataTransfer.files[0]);
});

// --- load more on scroll, and restore the place after Back ---

const results = document.getElementById("results");
const remembered = () => `grid:${location.pathname}${location.search}`;

function restore() {
  const entry = performance.getEntriesByType("navigation")[0];
  const stored = sessionStorage.getItem(remembered());
  if (!results || !stored || entry?.type !== "back_forward") return;
  const { html, pager, scroll } = JSON.parse(stored);
  results.innerHTML = html;
  const nav = document.querySelector("[data-pager]");
  if (nav) nav.outerHTML = pager;
  requestAnimationFrame(() => scrollTo(0, scroll));
}

addEventListener("pagehide", () => {
  if (!results) return;
  const nav = document.querySelector("[data-pager]");
  try {
    sessionStorage.setItem(remembered(), JSON.stringify({ html: results.innerHTML, pager: nav?.outerHTML ?? "", scroll: scrollY }));
  } catch {
    sessionStorage.clear(); // full: better to lose the scroll position than to fail
  }
});

let loading = false;
async function more(nav) {
  const next = nav.querySelector("a[rel=next]");
  if (loading || !next) return;
  loading = true;
  try {
    const answer = await fetch(next.href);
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const last = results.querySelector(":scope > .filler:last-child");
    for (const item of page.querySelectorAll("#results > li:not(:last-child)")) results.insertBefore(item, last);
    const following = page.querySelector("[data-pager]");
    const link = following?.querySelector("a[rel=next]");
    if (link) next.href = link.href;
    else next.remove();
    const label = following?.querySelector("span");
    if (label) nav.querySelector("span").textContent = label.textContent;
  } finally {
    loading = false;
  }
}

// Shows a card's variants after it. Without the script, and by middle click, they open on a page of their own.
async function unfold(link) {
  const card = link.closest(".card");
  const answer = await fetch(link.href);
  if (!answer.ok) return location.assign(link.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const others = [...page.querySelectorAll("#results > .card")].filter((one) => one.dataset.id !== card.dataset.id);
  for (const one of others) one.querySelector("a.variants")?.remove();
  card.after(...others);
  link.remove();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a.variants");
  if (!link || !results || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  unfold(link).catch(() => location.assign(link.href));
});

restore();
const pager = document.querySelector("[data-pager]");
if (pager && results) {
  new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(pager), { rootMargin: "900px" }).observe(pager);
}

// --- keys ---

const links = () => [...document.querySelectorAll(".card > a.picture")];

function move(key) {
  const every = links();
  const here = every.indexOf(document.activeElement);
  if (here < 0) return every[0];
  if (key === "ArrowRight") return every[here + 1];
  if (key === "ArrowLeft") return every[here - 1];
  const from = every[here].getBoundingClientRect();
  const below = key === "ArrowDown";
  const center = from.left + from.width / 2;
  return every
    .map((link) => ({ link, box: link.getBoundingClientRect() }))
    .filter(({ box }) => (below ? box.top >= from.bottom - 1 : box.bottom <= from.top + 1))
    .sort((one, other) => {
      const distance = ({ box }) => Math.abs(below ? box.top - from.bottom : from.top - box.bottom) * 3 + Math.abs(box.left + box.width / 2 - center);
      return distance(one) - distance(other);
    })[0]?.link;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches?.("input, textarea, select, video");
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (history.length > 1 && document.querySelector(".meme")) history.back();
    return;
  }
  if (typing) return;
  if (event.key === "/") {
    event.preventDefault();
    field?.focus();
    field?.select();
  } else if (event.key.startsWith("Arrow") && links().length) {
    const next = move(event.key);
    if (next) {
      event.preventDefault();
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    }
  } else if (event.key === "s") {
    const card = document.activeElement?.closest?.(".card");
    if (card) location.href = `${card.querySelector("a.picture").href}#alike`;
    else document.getElementById("alike")?.scrollIntoView();
  }
});

// --- a meme's page ---

const copy = document.querySelector("[data-copy]");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href.split("#")[0]);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy link"), 2000);
  });
}
const pause = document.querySelector("[data-pause]");
if (pause) {
  const picture = document.querySelector("[data-zoom]");
  const moving = picture.getAttribute("src");
  let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  const label = () => (pause.textContent = playing ? "Pause" : "Play");
  pause.hidden = false;
  label();
  pause.addEventListener("click", () => {
    playing = !playing;
    picture.parentElement.querySelector("source")?.remove(); // the button decides from here on
    picture.src = playing ? moving : pause.dataset.pause;
    label();
  });
}
for (const picture of document.querySelectorAll("[data-zoom]")) {
  picture.addEventListener("click", () => picture.closest(".frame").classList.toggle("whole"));
}
