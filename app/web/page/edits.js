// What has been marked, in pixels of the photo: strokes and boxes, each of which may erase; a list that can be undone.

export class Edits {
  constructor(changed) {
    this.done = [];
    this.undone = [];
    this.changed = changed;
  }

  /* Those that count: the ones since everything was cleared. */
  get list() {
    return this.done.slice(this.done.findLastIndex((edit) => edit.kind === "clear") + 1);
  }

  add(edit) {
    this.done.push(edit);
    this.undone = [];
    this.changed();
  }

  clear() {
    if (this.list.length) this.add({ kind: "clear" });
  }

  undo() {
    if (this.done.length) this.undone.push(this.done.pop());
    this.changed();
  }

  redo() {
    if (this.undone.length) this.done.push(this.undone.pop());
    this.changed();
  }

  reset() {
    this.done = [];
    this.undone = [];
    this.changed();
  }
}

/* Of edits that the server knows as pixels, damage that it has found and masks that were sent to it: pictures of them, and
 * the size of the photo that they cover. */
const pictures = new WeakMap();

/* Keep the picture of an edit, whose pixels are opaque where the photo is damaged, in the colour of marks. */
export function keepPicture(edit, bitmap, colour, width, height) {
  const picture = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = picture.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, picture.width, picture.height);
  pictures.set(edit, { picture, width, height });
}

/* Draw an edit, with the context's own transformation from pixels of the photo. */
export function paint(context, edit) {
  context.globalCompositeOperation = edit.erase ? "destination-out" : "source-over";
  if (pictures.has(edit)) {
    const { picture, width, height } = pictures.get(edit);
    context.drawImage(picture, 0, 0, width, height);
    return;
  }
  if (edit.kind === "box") {
    context.fillRect(edit.x, edit.y, edit.width, edit.height);
    return;
  }
  const [first, ...rest] = edit.points;
  context.beginPath();
  if (rest.length === 0) {
    context.arc(...first, edit.radius, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  context.lineWidth = 2 * edit.radius;
  context.lineCap = context.lineJoin = "round";
  context.moveTo(...first);
  for (const point of rest) context.lineTo(...point);
  context.stroke();
}

/* The rectangle between two corners, whole pixels, within a photo of this size. */
export function boxBetween([x, y], [u, v], width, height) {
  const [left, right] = [x, u].sort((a, b) => a - b).map((side) => Math.min(Math.max(side, 0), width));
  const [top, bottom] = [y, v].sort((a, b) => a - b).map((side) => Math.min(Math.max(side, 0), height));
  const box = { kind: "box", x: Math.floor(left), y: Math.floor(top) };
  return { ...box, width: Math.ceil(right) - box.x, height: Math.ceil(bottom) - box.y };
}

const SIDE = 400;

/* The share of a photo that is marked, measured on a small copy. */
export function share(edits, width, height) {
  const scale = Math.min(1, SIDE / Math.max(width, height));
  const small = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = small.getContext("2d", { willReadFrequently: true });
  context.scale(small.width / width, small.height / height);
  for (const edit of edits) paint(context, edit);
  const { data } = context.getImageData(0, 0, small.width, small.height);
  let marked = 0;
  for (let i = 3; i < data.length; i += 4) marked += data[i];
  return marked / 255 / (data.length / 4);
}
