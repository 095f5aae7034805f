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

/* `page` is what these act on: `current` gives the photo that is open, `edits` are its marks, `working` and `going` show
 * that the server is at work and how far, `help` gives what helps, and `marked` the share of the photo that is marked. */
export function given({ current, edits, working, going, help, marked }) {
  const problem = $("find-problem");
  let sent = []; /* masks that the server has, in the order of their numbers */

  async function waited(begin) {
    working(true);
    try {
      await begin(current().remote);
      return await current().remote.finished(going);
    } finally {
      working(false);
    }
  }

  const idle = () => current() && !current().working && $("working").hidden;
  const keep = async (edit, query) => {
    const { remote, photo } = current();
    keepPicture(edit, await remote.picture(query), MARK, photo.width, photo.height);
  };

  /* Let the server look for damage; how many pixels it has found. */
  async function look() {
    const { found } = await waited((remote) => remote.find());
    await keep({ kind: "found" }, "found");
    return found.pixels;
  }

  async function find() {
    if (!idle()) return;
    await trying(problem, help(find), async () => {
      if ((await look()) === 0) problem.textContent = "Nothing was found: paint over the damage instead.";
      else edits.add({ kind: "found" });
    });
  }

  /* Send a mask; the edit that stands for it. */
  async function send(file) {
    const { mask } = await waited((remote) => remote.mask(file));
    const edit = { kind: "mask", number: mask.number };
    await keep(edit, `mask?number=${mask.number}`);
    return edit;
  }

  async function load(file) {
    if (!file || !idle()) return;
    const again = () => load(file);
    await trying(problem, help(again), async () => {
      edits.add(await send(file));
      sent.push(file);
    });
  }

  async function saveMarks() {
    if (!idle()) return;
    if (marked() === 0) return void (problem.textContent = "Nothing is marked: there is no mask to save.");
    await trying(problem, help(saveMarks), async () => {
      const { remote, photo } = current();
      save(await remote.marks(edits.list), `${photo.download.replace(/-repaired\.[^.]*$/, "")}-mask.png`);
    });
  }

  /* Once the photo has been sent again: what the server knew of its marks. */
  async function again() {
    if (edits.done.some(({ kind }) => kind === "found")) await look();
    for (const file of sent) await send(file);
  }

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
