// The text encoder, in a thread of its own: loading it would keep the page from answering for a second.
// Its files are named by their content and kept in a cache, so that they are fetched once.
const CACHE = "memetica encoder";
let ready;

async function kept(address) {
  const cache = await globalThis.caches?.open(CACHE).catch(() => undefined); // private windows may keep nothing
  const known = await cache?.match(address);
  if (known) return known.arrayBuffer();
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  await cache?.put(address, answer.clone()).catch(() => {}); // the disk may be full
  return answer.arrayBuffer();
}

// Removes the files of an encoder that this site had before.
async function forget(folder, names) {
  const cache = await globalThis.caches?.open(CACHE).catch(() => undefined);
  for (const { url } of (await cache?.keys()) ?? []) if (url.startsWith(folder) && !names.includes(url.slice(folder.length))) await cache.delete(url);
}

async function bytes(folder, names) {
  const parts = await Promise.all(names.map(async (name) => {
    const part = await kept(new URL(name, folder).href);
    postMessage({ loaded: part.byteLength });
    return part;
  }));
  return new Response(new Blob(parts).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function open({ folder, table }) {
  const [ort, { Tokenizer }, runtime, model, tokenizer] = await Promise.all([
    import(new URL(table.scripts.ort, folder)),
    import(new URL(table.scripts.tokenizers, folder)),
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
    postMessage({ key: data.key, error: String(error?.message ?? error) });
  }
};
