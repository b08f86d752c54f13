// The files of an exported site's search: fetched, unpacked, and why one cannot be had.

// `kind` is "offline" where nothing answers, "missing", "server" for an error of the host, "damaged" for other content than
// there should be, as a page in place of a part, and "updated" where the open page is older than the site.
export class FileError extends Error {
  constructor(name, kind) {
    super(`${name}: ${kind}`);
    this.kind = kind;
  }
}

// Returns the function that fetches the bytes of a file by its name below an address; `again` passes caches by.
export const fetching = (folder) => async (name, { again = false } = {}) => {
  // Without asking whether it has changed, a browser may pair a table of yesterday with the parts of today.
  const cache = again ? "reload" : name === "index.json" ? "no-cache" : "default";
  let answer;
  try {
    answer = await fetch(new URL(name, folder), { cache });
  } catch {
    throw new FileError(name, "offline");
  }
  if (!answer.ok) throw new FileError(name, answer.status === 404 || answer.status === 410 ? "missing" : "server");
  return answer.arrayBuffer().catch(() => Promise.reject(new FileError(name, "offline"))); // the rest did not come
};

// The content of a file as `read` understands its bytes. What cannot be read is fetched once more, past all caches.
export async function contentOf(load, name, read) {
  try {
    return await read(await load(name));
  } catch (error) {
    if (error instanceof FileError) throw error;
  }
  const raw = await load(name, { again: true });
  try {
    return await read(raw);
  } catch {
    throw new FileError(name, "damaged");
  }
}

export const unpacked = (raw) => new Response(new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();

export const asJson = (raw) => JSON.parse(new TextDecoder().decode(raw));

export const packedJson = async (raw) => asJson(await unpacked(raw));

// A script that only some searches need: where it cannot be loaded, the site was updated and the page is an older one.
export const script = (loading, name) => loading.catch(() => Promise.reject(new FileError(name, globalThis.navigator?.onLine === false ? "offline" : "updated")));
