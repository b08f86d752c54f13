// Keeps what was seen for when there is no network: the shell at once, pages and parts of the search as they are read.
// Other sites of this host have caches of their own, and so has the text encoder.
const OWN = `memetica-${new URL("./", location.href).pathname}-`;
const NAME = `${OWN}${VERSION}`;
const MOST = 800; // files that are kept; the oldest go first
const LARGEST = 1_000_000; // bytes of one of them
const KEPT = /(?:\/|\.html|\.js|\.css|\.svg|\.webp|\.png|\.jpe?g|\.gif|\.avif|\.dat|\.json|\.webmanifest)$/;

const cacheOf = () => caches.open(NAME).catch(() => undefined); // the disk may be full, or the browser keep nothing

self.addEventListener("install", (event) => {
  // What a host refuses, or answers with another page, is fetched when it is needed.
  const add = async (name) => keep(new URL(name, location.href).href, await fetch(new URL(name, location.href)));
  event.waitUntil(Promise.allSettled(SHELL.map(add)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = async () => {
    for (const name of await caches.keys()) if (name.startsWith(OWN) && name !== NAME) await caches.delete(name);
  };
  event.waitUntil(old().then(() => self.clients.claim()));
});

async function keep(address, answer) {
  if (answer.status !== 200 || Number(answer.headers.get("content-length")) > LARGEST) return;
  // Some hosts answer with a page where a file is missing: it must not stay in the place of the file.
  const isPage = /^text\/html/.test(answer.headers.get("content-type") ?? "");
  if (isPage && !/(?:\/|\.html)$/.test(new URL(address).pathname)) return;
  const cache = await cacheOf();
  // A browser takes no redirected answer for a page that it opens.
  await cache?.put(address, answer.redirected ? new Response(answer.body, { headers: answer.headers }) : answer);
  const keys = (await cache?.keys()) ?? [];
  for (const one of keys.slice(0, Math.max(0, keys.length - MOST))) {
    if (!/\/static\/|\/(?:index|search)\.html$/.test(new URL(one.url).pathname)) await cache.delete(one);
  }
}

async function answer(event, key) {
  const known = async () => (await cacheOf())?.match(key.href).catch(() => undefined);
  // Files that are named by their content do not change; one that was damaged is asked for past all caches.
  const unchanging = /\/static\/|\/thumbnails\/|\/search\/(?:(?:vectors|encoder|phrases)\/)?[0-9a-f]{16}(?:-\d+)?\.(?:dat|js)$/.test(key.pathname);
  if (unchanging && event.request.cache !== "reload") {
    const found = await known();
    if (found) return found;
  }
  try {
    const found = await fetch(event.request);
    if (found.ok) event.waitUntil(keep(key.href, found.clone()).catch(() => {}));
    return found;
  } catch (error) {
    const found = await known();
    if (found) return found;
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
