// The diagram: boxes and lines at the places that were computed for them, and its zoom.

const svg = byId("diagram"), stage = byId("stage");
const HALF = 22, MARGIN = 20, LABELS = 150, READABLE = 0.87;
let scale = 1;

function draw() {
  const {boxes, lines, bands} = diagram();
  svg.replaceChildren(...bands.map(drawBand), ...lines.flatMap(drawLine),
    ...Object.entries(boxes).map(([id, box]) => drawNode(id, box)));
  const {x, y, width, height} = extent();
  svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
  const all = fittingScale();
  // A phone shows all of it at first; a desk as much as can be read.
  zoomTo(stage.clientWidth < 600 ? all : Math.min(1, Math.max(all, READABLE)));
}

function extent() {
  const {bands, width, height} = diagram(), left = bands.length ? LABELS : 0;
  return {x: -left - MARGIN, y: -MARGIN, width: width + left + 2 * MARGIN, height: height + 2 * MARGIN};
}

function drawBand({layer, top, bottom}) {
  const width = diagram().width + LABELS + 30;
  return shape("g", {class: "band"},
    shape("rect", {x: -LABELS, y: top, width, height: bottom - top, rx: 6}),
    shape("text", {x: 12 - LABELS, y: (top + bottom) / 2 + 4}, layer));
}

function drawLine({ends, points}) {
  const path = points.map(([x, y]) => [x, y]), ids = JSON.stringify(ends);
  path[0][1] += HALF;
  path[path.length - 1][1] -= HALF + 6;
  const [x, y] = path[path.length - 1];
  const arrow = `M${x - 4},${y - 1}L${x + 4},${y - 1}L${x},${y + 6}Z`;
  return [shape("path", {class: "line", d: curve(path), "data-ends": ids}),
    shape("path", {class: "arrow", d: arrow, "data-ends": ids})];
}

/** A smooth path through points, vertical at both ends. */
function curve(points) {
  const last = points.length - 1;
  const slopes = points.map(([, y], i) => {
    if (i === 0 || i === last) return [0, Math.abs(points[i ? i - 1 : 1][1] - y) / 2.5];
    return [(points[i + 1][0] - points[i - 1][0]) / 12, (points[i + 1][1] - points[i - 1][1]) / 5];
  });
  return points.reduce((path, [x, y], i) => {
    if (!i) return `M${x},${y}`;
    const [x0, y0] = points[i - 1], [before, after] = [slopes[i - 1], slopes[i]];
    return `${path}C${x0 + before[0]},${y0 + before[1]} ${x - after[0]},${y - after[1]} ${x},${y}`;
  }, "");
}

function drawNode(id, {x, y, width}) {
  const kind = kindOf(id), small = subtitle(id), stale = staleReasons(id).length > 0;
  // The name that assistive technology reads begins with the text in the box.
  const label = [[nameOf(id), small].join(" ").trim(), kind, stale ? "out of date" : ""];
  const open = () => go({node: id});
  return shape("g", {
    class: `node ${kind}${exists(id) ? "" : " missing"}`, "data-id": id,
    transform: `translate(${x},${y})`,
    tabindex: 0, role: "button", "aria-label": label.filter(Boolean).join(", "),
    onclick: open,
    ondblclick: () => kind === "flow" && go({view: id, node: ""}),
    onkeydown: (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      open();
    },
    onpointerenter: () => highlight(id),
    onpointerleave: () => highlight(here.node),
  },
  shape("rect", {x: -width / 2, y: -HALF, width, height: 2 * HALF, rx: kind === "dataset" ? 16 : 4}),
  shape("text", {y: small ? -2 : 4}, nameOf(id)),
  small ? shape("text", {class: "small", y: 13}, small) : "",
  stale ? shape("circle", {cx: width / 2 - 3, cy: 3 - HALF, r: 6}) : "");
}

/** All nodes that a node depends on, and all that depend on it. */
function lineage(id) {
  const found = new Set([id]);
  for (const [from, to] of [[0, 1], [1, 0]]) {
    const open = [id];
    while (open.length) {
      const at = open.pop();
      const next = diagram().lines.filter(({ends}) => ends[from] === at).map(({ends}) => ends[to]);
      for (const node of next.filter((node) => !found.has(node))) {
        found.add(node);
        open.push(node);
      }
    }
  }
  return found;
}

