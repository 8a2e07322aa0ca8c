// Talking to the server: keys, waiting when it is busy, and its errors.

const KEY = "api-key";
const BUSY_ATTEMPTS = 20;
const NETWORK_ATTEMPTS = 3;
const LONGEST_WAIT_S = 30;

/** What the server, or the way to it, says against a request. */
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Service {
  /** `askForKey(wasRefused)` gives a promise of a key that a person has entered. */
  constructor(askForKey) {
    this.askForKey = askForKey;
    this.asking = null;
  }

  /** What is served. */
  async model() {
    return (await this.ask("v1/model", {})).body;
  }

  /** Whether what comes in has changed. `onWait` as in `predict`. */
  async drift(onWait) {
    return (await this.ask("drift", {}, onWait)).body;
  }

  /** How the stream went. */
  async history(onWait) {
    return (await this.ask("drift/history?stretches=60", {}, onWait)).body;
  }

  /** Classifies a file. `onWait(seconds, isBusy)` is told before it is sent again. */
  predict(file, { signal, onWait }) {
    const form = new FormData();
    form.append("file", file, file.name);
    return this.ask("predict", { method: "POST", body: form, signal }, onWait);
  }

  /** What a path gives, as it is. */
  async file(path) {
    return (await this.ask(path, {}, () => {}, (response) => response.blob())).body;
  }

  async ask(path, options, onWait = () => {}, content = (response) => response.json()) {
    for (let attempt = 1; ; attempt += 1) {
      const key = sessionStorage.getItem(KEY);
      const response = await this.send(path, options, key, attempt);
      if (response?.status === 401) {
        await this.newKey(key);
        continue;
      }
      const busy = response === null || response.status === 503 || response.status === 429;
      if (busy && attempt < BUSY_ATTEMPTS) {
        const seconds = waitingTime(response, attempt);
        onWait(seconds, response !== null);
        await pause(seconds, options.signal);
        continue;
      }
      return read(response, content);
    }
  }

  /** The answer; `null` where none came and it makes sense to ask again. */
  async send(path, options, key, attempt) {
    try {
      const headers = key ? { "x-api-key": key } : {};
      return await fetch(path, { ...options, headers, cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      if (attempt < NETWORK_ATTEMPTS) return null;
      throw new Refusal("unreachable", "The server cannot be reached, or the file can no longer be read.");
    }
  }

  /** Waits until there is another key than `refused`; all requests ask for it together. */
  async newKey(refused) {
    if (sessionStorage.getItem(KEY) !== refused) return;
    this.asking ??= this.askForKey(refused !== null).then((key) => {
      sessionStorage.setItem(KEY, key);
      this.asking = null;
    });
    await this.asking;
  }
}

async function read(response, content) {
  if (response.ok) {
    const body = await content(response).catch(() => null);
    if (body) return { body, timing: response.headers.get("server-timing") };
  }
  const error = (await response.json().catch(() => null))?.error;
  throw new Refusal(error?.code ?? `http_${response.status}`, error?.message ?? `The server answered ${response.status}.`);
}

function waitingTime(response, attempt) {
  const asked = Number(response?.headers.get("retry-after"));
  return Math.min(asked > 0 ? asked : attempt, LONGEST_WAIT_S);
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
