/* Pictures to step through: one frame at a time, by button or by the arrow keys. */
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  for (const stepper of document.querySelectorAll(".stepper")) {
    const frames = [...stepper.querySelectorAll("ol > li")];
    const bar = document.createElement("div");
    const count = document.createElement("output");
    let at = 0;

    const show = (to) => {
      at = Math.max(0, Math.min(frames.length - 1, to));
      frames.forEach((frame, i) => { frame.hidden = i !== at; });
      count.textContent = `${at + 1} / ${frames.length}`;
      back.setAttribute("aria-disabled", at === 0);
      next.setAttribute("aria-disabled", at === frames.length - 1);
    };
    const button = (text, step) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      made.addEventListener("click", () => show(at + step));
      return made;
    };
    const back = button("‹ Back", -1);
    const next = button("Next ›", 1);
    bar.append(back, count, next);
    stepper.prepend(bar);
    stepper.querySelector("ol").setAttribute("aria-live", "polite");
    stepper.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: frames.length - 1 }[event.key];
      if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation(); /* the theme turns the page with the same keys */
      show(to);
    });
    stepper.tabIndex = -1; /* a click into the picture is enough for the arrow keys */
    stepper.classList.add("live");
    show(0);
  }
});