/** The datasets of a layer and the nodes next to them. */
function layerNodes(layer) {
  const {boxes, lines} = diagram();
  const isOf = (id) => kindOf(id) === "dataset" && graph().datasets[id].layer === layer;
  const next = lines.filter(({ends}) => ends.some(isOf)).flatMap(({ends}) => ends);
  return new Set([...Object.keys(boxes).filter(isOf), ...next]);
}

/** Highlights the lineage of a node, or else the chosen layer. */
function highlight(id) {
  const layer = chosen.layer.value, isNode = id in diagram().boxes;
  const near = isNode ? lineage(id) : layerNodes(layer);
  svg.classList.toggle("highlighting", isNode || layer !== "");
  for (const item of svg.querySelectorAll(".node")) {
    item.classList.toggle("near", near.has(item.dataset.id));
    item.classList.toggle("chosen", item.dataset.id === here.node);
  }
  for (const item of svg.querySelectorAll("[data-ends]")) {
    item.classList.toggle("near", isNode && JSON.parse(item.dataset.ends).every((n) => near.has(n)));
  }
}

/** Scrolls the stage to a node that is out of sight. */
function showNode(id) {
  const item = [...svg.querySelectorAll(".node")].find((item) => item.dataset.id === id);
  if (!item) return;
  const box = item.getBoundingClientRect(), view = stage.getBoundingClientRect();
  const isInside = box.left > view.left && box.right < view.right &&
    box.top > view.top && box.bottom < view.bottom;
  if (isInside) return;
  stage.scrollLeft += (box.left + box.right - view.left - view.right) / 2;
  stage.scrollTop += (box.top + box.bottom - view.top - view.bottom) / 2;
}

// ---- Zoom. The stage scrolls as any other part of the page does.

function fittingScale() {
  const {width, height} = extent();
  return Math.min(stage.clientWidth / width, stage.clientHeight / height);
}

/** Sets the scale, so that the point at `x`, `y` of the stage stays where it is. */
function zoomTo(wanted, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const {width, height} = extent(), before = scale;
  scale = Math.min(3, Math.max(Math.min(fittingScale(), 0.1), wanted));
  svg.style.width = `${width * scale}px`;
  svg.style.height = `${height * scale}px`;
  stage.scrollLeft = (stage.scrollLeft + x) * scale / before - x;
  stage.scrollTop = (stage.scrollTop + y) * scale / before - y;
}

const zooms = {in: () => zoomTo(scale * 1.25), out: () => zoomTo(scale / 1.25), fit: () => zoomTo(fittingScale())};
for (const [name, zoom] of Object.entries(zooms)) byId(`zoom-${name}`).addEventListener("click", zoom);

stage.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  const {left, top} = stage.getBoundingClientRect();
  zoomTo(scale * (event.deltaY < 0 ? 1.15 : 1 / 1.15), event.clientX - left, event.clientY - top);
}, {passive: false});

/** Labels of layers stay in sight when the stage is scrolled to the right. */
stage.addEventListener("scroll", () => {
  const x = extent().x + stage.scrollLeft / scale + 10;
  for (const label of svg.querySelectorAll(".band text")) {
    label.setAttribute("x", Math.max(12 - LABELS, x));
  }
});

let dragged = false;
svg.addEventListener("pointerdown", (start) => {
  dragged = false;
  if (start.pointerType !== "mouse" || start.target.closest(".node")) return;
  const {scrollLeft, scrollTop} = stage;
  svg.setPointerCapture(start.pointerId);
  const move = (now) => {
    const x = now.clientX - start.clientX, y = now.clientY - start.clientY;
    dragged ||= Math.hypot(x, y) > 3;
    stage.scrollTo(scrollLeft - x, scrollTop - y);
  };
  const end = () => svg.removeEventListener("pointermove", move);
  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerup", end, {once: true});
});
svg.addEventListener("click", (event) => {
  if (!dragged && !event.target.closest(".node")) go({node: ""});
});
