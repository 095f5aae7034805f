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
  let sent = []; /* files of masks and the edits that stand for them, in the order of their numbers */
  let behind = false; /* whether the photo was sent again, and the server doesn't have all marks yet */

  const keep = async (edit, remote, query) => {
    const { photo } = current();
    keepPicture(edit, await remote.picture(query), MARK, photo.width, photo.height);
  };

  /* Let the server look for damage; how many pixels it has found. */
  async function look(remote, going) {
    await remote.find();
    return (await remote.finished(going)).found.pixels;
  }

  async function find() {
    if (!work.idle) return;
    await trying(problem, help(find), async () => {
      const edit = { kind: "found" };
      const pixels = await work.during(async (remote, going) => {
        await catchUp(remote, going);
        const pixels = await look(remote, going);
        await keep(edit, remote, "found");
        return pixels;
      });
      if (pixels === 0) problem.textContent = "Nothing was found: paint over the damage instead.";
      else edits.add(edit);
    });
  }

  /* Send a mask; the number that the server gives it. */
  async function send(file, remote, going) {
    await remote.mask(file);
    return (await remote.finished(going)).mask.number;
  }

  async function load(file) {
    if (!file || !work.idle) return;
    const again = () => load(file);
    await trying(problem, help(again), async () => {
      const edit = await work.during(async (remote, going) => {
        await catchUp(remote, going);
        const edit = { kind: "mask", number: await send(file, remote, going) };
        await keep(edit, remote, `mask?number=${edit.number}`);
        return edit;
      });
      edits.add(edit);
      sent.push({ file, edit });
    });
  }

  async function saveMarks() {
    if (!work.idle) return;
    if (marked() === 0) return void (problem.textContent = "Nothing is marked: there is no mask to save.");
    await trying(problem, help(saveMarks), async () => {
      if (behind) await work.during(catchUp);
      const { remote, photo } = current();
      save(await remote.marks(edits.list), `${photo.download.replace(/-repaired\.[^.]*$/, "")}-mask.png`);
    });
  }

  /* Tell the server what it knew of the marks before the photo was sent again. It counts masks anew: one that was stopped
   * after the server had it had a number, too. Until a mask is there again it has none, so that no other is taken for it. */
  async function catchUp(remote, going) {
    if (!behind) return;
    for (const { edit } of sent) edit.number = null;
    if ([...edits.done, ...edits.undone].some(({ kind }) => kind === "found")) await look(remote, going);
    for (const { file, edit } of sent) edit.number = await send(file, remote, going);
    behind = false;
  }

  /* Once the photo has been sent again: all marks before anything else. */
  function again() {
    behind = true;
    return work.during(catchUp);
  }

  function forget() {
    sent = [];
    behind = false;
  }

  $("find").addEventListener("click", find);
  $("mask-save").addEventListener("click", saveMarks);
  $("mask-load").addEventListener("click", () => $("mask-file").click());
  $("mask-file").addEventListener("change", () => {
    load($("mask-file").files[0]);
    $("mask-file").value = "";
  });
  return { find, catchUp, again, forget };
}
