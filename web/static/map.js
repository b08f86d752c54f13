// The map of the library on a canvas: zoomed and moved by wheel, fingers, pointer and keys. Without it a still map is shown.
import { base } from "./site.js";

const map = document.querySelector("[data-map]");
const isStatic = document.documentElement.dataset.static !== undefined;
const FAR = 0.9;
const NEAR = 400;
const PICTURES_FROM = 26; // pixels that a meme has for itself, from which its picture is shown
const MOST_PICTURES = 90;

if (document.querySelector("[data-drawing]")) setTimeout(() => location.reload(), 4000);
if (map) {
  const points = await fetch(isStatic ? new URL("map.json", document.baseURI) : `${base}/map.json`).then((answer) => answer.json()).catch(() => undefined);
  if (points) start(points);
  // The drawing and its links stay.
  else document.querySelector("main .quiet").textContent = "The map can only be looked at: its points could not be loaded. Load the page again to move in it.";
}

// The title, the page and the thumbnail of memes, by id.
async function detailsOf(ids) {
  if (isStatic) return (await import("./cards.js")).detailsOf(ids);
  const answer = await fetch(`${base}/map.json?ids=${ids.join(".")}`);
  return answer.ok ? answer.json() : undefined;
}

function start({ scale, ids, x, y, hues }) {
  const canvas = map.querySelector("canvas");
  const pen = canvas.getContext("2d");
  const tip = map.querySelector("[data-tip]");
  const labels = [...map.querySelectorAll(".labels li")].map((item) => {
    item.className = ""; // which of them have room is decided at each zoom, no longer by the style sheet
    return { item, x: item.dataset.x / scale, y: item.dataset.y / scale, width: item.offsetWidth, height: item.offsetHeight };
  });
  const details = new Map(); // by id: title, page, thumbnail
  const images = new Map();
  const asked = new Map(); // by id, the request for its details
  let zoom = FAR;
  let left = -0.055; // the corner of what is shown, in shares of the map
  let top = -0.055;
  let planned = false;
  let waiting;
  let keyed;
  map.querySelector("svg").remove();
  canvas.hidden = false;

  const side = () => ({ width: map.clientWidth, height: map.clientHeight });
  const at = (place, { width, height } = side()) => [
    (x[place] / scale - left) * zoom * width,
    (y[place] / scale - top) * zoom * height,
  ];

  function plan() {
    if (planned) return;
    planned = true;
    requestAnimationFrame(draw);
  }

  function draw() {
    planned = false;
    const screen = side(); // once: asking for it makes the browser lay the page out
    const { width, height } = screen;
    const dense = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
      canvas.width = width * dense;
      canvas.height = height * dense;
    }
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, width, height);
    const shown = [];
    for (let place = 0; place < ids.length; place++) {
      const [across, down] = at(place, screen);
      if (across > -60 && down > -60 && across < width + 60 && down < height + 60) shown.push(place);
    }
    const room = Math.sqrt((width * height) / Math.max(1, shown.length));
    const pictures = room >= PICTURES_FROM * 2 && shown.length <= MOST_PICTURES;
    const size = Math.min(160, room * 0.8);
    const radius = Math.max(2, Math.min(7, room / 5));
    const points = new Map(); // by colour: across, down, across, down …
    for (const place of shown) {
      const [across, down] = at(place, screen);
      const image = pictures ? images.get(ids[place]) : undefined;
      if (image?.complete && image.naturalWidth) {
        const fit = size / Math.max(image.naturalWidth, image.naturalHeight);
        const [wide, high] = [image.naturalWidth * fit, image.naturalHeight * fit];
        pen.drawImage(image, across - wide / 2, down - high / 2, wide, high);
        pen.strokeStyle = `hsl(${hues[place]} 65% 50%)`;
        pen.lineWidth = 2;
        pen.strokeRect(across - wide / 2, down - high / 2, wide, high);
      } else if (points.has(hues[place])) points.get(hues[place]).push(across, down);
      else points.set(hues[place], [across, down]);
    }
    // One fill for each colour: of tens of thousands, each by itself takes several times as long. Small ones are squares.
    for (const [hue, spots] of points) {
      pen.fillStyle = `hsl(${hue} 65% 50%)`;
      pen.beginPath();
      for (let one = 0; one < spots.length; one += 2) {
        if (radius < 3) pen.rect(spots[one] - radius, spots[one + 1] - radius, 2 * radius, 2 * radius);
        else {
          pen.moveTo(spots[one] + radius, spots[one + 1]);
          pen.arc(spots[one], spots[one + 1], radius, 0, 7);
        }
      }
      pen.fill();
    }
    if (keyed) mark(at(keyed.place));
    name(width, height);
    if (pictures) ask(shown.map((place) => ids[place]));
  }

  // Shows the names that have room, those of large categories first; one that would cover another waits for more zoom.
  function name(width, height) {
    const taken = [];
    for (const { item, x: across, y: down, width: wide, height: high } of labels) {
      const middle = (across - left) * zoom * width;
      const place = Math.min(width - wide / 2 - 4, Math.max(wide / 2 + 4, middle));
      const line = (down - top) * zoom * height;
      const box = [place - wide / 2 - 3, line - high / 2 - 2, place + wide / 2 + 3, line + high / 2 + 2];
      const seen = middle > 0 && middle < width && line > high / 2 && line < height - high / 2;
      const free = seen && !taken.some((one) => box[0] < one[2] && box[2] > one[0] && box[1] < one[3] && box[3] > one[1]);
      item.style.visibility = free ? "" : "hidden";
      if (!free) continue;
      taken.push(box);
      item.style.left = `${place}px`;
      item.style.top = `${line}px`;
    }
  }

  // A ring around the meme that Enter opens.
  function mark([across, down]) {
    pen.strokeStyle = getComputedStyle(map).color;
    pen.lineWidth = 2.5;
    pen.beginPath();
    pen.arc(across, down, 12, 0, 7);
    pen.stroke();
  }

  function ask(wanted) {
    const fresh = wanted.filter((id) => !asked.has(id));
    if (!fresh.length) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => know(fresh), 150);
  }

  // Resolves when the details of memes are there, whoever asked for them.
  function know(wanted) {
    const fresh = wanted.filter((id) => !asked.has(id)).slice(0, 100);
    const request = fresh.length ? load(fresh) : undefined;
    for (const id of fresh) asked.set(id, request);
    return Promise.all(wanted.map((id) => asked.get(id)));
  }

  async function load(some) {
    const found = await detailsOf(some).catch(() => undefined);
    if (!found) {
      for (const id of some) asked.delete(id);
      return;
    }
    for (const [id, one] of Object.entries(found)) {
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
  function near(across, down, within = 40) {
    let best;
    let least = within ** 2;
    const screen = side();
    for (let place = 0; place < ids.length; place++) {
      const [a, b] = at(place, screen);
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
      open(near(across, down));
    });
  }
  async function open(place) {
    if (place === undefined) return;
    if (!details.has(ids[place])) await know([ids[place]]);
    const page = details.get(ids[place])?.page;
    if (page) location.assign(page);
  }
  let last;
  async function hover({ across, down }) {
    const place = near(across, down);
    map.style.cursor = place === undefined ? "" : "pointer";
    await tell(place);
  }
  async function tell(place) {
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
  // With keys, the meme nearest to the middle is the chosen one.
  function choose() {
    const { width, height } = side();
    const place = near(width / 2, height / 2, Infinity);
    keyed = place === undefined ? undefined : { place };
    tell(place);
    plan();
  }
  map.addEventListener("focus", () => map.matches(":focus-visible") && choose());
  map.addEventListener("blur", () => {
    keyed = undefined;
    plan();
  });
  map.addEventListener("keydown", (event) => {
    if (event.target !== map) return; // the name of a category has the focus
    const step = 0.15 / zoom;
    const does = {
      "+": () => zoomBy(1.4), "=": () => zoomBy(1.4), "-": () => zoomBy(1 / 1.4), Enter: () => open(keyed?.place),
      ArrowLeft: () => move(-step, 0), ArrowRight: () => move(step, 0), ArrowUp: () => move(0, -step), ArrowDown: () => move(0, step),
    }[event.key];
    if (!does || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the keys of every page do other things
    does();
    choose();
  });
  new ResizeObserver(plan).observe(map);
  map.dataset.map = "ready";
  plan();
}
