// Questions to the worker.  All addresses are relative to the page, so that a path prefix works.

const base = new URL("./", document.baseURI);
const KEY = "segstream-token";
/** The worker gives a sign of life every 10 s; after so much silence the connection is lost, as after a laptop's sleep. */
const SILENCE_MS = 25_000;
let asking = null;

/** What went wrong, in a sentence, and what to do about it. */
export class ApiError extends Error {
  constructor(status, message, todo = "") {
    super(message);
    this.status = status;
    this.todo = todo;
  }
}

function stored() {
  try { return sessionStorage.getItem(KEY); } catch { return null; }
}

function store(token) {
  try { sessionStorage.setItem(KEY, token); } catch { /* then it lives as long as this page */ }
  memory = token;
}
let memory = stored();

/** One request, with the token where there is one; asks the reader for it where the worker does. */
async function request(path, { params = {}, signal, headers = {} } = {}) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  for (;;) {
    const token = memory;
    let answer;
    try {
      const authorization = token ? { Authorization: `Bearer ${token}` } : {};
      answer = await fetch(url, { signal, cache: "no-store", headers: { ...headers, ...authorization } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "The worker does not answer.", "Is it running? This page tries again by itself.");
    }
    if (answer.status !== 401) return answer;
    if (memory === token) await ask(token !== null);
  }
}

/** The answer as an object; ApiError where it is a refusal. */
export async function get(path, options) {
  const answer = await request(path, options);
  if (answer.ok) return answer.json();
  throw await refusal(answer);
}

async function refusal(answer) {
  let said = "";
  try { said = (await answer.json()).error ?? ""; } catch { /* not one of the worker's own answers */ }
  const todo = {
    403: "The token does not allow this.",
    404: "",
    429: "Too many questions in a short time; this page goes on by itself.",
    503: "A worker is starting or reading its rows; see Health. This page tries again by itself.",
  }[answer.status];
  return new ApiError(answer.status, sentence(said) || `The worker answered ${answer.status}.`, todo ?? "");
}

function sentence(text) {
  const one = String(text).trim();
  return one && one[0].toUpperCase() + one.slice(1) + (/[.!?]$/.test(one) ? "" : ".");
}

/** The dialog for the token; everybody who meets a 401 waits for the one that is open. */
function ask(wrong) {
  asking ??= new Promise((done) => {
    const dialog = document.getElementById("token");
    const input = document.getElementById("token-value");
    document.getElementById("token-problem").textContent = wrong ? "The worker does not know this token." : "";
    input.value = "";
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => { store(input.value.trim()); asking = null; done(); }, { once: true });
    dialog.showModal();
  });
  return asking;
}

/**
 * Server-sent events until the signal says stop.  `fetch` rather than EventSource, which cannot carry a token.
 * Goes on after what it saw last when the connection breaks; `onState` hears "live" and "lost".
 */
export async function listen(path, { params, signal, onEvent, onState }) {
  let last = null, pause = 500;
  while (!signal.aborted) {
    const silent = new AbortController();
    let heard = Date.now();
    const watch = setInterval(() => { if (Date.now() - heard > SILENCE_MS) silent.abort(); }, SILENCE_MS / 10);
    try {
      const headers = { Accept: "text/event-stream", ...(last === null ? {} : { "Last-Event-ID": last }) };
      const answer = await request(path, { params, signal: AbortSignal.any([signal, silent.signal]), headers });
      if (!answer.ok) throw await refusal(answer);
      onState("live");
      pause = 500;
      for await (const event of events(answer.body, () => { heard = Date.now(); })) {
        if (event.id !== null) last = event.id;
        if (event.data) onEvent(JSON.parse(event.data), event.type);
      }
    } catch (error) {
      if (signal.aborted) return;
      // What was seen last is no longer there, or not known: begin anew rather than ask for it for ever.
      if (error.status === 410 || error.status === 400) last = null;
      onState("lost", error instanceof ApiError ? error : null);
    } finally {
      clearInterval(watch);
    }
    await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(pause * 2, 10_000);
  }
}

async function* events(body, onHeard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onHeard();
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = { id: null, type: "message", data: "" };
      for (const line of block.split("\n")) {
        const [, field, text] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
        if (field === "id") event.id = text;
        else if (field === "event") event.type = text;
        else if (field === "data") event.data += (event.data && "\n") + text;
      }
      yield event;
    }
  }
}
