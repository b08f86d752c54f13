// Keeps what was seen for when there is no network: the shell at once, pages and parts of the search as they are read.
// Other sites of this host have caches of their own, and so has the text encoder.
const OWN = `memetica-${new URL("./", location.href).pathname}-`;
const NAME = `${OWN}${VERSION}`;
const MOST = 800; // files that are kept; the oldest go first
const LARGEST = 1_000_000; // bytes of one of them
const KEPT = /(?:\/|\.html|\.js|\.css|\.svg|\.webp|\.png|\.jpe?g|\.gif|\.avif|\.dat|\.json|\.webmanifest)$/;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = async () => {
    for (const name of await caches.keys()) if (name.startsWith(OWN) && name !== NAME) await caches.delete(name);
  };
  event.waitUntil(old().then(() => self.clients.claim()));
});

async function keep(request, answer) {
  if (Number(answer.headers.get("content-length")) > LARGEST) return;
  const cache = await caches.open(NAME);
  await cache.put(request, answer);
  const keys = await cache.keys();
  for (const one of keys.slice(0, Math.max(0, keys.length - MOST))) {
    if (!/\/static\/|\/(?:index|search)\.html$/.test(new URL(one.url).pathname)) await cache.delete(one);
  }
}

async function answer(event, key) {
  const cache = await caches.open(NAME);
  // Files that are named by their content do not change.
  const unchanging = /\/static\/|\/thumbnails\/|\/search\/(?:(?:vectors|encoder|phrases)\/)?[0-9a-f]{16}(?:-\d+)?\.(?:dat|js)$/.test(key.pathname);
  if (unchanging) {
    const known = await cache.match(key.href);
    if (known) return known;
  }
  try {
    const found = await fetch(event.request);
    if (found.ok && found.status === 200) event.waitUntil(keep(key.href, found.clone()));
    return found;
  } catch (error) {
    const known = await cache.match(key.href);
    if (known) return known;
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || address.origin !== location.origin || event.request.headers.has("range")) return;
  const key = new URL(address.pathname, address.origin); // whatever is searched, the page is one
  if (key.pathname.endsWith("/")) key.pathname += "index.html";
  if (KEPT.test(key.pathname) && !/\/search\/encoder\/.*\.dat$/.test(key.pathname)) event.respondWith(answer(event, key));
});
