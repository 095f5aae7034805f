// The server at work for the photo that is open: one thing at a time, with a line that says how far it is.

import { Problem } from "./server.js";
import { jobWords } from "./words.js";

const $ = (id) => document.getElementById(id);

/* Show a line with a bar and a text, both empty yet, in place of a button; or the button again. */
export function showLine({ line, bar, text, button }, going) {
  line.hidden = !going;
  button.hidden = going;
  text.textContent = "";
  bar.removeAttribute("value");
}

export class Work {
  #current;
  #doing = null;

  /* `current` gives the photo that is open, or null. */
  constructor(current) {
    this.#current = current;
  }

  /* Whether there is a photo and nothing is done for it; another one on its way to the server has the same line. */
  get idle() {
    return this.#current() !== null && !this.#doing && $("working").hidden;
  }

  get busy() {
    return this.#doing !== null;
  }

  /* Do something for the photo that is open, up to its last answer: nothing else can be begun between its steps.
   * `action` is given the photo's remote and what says how far its job is. Once it is stopped, or the photo is closed,
   * the remote asks for nothing any more, and whatever comes of the action is dropped. */
  async during(action) {
    const { remote } = this.#current(), stopping = new AbortController(), { signal } = stopping;
    const acting = action(remote.until(signal), (job) => signal.aborted || say(job));
    const doing = (this.#doing = { remote, stopping, ended: acting.then(() => {}, () => {}) });
    this.#show(true);
    try {
      const result = await acting;
      signal.throwIfAborted();
      return result;
    } catch (problem) {
      throw signal.aborted ? new Problem("", "cancelled") : problem;
    } finally {
      if (this.#doing === doing) {
        this.#doing = null;
        this.#show(false);
      }
    }
  }

  /* Stop what is done, here and at the server, and wait for its end. */
  async stop() {
    const doing = this.#doing;
    if (!doing) return;
    doing.stopping.abort();
    try {
      await doing.remote.cancel();
    } finally {
      await doing.ended;
    }
  }

  /* The photo has been closed. */
  leave() {
    this.#doing?.stopping.abort();
    this.#doing = null;
    this.#show(false);
  }

  #show(going) {
    showLine({ line: $("working"), bar: $("bar"), text: $("working-text"), button: $("repair") }, going);
  }
}

function say(job) {
  $("working-text").textContent = jobWords(job);
  if (job.state === "running" && job.total > 1) $("bar").value = job.done / job.total;
  else $("bar").removeAttribute("value");
}
