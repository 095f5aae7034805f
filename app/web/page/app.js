// The page: nothing, then a photo, marks, a repair, and a comparison; what each button and key does.

import { Edits, share } from "./edits.js";
import { given, save } from "./given.js";
import { opened, openingState, stopOpening } from "./opening.js";
import { trying } from "./problems.js";
import { options, Problem } from "./server.js";
import { certaintyOf, Stage } from "./stage.js";
import { Tools } from "./tools.js";
import { sayError, views } from "./views.js";
import { shortcuts } from "./keys.js";
import { Work } from "./work.js";
import { facts, markedWords, megabytes, resultWords } from "./words.js";

const $ = (id) => document.getElementById(id);
const stage = new Stage($("canvas"));
const edits = new Edits(marksChanged);
const tools = new Tools(stage, edits, brush, (point) => sayError(stage, point));
const show = views(stage, () => now);
const work = new Work(() => now);

/* The photo: its file here, what the server says of it, and its repair. */
let now = null;
let marked = 0;

// — Marks

function brush() {
  const tool = document.querySelector("[name=tool]:checked").value;
  const most = Math.max(now.photo.width, now.photo.height) / 4;
  return { tool, radius: Math.max(1, most ** ($("size").value / 100)) / 2 };
}

function sizeChanged() {
  $("size-text").value = `${Math.round(2 * brush().radius)} px`;
  if (stage.cursor) tools.point([stage.cursor.x, stage.cursor.y], stage.cursor.cross);
}

function marksChanged() {
  stage.setEdits(edits.list);
  $("undo").disabled = !edits.done.length;
  $("redo").disabled = !edits.undone.length;
  $("clear").disabled = !edits.list.length;
  marked = now ? share(edits.list, now.photo.width, now.photo.height) : 0;
  $("marked").textContent = markedWords(marked);
  $("repair-problem").textContent = $("find-problem").textContent = "";
  if (stage.mode !== "mark") show("mark");
}

// — Repair

async function repair() {
  if (!work.idle) return;
  const problem = $("repair-problem");
  problem.textContent = "";
  if (marked === 0) return void (problem.textContent = "Nothing is marked: paint over the damage first.");
  if (marked > 0.999) return void (problem.textContent = "Everything is marked: the repair needs something to go by.");
  await trying(problem, help(repair), async () => {
    const wanted = { edits: edits.list, model: $("model").value, look: $("look").value };
    repaired(
      await work.during(async (remote, going) => {
        await marks.catchUp(remote, going);
        await remote.repair(wanted);
        const { result } = await remote.finished(going), { version } = result;
        const after = await remote.picture(`view?of=after&version=${version}`);
        const certainty = result.expected ? certaintyOf(await remote.picture(`certainty?version=${version}`)) : null;
        return { result, after, certainty };
      }),
    );
  });
}

function repaired({ result, after, certainty }) {
  Object.assign(stage.photo, { after, certainty });
  now = { ...now, result, saved: false };
  $("views").hidden = false;
  $("certainty-choice").hidden = !result.expected;
  $("result").hidden = false;
  anew(true);
  $("result-text").textContent = resultWords(result);
  $("result-said").replaceChildren(...items(result.said));
  $("download").textContent = "Download";
  $("download-words").textContent = `${now.photo.download}, ${megabytes(result.bytes)}`;
  $("download-problem").textContent = "";
  stage.split = 0.5;
  stage.bordered();
  show("compare");
  stage.canvas.focus({ focusVisible: false, preventScroll: true });
  $("result").scrollIntoView({ block: "nearest" });
}

/* Once there is a result, the next step is to download it, not to repair again. */
function anew(repaired) {
  $("repair").textContent = repaired ? "Repair again" : "Repair";
  $("repair").classList.toggle("again", repaired);
}

async function cancel() {
  stopOpening();
  if (work.busy) await trying($("repair-problem"), help(cancel), () => work.stop());
}

async function download() {
  if (!now?.result) return;
  await trying($("download-problem"), help(download), async () => {
    save(await now.remote.file(), now.photo.download);
    now.saved = true;
  });
}

/* What helps if the server has forgotten the photo, or is away. */
const help = (again) => ({ gone: ["Send the photo again", () => open(now.file, true)], away: ["Try again", again] });

const marks = given({ current: () => now, edits, work, help, marked: () => marked });

// — A photo

