// The conversation with the server. Every answer that isn't what was asked for becomes a Problem with one line.

export class Problem extends Error {
  /* kind: "gone" if the server doesn't know the photo any more, "away" if it doesn't answer, "cancelled", or "". */
  constructor(said, kind = "") {
    super(said && said[0].toUpperCase() + said.slice(1) + ".");
    this.said = said;
    this.kind = kind;
  }
}

const AWAY = "the server doesn't answer: see whether photomend app is still running";

async function problemOf(response) {
  const { error } = await response.json().catch(() => ({}));
  return new Problem(error ?? `the server answers ${response.status}`, response.status === 410 ? "gone" : "");
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (problem) {
    throw problem.name === "AbortError" ? new Problem("", "cancelled") : new Problem(AWAY, "away");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

export const options = async () => (await ask("/api/options")).json();

/* Send a photo; its id. `sent` is told which part of it is on its way, from 0 to 1; `signal` stops it. */
export function send(file, sent, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); /* fetch doesn't say how much has been sent */
    request.upload.addEventListener("progress", (event) => sent(event.loaded / event.total));
    request.addEventListener("error", () => reject(new Problem(AWAY, "away")));
    request.addEventListener("abort", () => reject(new Problem("", "cancelled")));
    request.addEventListener("load", async () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText).id);
      else reject(await problemOf(new Response(request.responseText, { status: request.status })));
    });
    signal.addEventListener("abort", () => request.abort());
    request.open("POST", `/api/photos?name=${encodeURIComponent(file.name)}`);
    request.send(file);
  });
}

/* A photo that the server has. */
export class Remote {
  /* `signal`: nothing is asked any more once it is aborted. */
  constructor(id, signal = null) {
    this.id = id;
    this.path = `/api/photos/${id}`;
    this.signal = signal;
  }

  /* The same photo with a signal. */
  until(signal) {
    return new Remote(this.id, signal);
  }

  #ask(what, options = {}) {
    return ask(this.path + what, { ...options, signal: this.signal });
  }

  #post(what, body = null) {
    return this.#ask(what, { method: "POST", body });
  }

  async state() {
    return (await this.#ask("")).json();
  }

  async picture(query) {
    const blob = await (await this.#ask(`/${query}`)).blob();
    return createImageBitmap(blob);
  }

  async file() {
    return (await this.#ask("/repaired")).blob();
  }

  find() {
    return this.#post("/find");
  }

  /* Send a mask; what it is called is in the state once its job is done. */
  mask(file) {
    return this.#post(`/mask?name=${encodeURIComponent(file.name)}`, file);
  }

  /* What is marked, as the file of a mask. */
  async marks(edits) {
    return (await this.#post("/marks", JSON.stringify({ edits }))).blob();
  }

  repair(wanted) {
    return this.#post("/repair", JSON.stringify(wanted));
  }

  cancel() {
    return this.#post("/cancel");
  }

  close() {
    navigator.sendBeacon(`${this.path}/close`);
  }

  /* Wait until the job is over; what the photo is then. `going` is told how far it is. */
  async finished(going) {
    for (let wait = 100; ; wait = Math.min(1.3 * wait, 500)) {
      const state = await this.state();
      if (state.job.state === "done") return state;
      if (state.job.state === "failed") throw new Problem(state.job.problem);
      if (state.job.state === "cancelled") throw new Problem("", "cancelled");
      going(state.job);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}
