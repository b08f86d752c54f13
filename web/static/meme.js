// What can be done with a meme, on its page and in the viewer: copy, share, zoom, pause, favorites.
import { notify } from "./site.js";

// --- copying ---

async function asPng(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.naturalWidth, height: image.naturalHeight });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("empty"))), "image/png"));
}

async function copyPicture(address) {
  if (!canCopyPictures()) return notify("Browsers copy pictures from HTTPS pages only. Download it, or copy its link.");
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": asPng(address) })]);
    notify("Picture copied. Paste it anywhere.", 3);
  } catch {
    notify("The picture could not be copied. Download it instead.");
  }
}

async function copyText(text, done) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else {
      // Without HTTPS browsers offer only the old way.
      const area = Object.assign(document.createElement("textarea"), { value: text });
      (document.querySelector("dialog[open]") ?? document.body).append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    notify(done, 3);
  } catch {
    notify("It could not be copied.");
  }
}

const canCopyPictures = () => Boolean(navigator.clipboard?.write && window.ClipboardItem);

export function copyCard(card) {
  const link = card.querySelector("a.picture");
  if (canCopyPictures() && !card.querySelector("[data-play]")) copyPicture(link.href.replace(/\.html$/, ""));
  else copyText(link.href, "Link copied.");
}

export const copyPage = (within = document) => within.querySelector("[data-copy-picture]:not([hidden]), [data-copy]")?.click();

// --- sharing ---

async function share(meme, address) {
  const data = { title: meme.dataset.title, url: address };
  const shown = meme.querySelector("[data-zoom], video");
  try {
    const answer = await fetch(shown.src);
    if (!answer.ok) return await navigator.share(data); // the file is gone: its page is shared
    const blob = await answer.blob();
    const name = decodeURIComponent(new URL(shown.src).pathname.split("/").pop());
    const files = [new File([blob], name, { type: blob.type })];
    if (navigator.canShare?.({ files })) return await navigator.share({ title: data.title, files });
    await navigator.share(data);
  } catch (error) {
    if (error.name !== "AbortError") notify("It could not be shared. Copy its link instead.");
  }
}

// --- zoom: to the picture's own size, at least twice as large; dragged to move, Esc or a click to leave ---

function equipZoom(meme) {
  const pane = meme.querySelector("[data-zoomable]");
  const button = meme.querySelector("[data-zoom-button]");
  if (!pane || !button) return;
  const frame = pane.querySelector(".frame");
  const image = pane.querySelector("[data-zoom]");
  const zoom = (event) => {
    const before = frame.getBoundingClientRect();
    const across = event?.clientX ? (event.clientX - before.left) / before.width : 0.5;
    const down = event?.clientY ? (event.clientY - before.top) / before.height : 0.5;
    const zoomed = pane.classList.toggle("zoomed");
    frame.style.width = zoomed ? `${Math.max(image.naturalWidth, before.width * 2)}px` : "";
    button.setAttribute("aria-pressed", String(zoomed));
    for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", "Zoomed picture"]])
      zoomed ? pane.setAttribute(name, value) : pane.removeAttribute(name); // it scrolls: keys reach it
    pane.scrollTo(frame.scrollWidth * across - pane.clientWidth / 2, frame.scrollHeight * down - pane.clientHeight / 2);
  };
  button.hidden = false;
  button.addEventListener("click", () => zoom());
  let from; // where a drag began
  pane.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.target === image) from = { x: event.clientX, y: event.clientY, left: pane.scrollLeft, top: pane.scrollTop, moved: false };
  });
  pane.addEventListener("pointermove", (event) => {
    if (!from || !pane.classList.contains("zoomed")) return;
    from.moved ||= Math.hypot(event.clientX - from.x, event.clientY - from.y) > 4;
    pane.scrollTo(from.left + from.x - event.clientX, from.top + from.y - event.clientY);
  });
  image.addEventListener("dragstart", (event) => pane.classList.contains("zoomed") && event.preventDefault());
  image.addEventListener("click", (event) => {
    if (!from?.moved) zoom(event);
    from = undefined;
  });
}

function equipPause(meme) {
  const button = meme.querySelector("[data-pause]");
  if (!button) return;
  const picture = meme.querySelector("[data-zoom]");
  const moving = picture.getAttribute("src");
  let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  const label = () => (button.textContent = playing ? "Pause" : "Play");
  button.hidden = false;
  label();
  button.addEventListener("click", () => {
    playing = !playing;
    picture.parentElement.querySelector("source")?.remove(); // the button decides from here on
    picture.src = playing ? moving : button.dataset.pause;
    label();
  });
}

// --- favorites ---

// Several exported sites may be on one host, each with its own numbers.
export const FAVORITES = document.documentElement.dataset.static === undefined ? "favorites" : `favorites ${new URL(document.baseURI).pathname}`;

export function favorites() {
  try {
    return JSON.parse(localStorage.getItem(FAVORITES) ?? "[]").filter((one) => /^[0-9]{1,18}$/.test(one));
  } catch {
    return [];
  }
}

export function label(button) {
  const is = favorites().includes(button.closest(".meme").dataset.id);
  button.hidden = false;
  button.setAttribute("aria-pressed", String(is));
  button.textContent = is ? "♥ Favorite" : "♡ Favorite";
}

// Makes the buttons of a meme work.
export function equip(meme) {
  const address = new URL(meme.dataset.page, document.baseURI).href;
  const picture = meme.querySelector("[data-copy-picture]");
  const actions = [
    [picture, true, () => copyPicture(meme.querySelector("[data-zoom]").src)],
    [meme.querySelector("[data-share]"), Boolean(navigator.share), () => share(meme, address)],
    [meme.querySelector("[data-copy]"), true, () => copyText(address, "Link copied.")],
  ];
  for (const [button, works, act] of actions) {
    if (!button || !works) continue;
    button.hidden = false;
    button.addEventListener("click", act);
  }
  const heart = meme.querySelector("[data-favorite]");
  if (heart) {
    label(heart);
    heart.addEventListener("click", () => import("./favorites.js").then(({ toggle }) => toggle(meme.dataset.id)));
  }
  equipZoom(meme);
  equipPause(meme);
}
