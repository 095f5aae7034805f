// From a file to a photo on the screen: sent, waited for, and its errors said where it was dropped.

import { Problem, Remote, send } from "./server.js";
import { showLine } from "./work.js";
import { jobWords, megabytes } from "./words.js";

const $ = (id) => document.getElementById(id);
let stop = () => {};

/* Where the page says how a photo comes along: on the empty page, or beside the photo that is open. */
function places() {
  const open = document.body.dataset.state === "open";
  const ids = open ? ["working", "bar", "working-text", "repair", "repair-problem"] : ["opening", "opening-bar", "opening-text", "choose", "drop-problem"];
  const [line, bar, text, button, problem] = ids.map($);
  return { line, bar, text, button, problem };
}

/* Say what is wrong with what was dropped. */
export function openingState(problem, at = places()) {
  at.problem.textContent = problem;
}
openingState.limits = { upload: Infinity };

export const stopOpening = () => stop();

/* Send a file to the server, and wait until it has read it: {file, remote, photo, before}; nothing if that fails, or if
 * another file is sent meanwhile. */
export async function opened(file) {
  stopOpening();
  const at = places(), aborting = new AbortController();
  openingState("", at);
  if (file.size === 0) return void openingState(`${file.name} is empty, or a folder.`, at);
  const most = openingState.limits.upload;
  if (file.size > most) return void openingState(`${file.name} has ${megabytes(file.size)}; the most here are ${megabytes(most)}.`, at);
  let remote = null;
  const mine = (stop = () => {
    aborting.abort();
    remote?.cancel().catch(() => {});
  });
  showLine(at, true);
  at.text.textContent = `Sending ${file.name}`;
  try {
    remote = new Remote(await send(file, (part) => (at.bar.value = part), aborting.signal));
    at.bar.removeAttribute("value");
    const { photo } = await remote.finished((job) => stop === mine && (at.text.textContent = jobWords(job)));
    const before = await remote.picture("view?of=before");
    if (stop === mine && !aborting.signal.aborted) return { file, remote, photo, before };
    remote.close();
  } catch (problem) {
    remote?.close();
    if (!(problem instanceof Problem)) throw problem;
    if (stop !== mine || problem.kind === "cancelled") return;
    openingState(problem.kind === "away" ? problem.message : `${file.name}: ${problem.said}.`, at);
  } finally {
    if (stop === mine) {
      showLine(at, false);
      stop = () => {};
    }
  }
}
