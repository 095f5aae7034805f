// The keyboard, wherever the focus is, except where one writes.

const $ = (id) => document.getElementById(id);
const choose = (name, value) => document.querySelector(`[name=${name}][value=${value}]`).click();

/* `page` is what the keys act on: the stage, the edits and the page's own functions. */
export function shortcuts(page) {
  const larger = (by) => {
    $("size").valueAsNumber += by;
    page.sizeChanged();
  };
  const plain = {
    b: () => choose("tool", "brush"),
    r: () => choose("tool", "box"),
    e: () => choose("tool", "eraser"),
    "[": () => larger(-4),
    "]": () => larger(4),
    f: page.find,
    m: () => page.show("mark"),
    c: () => page.show("compare"),
    u: () => page.show("certainty"),
    "+": () => page.stage.zoom(1.5),
    "=": () => page.stage.zoom(1.5),
    "-": () => page.stage.zoom(1 / 1.5),
    0: () => page.stage.fit(),
    "?": () => $("shortcuts").showModal(),
    Escape: page.cancel,
  };
  const control = {
    z: () => page.edits.undo(),
    Z: () => page.edits.redo(),
    y: () => page.edits.redo(),
    Enter: page.repair,
    s: page.download,
  };
  addEventListener("keydown", (event) => {
    if (!page.open() || $("shortcuts").open || event.altKey || event.target.matches("select, [type=text]")) return;
    const held = event.ctrlKey || event.metaKey;
    const action = held ? control[event.key === "Z" || event.shiftKey ? event.key.toUpperCase() : event.key] ?? control[event.key] : plain[event.key] ?? plain[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
