// The photo on the screen: where it lies, and what is drawn over it. A canvas as large as its box shows the part of the
// photo that is in view; `view` says where the photo's corner is, and how many pixels of the page one of its own takes.

import { paint } from "./edits.js";

export const MARK = "rgb(236 0 110)";
const LARGEST = 16; /* pixels of the page for one of the photo */
export const RAMP = [[47, 109, 181], [111, 195, 192], [255, 224, 138], [242, 113, 61], [179, 21, 45]];
export const MOST = 30; /* grey levels at the ramp's end */

export class Stage {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.overlay = new OffscreenCanvas(1, 1);
    this.photo = null;
    this.view = { scale: 1, x: 0, y: 0 };
    this.mode = "mark";
    this.split = 0.5;
    this.edits = [];
    this.cursor = null; /* {x, y, radius} or {x, y} of a box's corner, in pixels of the photo */
    this.details = { before: null, after: null };
    this.moved = () => {}; /* told when another part of the photo is in view */
    this.bordered = () => {}; /* and when the border between before and after is elsewhere */
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  /* Another photo: {width, height, before}, and after and certainty once there are. */
  show(photo) {
    this.photo = photo;
    this.details = { before: null, after: null };
    this.resize();
    this.fit();
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const wasFit = this.fitted;
    this.size = { width, height, ratio: devicePixelRatio };
    this.canvas.width = this.overlay.width = Math.max(1, Math.round(width * devicePixelRatio));
    this.canvas.height = this.overlay.height = Math.max(1, Math.round(height * devicePixelRatio));
    if (wasFit) this.fit();
    else this.move(0, 0);
  }

  get fitScale() {
    const { width, height } = this.size;
    return Math.min((width - 24) / this.photo.width, (height - 24) / this.photo.height, 4);
  }

  fit() {
    if (!this.photo) return;
    this.fitted = true;
    const scale = this.fitScale;
    this.view = { scale, x: (this.size.width - scale * this.photo.width) / 2, y: (this.size.height - scale * this.photo.height) / 2 };
    this.changed(true);
  }

  zoom(factor, x = this.size.width / 2, y = this.size.height / 2) {
    if (!this.photo) return;
    const scale = Math.min(Math.max(this.view.scale * factor, this.fitScale), Math.max(LARGEST, this.fitScale));
    const ratio = scale / this.view.scale;
    this.view = { scale, x: x - ratio * (x - this.view.x), y: y - ratio * (y - this.view.y) };
    if (scale === this.fitScale) this.fit();
    else this.move(0, 0);
  }

  /* By pixels of the page; the photo stays in view. */
  move(dx, dy) {
    if (!this.photo) return;
    const { scale } = this.view;
    const keep = (at, extent, room) => (extent <= room ? (room - extent) / 2 : Math.min(Math.max(at, room - extent - 40), 40));
    this.view = {
      scale,
      x: keep(this.view.x + dx, scale * this.photo.width, this.size.width),
      y: keep(this.view.y + dy, scale * this.photo.height, this.size.height),
    };
    this.fitted = scale === this.fitScale;
    this.changed(true);
  }

  /* A point of the page, as an event gives it, in pixels of the photo. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left - this.view.x) / this.view.scale, (event.clientY - box.top - this.view.y) / this.view.scale];
  }

  /* The part of the photo that is in view, whole pixels. */
  get visible() {
    const { x, y, scale } = this.view;
    const left = Math.max(0, Math.floor(-x / scale)), top = Math.max(0, Math.floor(-y / scale));
    const right = Math.min(this.photo.width, Math.ceil((this.size.width - x) / scale));
    const bottom = Math.min(this.photo.height, Math.ceil((this.size.height - y) / scale));
    return { x: left, y: top, width: right - left, height: bottom - top };
  }

  /* The border between before and after, in pixels of the page from the canvas's left. */
  get border() {
    const { x, width } = this.visible;
    return this.view.x + this.view.scale * (x + this.split * width);
  }

  set border(at) {
    const { x, width } = this.visible;
    this.split = Math.min(Math.max(((at - this.view.x) / this.view.scale - x) / width, 0), 1);
    this.bordered();
    this.changed();
  }

  setEdits(edits) {
    this.edits = edits;
    this.changed(true);
  }

  /* Draw soon; `all` also the marks, because they or the view have changed. */
  changed(all = false) {
    if (all) {
      this.stale = true;
      this.moved();
    }
    this.asked ??= requestAnimationFrame(() => {
      this.asked = undefined;
      if (this.photo) this.draw();
    });
  }

  place(context) {
    const { ratio } = this.size, { scale, x, y } = this.view;
    context.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
  }

