// The map of the library on a canvas: zoomed and moved by wheel, fingers, pointer and keys. Without it a still map is shown.
import { base } from "./site.js";

const map = document.querySelector("[data-map]");
const FAR = 0.9;
const NEAR = 400;
const PICTURES_FROM = 26; // pixels that a meme has for itself, from which its picture is shown
const MOST_PICTURES = 90;

if (document.querySelector("[data-drawing]")) setTimeout(() => location.reload(), 4000);
if (map) start(await (await fetch(`${base}/map.json`)).json());

function start({ scale, ids, x, y, hues }) {
  const canvas = map.querySelector("canvas");
  const pen = canvas.getContext("2d");
  const tip = map.querySelector("[data-tip]");
  const labels = [...map.querySelectorAll(".labels li")];
  const details = new Map(); // by id: title, page, thumbnail
  const images = new Map();
  const asked = new Set();
  let zoom = FAR;
  let left = -0.055; // the corner of what is shown, in shares of the map
  let top = -0.055;
  let planned = false;
  let waiting;
  map.querySelector("svg").remove();
  canvas.hidden = false;

  const side = () => ({ width: map.clientWidth, height: map.clientHeight });
  const at = (place) => {
    const { width, height } = side();
    return [(x[place] / scale - left) * zoom * width, (y[place] / scale - top) * zoom * height];
  };

  function plan() {
    if (planned) return;
    planned = true;
    requestAnimationFrame(draw);
  }

  function draw() {
    planned = false;
    const { width, height } = side();
    const dense = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
      canvas.width = width * dense;
      canvas.height = height * dense;
    }
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, width, height);
    const shown = [];
    for (let place = 0; place < ids.length; place++) {
      const [across, down] = at(place);
      if (across > -60 && down > -60 && across < width + 60 && down < height + 60) shown.push(place);
    }
    const room = Math.sqrt((width * height) / Math.max(1, shown.length));
    const pictures = room >= PICTURES_FROM * 2 && shown.length <= MOST_PICTURES;
    const size = Math.min(160, room * 0.8);
    const radius = Math.max(2, Math.min(7, room / 5));
    for (const place of shown) {
      const [across, down] = at(place);
      const image = pictures ? images.get(ids[place]) : undefined;
      if (image?.complete && image.naturalWidth) {
        const fit = size / Math.max(image.naturalWidth, image.naturalHeight);
        const [wide, high] = [image.naturalWidth * fit, image.naturalHeight * fit];
        pen.drawImage(image, across - wide / 2, down - high / 2, wide, high);
        pen.strokeStyle = `hsl(${hues[place]} 65% 50%)`;
        pen.lineWidth = 2;
        pen.strokeRect(across - wide / 2, down - high / 2, wide, high);
      } else {
        pen.fillStyle = `hsl(${hues[place]} 65% 50%)`;
        pen.beginPath();
        pen.arc(across, down, radius, 0, 7);
        pen.fill();
      }
    }
    for (const label of labels) {
      label.style.left = `${(label.dataset.x / scale - left) * zoom * 100}%`;
      label.style.top = `${(label.dataset.y / scale - top) * zoom * 100}%`;
    }
    map.classList.toggle("near", zoom > 2.5);
    if (pictures) ask(shown.map((place) => ids[place]));
  }

  function ask(wanted) {
    const fresh = wanted.filter((id) => !asked.has(id));
    if (!fresh.length) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => know(fresh), 150);
  }

  async function know(wanted) {
    const some = wanted.filter((id) => !asked.has(id)).slice(0, 100);
    if (!some.length) return;
    for (const id of some) asked.add(id);
    const answer = await fetch(`${base}/map.json?ids=${some.join(".")}`).catch(() => undefined);
    if (!answer?.ok) {
      for (const id of some) asked.delete(id);
      return;
    }
    for (const [id, one] of Object.entries(await answer.json())) {
      details.set(Number(id), one);
      if (!one.thumbnail) continue;
      const image = new Image();
      image.addEventListener("load", plan);
      image.src = one.thumbnail;
      images.set(Number(id), image);
    }
    plan();
  }

  function move(across, down) {
    left = Math.min(1.1 - 1 / zoom / 2, Math.max(-0.1 - 1 / zoom / 2, left + across));
    top = Math.min(1.1 - 1 / zoom / 2, Math.max(-0.1 - 1 / zoom / 2, top + down));
    plan();
  }

  function zoomBy(factor, across = side().width / 2, down = side().height / 2) {
    const { width, height } = side();
    const before = zoom;
    zoom = Math.min(NEAR, Math.max(FAR, zoom * factor));
    left += (across / width) * (1 / before - 1 / zoom);
    top += (down / height) * (1 / before - 1 / zoom);
    move(0, 0);
  }

  // The meme nearest to a point of the screen, if one is near.
  function near(across, down) {
    let best;
    let least = 40 ** 2;
    for (let place = 0; place < ids.length; place++) {
      const [a, b] = at(place);
      const distance = (a - across) ** 2 + (b - down) ** 2;
      if (distance < least) [best, least] = [place, distance];
    }
    return best;
  }

  const pointers = new Map();
  let moved = 0;
  const spot = (event) => {
    const box = map.getBoundingClientRect();
    return { across: event.clientX - box.left, down: event.clientY - box.top };
  };
  map.addEventListener("pointerdown", (event) => {
    if (event.target.closest("a")) return;
    pointers.set(event.pointerId, spot(event));
    map.setPointerCapture(event.pointerId);
    moved = 0;
  });
  map.addEventListener("pointermove", (event) => {
    const now = spot(event);
    const before = pointers.get(event.pointerId);
    if (!before) return hover(now);
    const { width, height } = side();
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (one) => Math.hypot(one.across - other.across, one.down - other.down);
      zoomBy(apart(now) / Math.max(1, apart(before)), other.across, other.down);
    } else move((before.across - now.across) / width / zoom, (before.down - now.down) / height / zoom);
    moved += Math.hypot(now.across - before.across, now.down - before.down);
    pointers.set(event.pointerId, now);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    map.addEventListener(name, async (event) => {
      const had = pointers.delete(event.pointerId);
      if (!had || name === "pointercancel" || moved > 5) return;
      const { across, down } = spot(event);
      const place = near(across, down);
      if (place === undefined) return;
      if (!details.has(ids[place])) await know([ids[place]]);
      const page = details.get(ids[place])?.page;
      if (page) location.assign(page);
    });
  }
  let last;
  async function hover({ across, down }) {
    const place = near(across, down);
    map.style.cursor = place === undefined ? "" : "pointer";
    if (place === last) return;
    last = place;
    tip.hidden = place === undefined;
    if (place === undefined) return;
    tip.textContent = "…";
    if (!details.has(ids[place])) await know([ids[place]]);
    if (place === last) tip.textContent = details.get(ids[place])?.title ?? "";
  }
  map.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { across, down } = spot(event);
    zoomBy(Math.exp(-event.deltaY / 400), across, down);
  }, { passive: false });
  map.addEventListener("keydown", (event) => {
    const step = 0.15 / zoom;
    const does = {
      "+": () => zoomBy(1.4), "=": () => zoomBy(1.4), "-": () => zoomBy(1 / 1.4),
      ArrowLeft: () => move(-step, 0), ArrowRight: () => move(step, 0), ArrowUp: () => move(0, -step), ArrowDown: () => move(0, step),
    }[event.key];
    if (!does || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    does();
  });
  new ResizeObserver(plan).observe(map);
  map.dataset.map = "ready";
  plan();
}
