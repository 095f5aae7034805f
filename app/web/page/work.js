// The server at work for the photo that is open: one thing at a time, with a line that says how far it is.

import { Problem } from "./server.js";
import { jobWords } from "./words.js";

const $ = (id) => document.getElementById(id);
const over = () => new Problem("", "cancelled");

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
   * `action` is given the photo's remote and what says how far its job is. If the photo is closed meanwhile, whatever
   * comes of it is dropped. */
  async during(action) {
    const { remote } = this.#current();
    const closed = () => this.#current()?.remote !== remote;
    const doing = (this.#doing = {});
    doing.ended = new Promise((resolve) => (doing.end = resolve));
    this.#show(true);
    try {
      const result = await action(remote, (job) => closed() || say(job));
      if (closed()) throw over();
      return result;
    } catch (problem) {
      throw closed() ? over() : problem;
    } finally {
      if (this.#doing === doing) {
        this.#doing = null;
        if (!closed()) this.#show(false);
      }
      doing.end();
    }
  }

  /* Cancel what is done, and wait for its end. */
  async stop() {
    const doing = this.#doing;
    if (!doing) return;
    await this.#current().remote.cancel();
    await doing.ended;
  }

  /* The photo has been closed: what is done for it goes on without a line. */
  leave() {
    this.#doing = null;
    this.#show(false);
  }

  #show(going) {
    $("working").hidden = !going;
    $("repair").hidden = going;
    $("working-text").textContent = "";
    $("bar").removeAttribute("value");
  }
}

function say(job) {
  $("working-text").textContent = jobWords(job);
  if (job.state === "running" && job.total > 1) $("bar").value = job.done / job.total;
  else $("bar").removeAttribute("value");
}
