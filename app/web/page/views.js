// What the stage shows: marks, a comparison, or the map of errors, and the part in view at the photo's own resolution.

const $ = (id) => document.getElementById(id);

/* `current` gives the photo that is open: {photo, remote, result}. Gives the function that shows a view by its name. */
export function views(stage, current) {
  function show(view) {
    if (view !== "mark" && !current()?.result) return;
    if (view === "certainty" && !stage.photo.certainty) return;
    stage.mode = view;
    document.querySelector(`[name=view][value=${view}]`).checked = true;
    $("compare").hidden = view !== "compare";
    $("legend").hidden = view !== "certainty";
    stage.canvas.style.cursor = { mark: "none", compare: "ew-resize", certainty: "grab" }[view];
    stage.cursor = null;
    stage.changed(true);
  }

  /* Zoomed in, the part in view is fetched at the photo's own resolution, once nothing moves any more. */
  let resting;
  stage.moved = () => {
    stage.details = { before: null, after: null };
    clearTimeout(resting);
    const now = current();
    if (!now || stage.view.scale * devicePixelRatio <= now.photo.shown[0] / now.photo.width) return;
    resting = setTimeout(() => fetchDetails(now), 200);
  };

  async function fetchDetails({ photo, remote, result }) {
    const part = stage.visible;
    for (const name of result ? ["before", "after"] : ["before"]) {
      const bitmap = await remote.picture(`view?${new URLSearchParams({ of: name, ...part })}`).catch(() => null);
      const same = current()?.photo === photo && JSON.stringify(part) === JSON.stringify(stage.visible);
      if (bitmap && same) stage.details[name] = { bitmap, ...part };
      stage.changed();
    }
  }

  stage.bordered = () => ($("split").value = Math.round(100 * stage.split));
  $("split").addEventListener("input", () => {
    stage.split = $("split").value / 100;
    stage.changed();
  });
  for (const radio of document.querySelectorAll("[name=view]")) radio.addEventListener("change", () => show(radio.value));
  return show;
}

/* Say which error is expected where the pointer is, a point of the photo, or null if it is elsewhere. */
export function sayError(stage, point) {
  const map = stage.photo?.certainty;
  if (!map || stage.mode !== "certainty") return;
  const { width, height } = map.picture;
  const x = point ? Math.floor((point[0] * width) / stage.photo.width) : -1;
  const y = point ? Math.floor((point[1] * height) / stage.photo.height) : -1;
  const error = x >= 0 && y >= 0 && x < width && y < height ? map.errors[y * width + x] : -1;
  $("here").value = error < 0 ? "" : `Here: off by about ${error}`;
}
