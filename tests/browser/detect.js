/* What is wrong with a page as it is laid out now: a list of sentences for each kind of fault.

   overflow   the document is wider than its window
   cut        text that is wider or higher than a box which hides the rest, or than the rectangle it stands in
   scrolling  a box that must be scrolled sideways, and doesn't show it
   overprint  text over other text
   small      text of less than 7.5 pixels, and drawings in files of their own at less than 0.6 of their size
   silent     pictures that say nothing to who can't see them
   contrast   text whose contrast with its background is below 4.5, or below 3 if it is large (WCAG 2, 1.4.3)      */
() => {
  const page = document.documentElement;
  /* What is asked of many an element more than once, and of its ancestors. */
  const kept = (compute) => {
    const known = new Map();
    return (element) => {
      if (!known.has(element)) known.set(element, compute(element));
      return known.get(element);
    };
  };
  const visible = kept((element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }));
  const styleOf = kept((element) => getComputedStyle(element));
  const boxOf = kept((element) => element.getBoundingClientRect());
  const named = (element, text = element.textContent) => {
    const kind = [...element.classList].slice(0, 2).map((name) => `.${name}`).join("");
    return `<${element.localName}${kind}> "${text.trim().replace(/\s+/g, " ").slice(0, 50)}"`;
  };
  const hides = (element, axis) => /hidden|clip/.test(styleOf(element)[`overflow${axis}`]);
  const scrolls = (element, axis) => /auto|scroll/.test(styleOf(element)[`overflow${axis}`]);

  const hiding = (element) => element.localName === "svg" || hides(element, "X") || hides(element, "Y");
  const scroller = (element) => scrolls(element, "X") || scrolls(element, "Y");
  /* The part of the page in which an element's children can be seen. */
  const clipOf = kept((element) => {
    if (element === page) return { left: 0, top: -1e6, right: page.clientWidth, bottom: 1e6 };
    const clip = clipOf(element.parentElement);
    return hiding(element) || scroller(element) ? cutTo(boxOf(element), clip) : clip;
  });
  /* The boxes that hide what is outside of them, out to the first that can be scrolled. */
  const hidersOf = kept((element) => {
    if (element === page || scroller(element)) return [];
    const outer = hidersOf(element.parentElement);
    return hiding(element) ? [element, ...outer] : outer;
  });
  const cutTo = (box, clip) => ({
    left: Math.max(box.left, clip.left), top: Math.max(box.top, clip.top),
    right: Math.min(box.right, clip.right), bottom: Math.min(box.bottom, clip.bottom),
  });
  const seen = (box) => box.right - box.left > 1.5 && box.bottom - box.top > 1.5;

  /* Every line of visible text: its element, where it lies, and the part of that which is seen. */
  const shows = kept((element) => visible(element) && !element.closest("script, style, noscript, title, option"));
  const inMath = kept((element) => Boolean(element.closest("math")));
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!/\S/.test(node.data) || !shows(element)) continue;
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const shown = cutTo(box, clipOf(element));
      texts.push({ node, element, box, shown, math: inMath(element) });
    }
  }

  const overflow = () => {
    if (page.scrollWidth <= page.clientWidth) return [];
    const wide = [...document.body.querySelectorAll("*")].filter(
      (element) => visible(element) && boxOf(element).right > page.clientWidth + 1,
    );
    const inner = wide.filter((element) => !wide.some((other) => other !== element && element.contains(other)));
    return [`the page is ${page.scrollWidth} pixels wide in a window of ${page.clientWidth}: ${inner.slice(0, 3).map((e) => named(e)).join(", ")}`];
  };

  const cut = () => {
    const found = [];
    for (const { element, box } of texts) {
      for (const hider of hidersOf(element)) {
        const svg = hider.localName === "svg";
        const [across, down] = svg ? [true, true] : [hides(hider, "X"), hides(hider, "Y")];
        const around = boxOf(hider);
        if (around.width < 2 || around.height < 2) break; /* for screen readers */
        if (styleOf(hider).textOverflow === "ellipsis" && hider.closest("[title]")) continue;
        const lost = Math.max(across ? around.left - box.left : 0, across ? box.right - around.right : 0,
          down ? around.top - box.top - 0.25 * box.height : 0, down ? box.bottom - around.bottom - 0.25 * box.height : 0);
        if (lost > 1.5) found.push(`${named(element)}: ${lost.toFixed(0)} pixels are cut off by ${named(hider, "")}`);
      }
    }
    for (const label of document.querySelectorAll("svg text")) {
      if (!visible(label) || !label.textContent.trim()) continue;
      const text = boxOf(label);
      const around = [...label.closest("svg").querySelectorAll("rect")]
        .map(boxOf)
        .filter((box) => inside(middle(text), box))
        .reverse() /* of equal rectangles the one in front */
        .sort((a, b) => a.width * a.height - b.width * b.height)[0];
      const out = around ? Math.max(around.left - text.left, text.right - around.right) : 0;
      if (out > 0) found.push(`${named(label)}: ${out.toFixed(1)} pixels stick out of its rectangle`);
    }
    return found;
  };
  const middle = (box) => ({ x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 });
  const inside = (point, box) => point.x >= box.left && point.x <= box.right && point.y >= box.top && point.y <= box.bottom;

  const scrolling = () =>
    [...document.body.querySelectorAll("*")]
      .filter((element) => scrolls(element, "X") && element.scrollWidth > element.clientWidth + 1 && visible(element))
      .filter((element) => element.clientWidth > 2 && !styleOf(element).backgroundAttachment.includes("local"))
      .map((element) => `${named(element)} has ${element.scrollWidth - element.clientWidth} pixels to scroll to, and doesn't show it`);

  const overprint = () => {
    /* A line's box has room above and below its letters, so a quarter of its shorter side on each side doesn't count. */
    const letters = texts
      .map(({ node, element, shown, math }) => {
        const w = shown.right - shown.left, h = shown.bottom - shown.top;
        const dx = w < h ? w / 4 : 1, dy = w < h ? 1 : h / 4;
        return { node, element, math, left: shown.left + dx, right: shown.right - dx, top: shown.top + dy, bottom: shown.bottom - dy };
      })
      .filter((box) => box.right > box.left && box.bottom > box.top)
      .sort((a, b) => a.top - b.top);
    const found = [];
    let open = [];
    for (const box of letters) {
      open = open.filter((other) => other.bottom > box.top);
      for (const other of open) {
        if (other.node === box.node || (other.math && box.math)) continue;
        if (other.left < box.right - 0.5 && box.left < other.right - 0.5 && other.bottom > box.top + 0.5) {
          found.push(`${named(box.element)} over ${named(other.element)}`);
        }
      }
      open.push(box);
    }
    return found;
  };

  const small = () => {
    const found = new Set();
    for (const { element, shown } of texts) {
      const label = element.closest("svg text");
      const matrix = label?.getScreenCTM();
      const size = parseFloat(styleOf(element).fontSize) * (matrix ? Math.hypot(matrix.a, matrix.b) : 1);
      if (size < 7.5 && seen(shown)) found.add(`${named(element)}: ${size.toFixed(1)} pixels`);
    }
    for (const drawing of document.querySelectorAll("img[src$='.svg']")) {
      const scale = drawing.clientWidth / drawing.naturalWidth;
      if (scale < 0.6 && visible(drawing)) found.add(`a drawing at ${scale.toFixed(2)} of its size`);
    }
    return [...found];
  };

  const silent = () =>
    [...document.querySelectorAll("img")]
      .filter((image) => visible(image) && (!image.alt || /\.(png|svg|jpe?g)$/.test(image.alt)))
      .map((image) => `a picture of ${image.clientWidth} by ${image.clientHeight}, alt "${image.alt}"`);

  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.canvas.width = canvas.canvas.height = 1;
  const colours = new Map();
  const colour = (css) => {
    if (!colours.has(css)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = css;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      colours.set(css, [r, g, b, a / 255]);
    }
    return colours.get(css);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const backgroundOf = kept((element) => {
    if (!element) return over(colour("Canvas"), [255, 255, 255, 1]);
    const own = element instanceof SVGElement && element.localName !== "svg" ? [0, 0, 0, 0] : colour(styleOf(element).backgroundColor);
    return own[3] === 1 ? own : over(own, backgroundOf(element.parentElement));
  });
  const opacityOf = kept((element) => (element ? Number(styleOf(element).opacity) * opacityOf(element.parentElement) : 1));
  const behind = (label) => {
    const at = middle(boxOf(label));
    const before = [...label.closest("svg").querySelectorAll("rect, image")].filter(
      (shape) => shape.compareDocumentPosition(label) & Node.DOCUMENT_POSITION_FOLLOWING && inside(at, boxOf(shape)),
    );
    if (before.some((shape) => shape.localName === "image")) return null;
    return before.reduce((below, shape) => {
      const style = styleOf(shape);
      return style.fill === "none" ? below : over(faded(colour(style.fill), style.fillOpacity), below);
    }, backgroundOf(label));
  };
  const faded = ([r, g, b, a], by) => [r, g, b, a * Number(by)];
  const contrast = () => {
    const found = new Set();
    const asked = new Set();
    for (const { element, shown } of texts) {
      if (!seen(shown) || asked.has(element)) continue;
      asked.add(element);
      if (element.closest("[aria-disabled=true], :disabled")) continue;
      const style = styleOf(element);
      const label = element.closest("svg text");
      const below = label ? behind(label) : backgroundOf(element);
      const ink = faded(colour(label ? style.fill : style.color), opacityOf(element));
      if (below === null || ink[3] === 0) continue;
      const [dark, light] = [luminance(over(ink, below).slice(0, 3)), luminance(below.slice(0, 3))].sort((a, b) => a - b);
      const ratio = (light + 0.05) / (dark + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) found.add(`${named(element)}: contrast ${ratio.toFixed(2)}`);
    }
    return [...found];
  };

  return { overflow: overflow(), cut: cut(), scrolling: scrolling(), overprint: overprint(), small: small(), silent: silent(), contrast: contrast() };
}
