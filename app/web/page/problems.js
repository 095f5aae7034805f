// What goes wrong is said in one line where it happens, with a button that helps where there is one.

import { Problem } from "./server.js";

/* Do something; `help` gives {gone, away}, each [what the button says, what it does], by the kind of the problem. */
export async function trying(place, help, work) {
  place.textContent = "";
  try {
    await work();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.kind === "cancelled") return;
    place.textContent = `${problem.message} `;
    if (!help[problem.kind]) return;
    const [words, action] = help[problem.kind];
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: words });
    button.addEventListener("click", action);
    place.append(button);
  }
}
