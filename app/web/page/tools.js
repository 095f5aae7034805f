// The hand: brush, box and eraser by mouse, pen, finger or keyboard; two fingers, the wheel or Space move the photo.

import { boxBetween } from "./edits.js";

const STEP = 10; /* pixels of the page that an arrow key moves the cross by */
const NEAR = 24; /* and from which the border can be caught */

export class Tools {
  /* `brush` gives {tool, radius}, the radius in pixels of the photo; `hover` is told where the pointer is. */
  constructor(stage, edits, brush, hover) {
    Object.assign(this, { stage, edits, brush, hover });
    this.pointers = new Map();
    this.going = null; /* the edit that is being drawn: {edit, corner}; or {pan}, {border} */
    this.cross = null; /* where the keyboard is, in pixels of the photo */
    this.space = false;
    const { canvas } = stage;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.up(event));
    canvas.addEventListener("pointerleave", () => this.left());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.drop());
    addEventListener("keyup", (event) => event.key === " " && (this.space = false));
  }

  down(event) {
    const { stage } = this;
    stage.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    this.cross = null;
    if (this.pointers.size > 1) {
      this.drop(); /* two fingers move the photo; what the first has begun was no mark */
      return;
    }
    const border = stage.mode === "compare" && Math.abs(event.offsetX - stage.border) <= NEAR;
    if (border) this.going = { border: true };
    else if (event.button === 1 || this.space || stage.mode !== "mark") this.going = { pan: true };
    else if (event.button === 0) this.begin(stage.at(event));
  }

  begin(point) {
    const { tool, radius } = this.brush();
    const erase = tool === "eraser" ? { erase: true } : {};
    this.going = tool === "box" ? { corner: point } : { edit: { kind: "stroke", points: [point], radius, ...erase } };
    this.extend(point, false);
  }

  extend(point, more = true) {
    const { stage, going } = this;
    if (going.corner) going.edit = boxBetween(going.corner, point, stage.photo.width, stage.photo.height);
    else if (more) going.edit.points.push(point);
    stage.drawn = going.edit;
    stage.changed();
  }

  end() {
    const { edit, corner } = this.going ?? {};
    this.drop();
    if (!edit || (corner && (edit.width < 1 || edit.height < 1))) return;
    if (edit.points) edit.points = edit.points.map((point) => point.map((value) => Math.round(10 * value) / 10));
    this.edits.add(edit);
  }

  /* What was going on comes to nothing. */
  drop() {
    this.going = null;
    this.stage.drawn = null;
    this.stage.changed(true);
  }

  moved(event) {
    const { stage } = this;
    const before = this.pointers.get(event.pointerId);
    if (this.pointers.size === 2 && before) this.pinch(event);
    else if (this.going?.border) stage.border = event.offsetX;
    else if (this.going?.pan && before) stage.move(event.clientX - before.clientX, event.clientY - before.clientY);
    else if (this.going?.edit) for (const each of event.getCoalescedEvents?.() ?? [event]) this.extend(stage.at(each));
    if (before) this.pointers.set(event.pointerId, event);
    if (event.pointerType !== "touch") this.point(stage.at(event));
    this.hover(stage.at(event));
  }

  /* Show where the brush is. */
  point([x, y], cross = false) {
    const { tool, radius } = this.brush();
    this.stage.cursor = { x, y, cross: cross || tool === "box", radius: tool === "box" ? 0 : radius };
    this.stage.changed();
  }

  pinch(event) {
    const { stage } = this;
    const [other] = [...this.pointers.values()].filter((each) => each.pointerId !== event.pointerId);
    const before = this.pointers.get(event.pointerId);
    const apart = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    const box = stage.canvas.getBoundingClientRect();
    stage.zoom(apart(event, other) / Math.max(apart(before, other), 1), (event.clientX + other.clientX) / 2 - box.left, (event.clientY + other.clientY) / 2 - box.top);
    stage.move((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (event.type === "pointerup") this.end();
    else this.drop();
  }

  left() {
    if (this.going) return;
    this.stage.cursor = null;
    this.hover(null);
    this.stage.changed();
  }

  wheel(event) {
    event.preventDefault();
    this.stage.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
  }

  key(event) {
    const { stage } = this;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") this.space = true;
    else if (way) this.arrow(way, event.shiftKey ? 1 : STEP);
    else if (event.key === "Enter" && stage.mode === "mark") {
      this.cross ??= this.middle();
      if (this.going) this.end();
      else this.begin(this.cross);
    } else if (event.key === "Escape" && this.going) {
      this.drop();
      event.stopPropagation();
    } else return;
    event.preventDefault();
  }

  arrow([dx, dy], step) {
    const { stage } = this;
    if (stage.mode === "compare" && dx) {
      stage.border += dx * step;
      return;
    }
    if (stage.mode !== "mark") {
      stage.move(-dx * step, -dy * step);
      return;
    }
    const [x, y] = this.cross ?? this.middle();
    const within = (value, most) => Math.min(Math.max(value, 0), most);
    this.cross = [within(x + (dx * step) / stage.view.scale, stage.photo.width), within(y + (dy * step) / stage.view.scale, stage.photo.height)];
    if (this.going?.edit) this.extend(this.cross);
    this.point(this.cross, true);
  }

  middle() {
    const { x, y, width, height } = this.stage.visible;
    return [x + width / 2, y + height / 2];
  }
}
