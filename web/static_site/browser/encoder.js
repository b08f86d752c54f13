import { FileError } from "./files.js";

const STALLED = 60_000; // milliseconds without a byte
const STARTING = 180_000; // … without an answer, once all bytes are there: a telephone compiles for long
const ANSWER = 60_000; // … for a row

// Starts the text encoder: `embed(text)` returns its row. Everything it needs is fetched once, and then kept.
export class Encoder {
  // `told` is called with the share of the bytes that are there, from 0 to 1.
  constructor(folder, table, told = () => {}) {
    this.waiting = new Map();
    this.keys = 0;
    let bytes = 0;
    this.worker = new Worker(new URL("encoder_worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => {
      if (data.loaded) {
        this.watch(bytes + data.loaded < table.bytes ? STALLED : STARTING);
        return told(Math.min(1, (bytes += data.loaded) / table.bytes));
      }
      const [done, failed] = this.waiting.get(data.key) ?? [];
      this.waiting.delete(data.key);
      this.watch(ANSWER);
      if (data.error) failed?.(data.kind ? new FileError(data.error, data.kind) : new Error(data.error));
      else done?.(data.row ?? data.ids);
    };
    this.worker.onerror = (event) => this.fail(new Error(event.message || "the text encoder could not be started"));
    this.ready = this.ask({ folder: String(folder), table }, STALLED);
  }

  // Gives up where nothing is heard for some time while somebody waits.
  watch(milliseconds) {
    clearTimeout(this.timer);
    const stalled = milliseconds === STALLED ? () => new FileError("the text encoder", "offline") : () => new Error("the text encoder does not answer");
    if (this.waiting.size) this.timer = setTimeout(() => this.fail(stalled()), milliseconds);
  }

  fail(error) {
    for (const [, failed] of this.waiting.values()) failed(error);
    this.waiting.clear();
    this.close();
  }

  ask(message, milliseconds = ANSWER) {
    return new Promise((done, failed) => {
      const key = ++this.keys;
      this.waiting.set(key, [done, failed]);
      this.watch(milliseconds);
      this.worker.postMessage({ ...message, key });
    });
  }

  embed(text) {
    return this.ask({ text });
  }

  close() {
    clearTimeout(this.timer);
    this.worker.terminate();
  }
}
