"use strict";
// Before and after: the range moves the border between the two photos, by keyboard too; the photo can be dragged as well.
for (const slider of document.querySelectorAll(".slider")) {
  const range = slider.querySelector("input");
  const stage = slider.querySelector(".stage");
  const move = () => slider.style.setProperty("--at", range.value + "%");
  range.addEventListener("input", move);
  const follow = (event) => {
    if (event.type === "pointermove" && event.buttons !== 1) return;
    const box = stage.getBoundingClientRect();
    range.value = Math.round((100 * (event.clientX - box.left)) / box.width);
    move();
  };
  stage.addEventListener("pointerdown", follow);
  stage.addEventListener("pointermove", follow);
  stage.addEventListener("dragstart", (event) => event.preventDefault());
  // Another model: its photo is on the page already, in the grid.
  const choice = slider.querySelector("select");
  choice.addEventListener("change", () => {
    const from = document.getElementById(choice.value);
    const after = slider.querySelector(".after");
    after.src = from.src;
    after.alt = from.alt;
  });
}
// What is folded away is printed as well.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = true)));