/* Open a file; `again` keeps the marks, for a server that has forgotten the photo. */
async function open(file, again = false) {
  const before = again ? null : now;
  const photo = await opened(file);
  if (!photo) return;
  before?.remote.close();
  now = { ...photo, result: null, saved: true };
  document.body.dataset.state = "open";
  $("empty").hidden = true;
  $("work").hidden = $("another").hidden = false;
  for (const id of ["views", "result", "compare", "legend"]) $(id).hidden = true;
  anew(false);
  $("about").textContent = $("about").title = now.photo.name;
  $("facts").replaceChildren(...facts(now.photo).flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
  $("photo-said").replaceChildren(...items(now.photo.said));
  stage.show({ width: now.photo.width, height: now.photo.height, before: photo.before });
  show("mark");
  if (!again) {
    edits.reset();
    marks.forget();
  }
  marksChanged();
  sizeChanged();
  stage.canvas.focus({ focusVisible: false, preventScroll: true });
  scrollTo(0, 0);
  if (again) await resend(now.remote);
}

/* Send what the server knew of the marks, once the photo has been sent again; as long as that fails, it can be tried anew. */
async function resend(remote) {
  await trying($("find-problem"), { unsent: ["Send the photo again", () => open(now.file, true)] }, async () => {
    try {
      await marks.again();
    } catch (problem) {
      if (!(problem instanceof Problem) || now?.remote !== remote) throw problem;
      throw new Problem(problem.said || "the server doesn't have all marks", "unsent");
    }
    marksChanged();
  });
}

function close() {
  if (!now || (unsaved() && !confirm("Leave this photo? Its marks, and a repair that hasn't been downloaded, are lost."))) return;
  latest++;
  stopOpening();
  now.remote.close();
  now = null;
  work.leave();
  edits.reset();
  openingState("");
  document.body.dataset.state = "empty";
  $("empty").hidden = false;
  $("work").hidden = $("another").hidden = true;
  $("about").textContent = "";
  $("choose").focus();
}

const unsaved = () => now !== null && (now.result ? !now.saved : edits.list.length > 0);
const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
const items = (texts) => texts.map((text) => element("li", text));

let latest = 0; /* of several files, one after the other, the last is opened */

async function chosen(files) {
  if (files.length === 0 || (unsaved() && !confirm("Open another photo? The marks on this one, and a repair that hasn't been downloaded, are lost."))) return;
  if (files.length > 1) return void openingState("One photo at a time, please.");
  const mine = ++latest;
  await cancel();
  if (mine === latest) open(files[0]);
}

// — Buttons, keys, and what is dropped

const clicks = { undo: () => edits.undo(), redo: () => edits.redo(), clear: () => edits.clear(), another: close, "opening-cancel": stopOpening, repair, cancel, download };
for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", action);
$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  chosen([...$("file").files]);
  $("file").value = "";
});
$("help").addEventListener("click", () => $("shortcuts").showModal());
$("zoom-in").addEventListener("click", () => stage.zoom(1.5));
$("zoom-out").addEventListener("click", () => stage.zoom(1 / 1.5));
$("zoom-fit").addEventListener("click", () => stage.fit());
$("size").addEventListener("input", sizeChanged);
shortcuts({ stage, edits, show, find: marks.find, repair, cancel, download, open: () => now !== null, sizeChanged });

addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over-it");
});
addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("over-it"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over-it");
  chosen([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => chosen([...event.clipboardData.files]));
addEventListener("beforeunload", (event) => unsaved() && event.preventDefault());
addEventListener("pagehide", (event) => !event.persisted && now?.remote.close());

/* Fill a list with what there is to choose, {name, title, words}, and say what the chosen one is. */
function offer(list, words, choices) {
  const say = () => (words.textContent = choices[list.selectedIndex].words);
  list.replaceChildren(...choices.map(({ name, title }) => Object.assign(element("option", title), { value: name })));
  list.addEventListener("change", say);
  say();
  return say;
}

async function start() {
  try {
    const offered = await options();
    offer($("model"), $("model-words"), offered.models);
    const say = offer($("look"), $("look-words"), offered.looks);
    let chosen = false; /* a look that somebody has chosen stays, whatever the model */
    $("look").addEventListener("change", () => (chosen = true));
    const follow = () => {
      if (!chosen) $("look").value = offered.models[$("model").selectedIndex].look;
      say();
    };
    $("model").addEventListener("change", follow);
    follow();
    const { upload, pixels, minutes } = offered.limits;
    openingState.limits = offered.limits;
    $("privacy").textContent = `The photo goes to the server that sent this page, and nowhere else. It is removed when you close the page, or after ${minutes} minutes without use. Up to ${Math.round(upload / 2 ** 20)} MB and ${Math.round(pixels / 1e6)} megapixels.`;
    document.body.dataset.ready = "yes";
  } catch (problem) {
    openingState(problem.message);
  }
}
start();
