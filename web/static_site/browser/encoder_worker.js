// The text encoder, in a thread of its own: loading it would keep the page from answering for a second.
// Its files are named by their content and kept in a cache, so that they are fetched once.
const CACHE = "memetica encoder";
let ready;

// An error with the `kind` that files.js has for it.
const failure = (name, kind) => Object.assign(new Error(name), { kind });

const cacheOf = () => globalThis.caches?.open(CACHE).catch(() => undefined); // private windows may keep nothing

async function kept(address) {
  const cache = await cacheOf();
  const known = await cache?.match(address).catch(() => undefined);
  if (known) return known.arrayBuffer();
  const answer = await fetch(address).catch(() => Promise.reject(failure(address, "offline")));
  if (!answer.ok) throw failure(address, answer.status === 404 || answer.status === 410 ? "missing" : "server");
  const raw = await answer.arrayBuffer().catch(() => Promise.reject(failure(address, "offline"))); // the rest did not come
  await cache?.put(address, new Response(raw)).catch(() => {}); // the disk may be full
  return raw;
}

// Removes the files of an encoder that this site had before.
async function forget(folder, names) {
  const cache = await cacheOf();
  for (const { url } of (await cache?.keys()) ?? []) if (url.startsWith(folder) && !names.includes(url.slice(folder.length))) await cache.delete(url);
}

async function bytes(folder, names) {
  const addresses = names.map((name) => new URL(name, folder).href);
  const parts = await Promise.all(addresses.map(async (address) => {
    const part = await kept(address);
    postMessage({ loaded: part.byteLength });
    return part;
  }));
  try {
    return await new Response(new Blob(parts).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  } catch {
    const cache = await cacheOf(); // the next attempt fetches them again
    for (const address of addresses) await cache?.delete(address).catch(() => {});
    throw failure(names[0], "damaged");
  }
}

const script = (name, folder) => import(new URL(name, folder)).catch(() => Promise.reject(failure(name, "missing")));

async function open({ folder, table }) {
  const [ort, { Tokenizer }, runtime, model, tokenizer] = await Promise.all([
    script(table.scripts.ort, folder),
    script(table.scripts.tokenizers, folder),
    bytes(folder, [table.runtime]),
    bytes(folder, table.model),
    bytes(folder, [table.tokenizer]),
  ]);
  ort.env.wasm.numThreads = 1; // more need headers that a plain server of files does not send
  ort.env.wasm.wasmBinary = runtime;
  const session = await ort.InferenceSession.create(new Uint8Array(model), { executionProviders: ["wasm"] });
  forget(folder, [table.runtime, ...table.model, table.tokenizer]).catch(() => {});
  return { ort, session, tokens: new Tokenizer(JSON.parse(new TextDecoder().decode(tokenizer)), {}), table };
}

// The tokens of a text, as the served site cuts them: the last one stays.
export function tokensOf(tokenizer, text, { prompt, special, most }) {
  const { ids } = tokenizer.encode(prompt + text, { add_special_tokens: special });
  if (!most || ids.length <= most) return ids;
  return special ? [...ids.slice(0, most - 1), ids.at(-1)] : ids.slice(0, most);
}

async function embed(text) {
  const { ort, session, tokens, table } = await ready;
  const ids = tokensOf(tokens, text, table);
  const whole = (values) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  const found = await session.run({ input_ids: whole(ids), attention_mask: whole(ids.map(() => 1)) });
  return found[session.outputNames[0]].data;
}

self.onmessage = async ({ data }) => {
  try {
    if (data.table) ready = open(data);
    if (data.tokenize !== undefined) return postMessage({ key: data.key, ids: tokensOf((await ready).tokens, data.tokenize, (await ready).table) });
    const row = data.text === undefined ? (await ready) && null : await embed(data.text);
    postMessage({ key: data.key, row });
  } catch (error) {
    postMessage({ key: data.key, error: String(error?.message ?? error), kind: error?.kind });
  }
};
