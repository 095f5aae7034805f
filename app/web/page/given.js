// Marks that nobody draws: damage that the server finds, and masks from files; and all marks as a file.

import { keepPicture } from "./edits.js";
import { trying } from "./problems.js";
import { MARK } from "./stage.js";

const $ = (id) => document.getElementById(id);

/* Hand a file to the person who asked for it. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/* What these act on: `current` gives the photo that is open, `edits` are its marks, `work` is what the server does for it,
 * `help` gives what helps, and `marked` the share of the photo that is marked. */
export function given({ current, edits, work, help, marked }) {
  const problem = $("find-problem");
  let sent = []; /* masks that the server has, in the order of their numbers */

  const keep = async (edit, remote, query) => {
    const { photo } = current();
    keepPicture(edit, await remote.picture(query), MARK, photo.width, photo.height);
  };

  /* Let the server look for damage; how many pixels it has found. */
  async function look(remote, going) {
    await remote.find();
    const { found } = await remote.finished(going);
    await keep({ kind: "found" }, remote, "found");
    return found.pixels;
  }

  async function find() {
    if (!work.idle) return;
    await trying(problem, help(find), async () => {
      if ((await work.during(look)) === 0) problem.textContent = "Nothing was found: paint over the damage instead.";
      else edits.add({ kind: "found" });
    });
  }

  /* Send a mask; the edit that stands for it. */
  async function send(file, remote, going) {
    await remote.mask(file);
    const { mask } = await remote.finished(going);
    const edit = { kind: "mask", number: mask.number };
    await keep(edit, remote, `mask?number=${mask.number}`);
    return edit;
  }

  async function load(file) {
    if (!file || !work.idle) return;
    const again = () => load(file);
    await trying(problem, help(again), async () => {
      edits.add(await work.during((remote, going) => send(file, remote, going)));
      sent.push(file);
    });
  }

  async function saveMarks() {
    if (!work.idle) return;
    if (marked() === 0) return void (problem.textContent = "Nothing is marked: there is no mask to save.");
    await trying(problem, help(saveMarks), async () => {
      const { remote, photo } = current();
      save(await remote.marks(edits.list), `${photo.download.replace(/-repaired\.[^.]*$/, "")}-mask.png`);
    });
  }

  /* Once the photo has been sent again: what the server knew of its marks, all of it before anything else. */
  const again = () =>
    work.during(async (remote, going) => {
      if (edits.done.some(({ kind }) => kind === "found")) await look(remote, going);
      for (const file of sent) await send(file, remote, going);
    });

  const forget = () => (sent = []);
  $("find").addEventListener("click", find);
  $("mask-save").addEventListener("click", saveMarks);
  $("mask-load").addEventListener("click", () => $("mask-file").click());
  $("mask-file").addEventListener("change", () => {
    load($("mask-file").files[0]);
    $("mask-file").value = "";
  });
  return { find, again, forget };
}