  redrawMarks() {
    const context = this.overlay.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalCompositeOperation = "source-over";
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    this.place(context);
    context.beginPath();
    context.rect(0, 0, this.photo.width, this.photo.height);
    context.save();
    context.clip();
    context.fillStyle = context.strokeStyle = MARK;
    for (const edit of this.edits) paint(context, edit);
    if (this.drawn) paint(context, this.drawn);
    context.restore();
    this.stale = false;
  }

  draw() {
    const { context, mode } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.place(context);
    context.imageSmoothingEnabled = this.view.scale * this.size.ratio < 4; /* from there on, pixels are shown as they are */
    context.imageSmoothingQuality = "high";
    const bottom = mode === "compare" ? "after" : "before";
    this.picture(bottom);
    if (mode === "compare") this.drawBefore();
    if (mode === "certainty") this.drawCertainty();
    if (mode === "mark") {
      if (this.stale || this.drawn) this.redrawMarks();
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.globalAlpha = 0.6;
      context.drawImage(this.overlay, 0, 0);
      context.globalAlpha = 1;
      this.drawCursor();
    }
  }

  picture(name) {
    const { context, photo } = this, detail = this.details[name];
    context.drawImage(photo[name], 0, 0, photo.width, photo.height);
    if (detail) context.drawImage(detail.bitmap, detail.x, detail.y, detail.width, detail.height);
  }

  drawBefore() {
    const { context } = this, { ratio } = this.size;
    context.save();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.beginPath();
    context.rect(0, 0, this.border, this.size.height);
    context.clip();
    this.place(context);
    this.picture("before");
    context.restore();
    const { y, height } = this.visible;
    const top = this.view.y + this.view.scale * y, length = this.view.scale * height;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#fff";
    context.shadowColor = "rgb(0 0 0 / 60%)";
    context.shadowBlur = 4 * ratio;
    context.fillRect(this.border - 1, top, 2, length);
    context.beginPath();
    context.arc(this.border, top + length / 2, 13, 0, 2 * Math.PI);
    context.fill();
    context.shadowBlur = 0;
    context.strokeStyle = "#333";
    context.lineWidth = 1.6;
    context.beginPath();
    for (const side of [-1, 1]) {
      context.moveTo(this.border + 3 * side, top + length / 2 - 4);
      context.lineTo(this.border + 7 * side, top + length / 2);
      context.lineTo(this.border + 3 * side, top + length / 2 + 4);
    }
    context.stroke();
  }

  /* The photo without its colours, so that those of the map stand out. */
  drawCertainty() {
    const { context, photo } = this;
    context.globalCompositeOperation = "saturation";
    context.fillStyle = "#000";
    context.fillRect(0, 0, photo.width, photo.height);
    context.globalCompositeOperation = "source-over";
    context.fillStyle = "rgb(0 0 0 / 45%)";
    context.fillRect(0, 0, photo.width, photo.height);
    context.imageSmoothingEnabled = false;
    context.drawImage(photo.certainty.picture, 0, 0, photo.width, photo.height);
  }

  drawCursor() {
    if (!this.cursor) return;
    const { context, cursor } = this, { ratio } = this.size, { scale } = this.view;
    const x = this.view.x + scale * cursor.x, y = this.view.y + scale * cursor.y;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const [colour, width] of [["rgb(0 0 0 / 70%)", 3], ["#fff", 1.2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      if (cursor.radius) context.arc(x, y, Math.max(scale * cursor.radius, 1), 0, 2 * Math.PI);
      if (cursor.cross) {
        context.moveTo(x - 10, y);
        context.lineTo(x + 10, y);
        context.moveTo(x, y - 10);
        context.lineTo(x, y + 10);
      }
      context.stroke();
    }
  }
}

/* The colour of an error, in grey levels. */
export function colourOf(error) {
  const at = (Math.min(error, MOST) / MOST) * (RAMP.length - 1);
  const from = Math.min(Math.floor(at), RAMP.length - 2);
  return RAMP[from].map((value, i) => Math.round(value + (at - from) * (RAMP[from + 1][i] - value)));
}

/* The map of errors, a picture whose grey levels they are, with its colours; `errors` are the numbers. */
export function certaintyOf(bitmap) {
  const picture = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = picture.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, picture.width, picture.height);
  const errors = new Int16Array(pixels.data.length / 4).fill(-1);
  for (let i = 0; i < errors.length; i++) {
    if (pixels.data[4 * i + 3] === 0) continue;
    errors[i] = pixels.data[4 * i];
    pixels.data.set(colourOf(errors[i]), 4 * i);
  }
  context.putImageData(pixels, 0, 0);
  return { picture, errors };
}
