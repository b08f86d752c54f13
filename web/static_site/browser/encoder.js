// Starts the text encoder: `embed(text)` returns its row. Everything it needs is fetched once, and then kept.
export class Encoder {
  // `told` is called with the share of the bytes that are there, from 0 to 1.
  constructor(folder, table, told = () => {}) {
    this.waiting = new Map();
    this.keys = 0;
    let bytes = 0;
    this.worker = new Worker(new URL("encoder_worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => {
      if (data.loaded) return told(Math.min(1, (bytes += data.loaded) / table.bytes));
      const [done, failed] = this.waiting.get(data.key) ?? [];
      this.waiting.delete(data.key);
      if (data.error) failed?.(new Error(data.error));
      else done?.(data.row ?? data.ids);
    };
    this.worker.onerror = (event) => {
      for (const [, failed] of this.waiting.values()) failed(new Error(event.message || "the text encoder could not be started"));
      this.waiting.clear();
    };
    this.ready = this.ask({ folder: String(folder), table });
  }

  ask(message) {
    return new Promise((done, failed) => {
      const key = ++this.keys;
      this.waiting.set(key, [done, failed]);
      this.worker.postMessage({ ...message, key });
    });
  }

  embed(text) {
    return this.ask({ text });
  }

  close() {
    this.worker.terminate();
  }
}
