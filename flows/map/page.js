"use strict";
const content = JSON.parse(document.getElementById("content").textContent);
const svg = document.getElementById("picture"), panel = document.getElementById("panel");
const pick = Object.fromEntries(["game", "view", "layer", "find"].map((id) => [id, document.getElementById(id)]));
const OVERVIEW = "overview", HALF = 22;
let here = {game: Object.keys(content.games)[0], view: OVERVIEW, node: ""};
let frame = {x: 0, y: 0, width: 100, height: 100};

// ---- Elements. Text goes in as text, never as markup.

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

function shape(tag, attributes, ...children) {
  const made = document.createElementNS(svg.namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const clear = (parent) => parent.replaceChildren();
const game = () => content.games[here.game];
const graph = () => game().graph;
const picture = () => game().pictures[here.view];

// ---- What is known of a node.

function kindOf(id) {
  if (id in graph().flows) return "flow";
  return id in graph().tasks ? "task" : "dataset";
}

const nameOf = (id) => (graph().tasks[id] || graph().datasets[id] || {name: id}).name;
const standing = (id) => game().standing[id];
const writers = (id) => Object.values(graph().tasks).filter((task) => task.outputs.includes(id));
const readers = (id) => Object.values(graph().tasks).filter((task) => task.inputs.includes(id));
const flowsOf = (id) => Object.values(graph().flows).filter((flow) => flow.tasks.includes(id));
const when = (seconds) => new Date(seconds * 1000).toLocaleString("sv").slice(0, 16);
const number = (value) => value.toLocaleString("en");

function madeBy(id) {
  if (kindOf(id) === "task") return graph().tasks[id].outputs;
  return graph().flows[id].tasks.flatMap((task) => graph().tasks[task].outputs);
}

function lastRun(id) {
  const times = madeBy(id).map((d) => standing(d).files[0]).filter(Boolean).map((file) => file.written);
  return times.length ? Math.max(...times) : null;
}

function whyStale(id) {
  if (kindOf(id) === "dataset") return game().stale[id] || [];
  return madeBy(id).filter((d) => d in game().stale).map((d) => `${nameOf(d)}: ${game().stale[d].join("; ")}`);
}

const isThere = (id) => (kindOf(id) === "dataset" ? standing(id).files.length > 0 : lastRun(id) !== null || !madeBy(id).length);
const ran = (id) => (!madeBy(id).length ? "it writes nothing" : lastRun(id) ? when(lastRun(id)) : "never");

function metrics(id) {
  const told = standing(id) && standing(id).facts;
  if (!told) return null;
  if (told.metrics) return told.metrics.validation || Object.values(told.metrics)[0];
  if (told.validation) return told.validation;
  return told.general && told.general.n !== undefined ? {general: told.general, new_characters: told.new_characters} : null;
}

function subtitle(id) {
  const kind = kindOf(id);
  if (kind === "flow") return lastRun(id) ? when(lastRun(id)) : "not run yet";
  if (kind === "task") {
    const task = graph().tasks[id];
    return nameOf(id) === id ? "" : nameOf([...task.outputs, ...task.inputs][0]);
  }
  const state = standing(id), file = state.files[0];
  if (!file) return "not there yet";
  const scores = metrics(id);
  if (scores && scores.general && scores.general.roc_auc !== null) return `ROC AUC ${scores.general.roc_auc.toFixed(3)}`;
  return state.rows === null ? when(file.written) : `${number(state.rows)} rows`;
}

// ---- The picture.

function draw() {
  clear(svg);
  const {boxes, lines, bands, width, height} = picture();
  for (const band of bands) {
    svg.append(shape("g", {class: "band"},
      shape("rect", {x: -150, y: band.top, width: width + 180, height: band.bottom - band.top, rx: 6}),
      shape("text", {x: -138, y: (band.top + band.bottom) / 2 + 4}, band.layer)));
  }
  for (const line of lines) {
    const points = line.points.map(([x, y]) => [x, y]);
    points[0][1] += HALF;
    points[points.length - 1][1] -= HALF + 6;
    const [x, y] = points[points.length - 1];
    svg.append(shape("path", {class: "line", d: curve(points), "data-ends": JSON.stringify(line.ends)}),
      shape("path", {class: "tip", d: `M${x - 4},${y - 1}L${x + 4},${y - 1}L${x},${y + 6}Z`, "data-ends": JSON.stringify(line.ends)}));
  }
  for (const [id, box] of Object.entries(boxes)) svg.append(node(id, box));
  frame = readable(fitted(width, height));
  look();
}

function curve(points) {
  const last = points.length - 1;
  const slope = points.map(([, y], i) => {
    if (i === 0 || i === last) return [0, Math.abs(points[i ? i - 1 : 1][1] - y) / 2.5];
    return [(points[i + 1][0] - points[i - 1][0]) / 12, (points[i + 1][1] - points[i - 1][1]) / 5];
  });
  return points.reduce((path, [x, y], i) => {
    if (!i) return `M${x},${y}`;
    const [x0, y0] = points[i - 1];
    return `${path}C${x0 + slope[i - 1][0]},${y0 + slope[i - 1][1]} ${x - slope[i][0]},${y - slope[i][1]} ${x},${y}`;
  }, "");
}

function node(id, box) {
  const kind = kindOf(id), small = subtitle(id), why = whyStale(id);
  const classes = ["node", kind, isThere(id) ? "" : "missing"].join(" ").trim();
  const label = [kind, nameOf(id), small, why.length ? "out of date" : ""].filter(Boolean).join(", ");
  const made = shape("g", {class: classes, tabindex: 0, role: "button", "aria-label": label, "data-id": id,
    transform: `translate(${box.x},${box.y})`},
    shape("rect", {x: -box.width / 2, y: -HALF, width: box.width, height: 2 * HALF, rx: kind === "dataset" ? 16 : 4}),
    shape("text", {y: small ? -2 : 4}, nameOf(id)));
  if (small) made.append(shape("text", {class: "small", y: 13}, small));
  if (why.length) made.append(shape("circle", {cx: box.width / 2 - 3, cy: -HALF + 3, r: 6}));
  made.addEventListener("click", () => go({node: id}));
  made.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); go({node: id}); }
  });
  made.addEventListener("dblclick", () => kind === "flow" && go({view: id, node: ""}));
  made.addEventListener("pointerenter", () => light(id));
  made.addEventListener("pointerleave", () => light(here.node));
  return made;
}

function lineage(id) {
  const found = new Set([id]);
  for (const [from, to] of [[0, 1], [1, 0]]) {
    const open = [id];
    while (open.length) {
      const at = open.pop();
      for (const {ends} of picture().lines) {
        if (ends[from] === at && !found.has(ends[to])) { found.add(ends[to]); open.push(ends[to]); }
      }
    }
  }
  return found;
}

function light(id) {
  const layer = pick.layer.value, shown = id && id in picture().boxes;
  const ofLayer = (n) => kindOf(n) === "dataset" && graph().datasets[n].layer === layer;
  const near = shown ? lineage(id) : new Set(Object.keys(picture().boxes).filter(ofLayer));
  if (layer && !shown) for (const {ends} of picture().lines) if (ends.some(ofLayer)) ends.forEach((n) => near.add(n));
  svg.classList.toggle("lit", Boolean(shown || layer));
  for (const item of svg.querySelectorAll(".node")) {
    item.classList.toggle("near", near.has(item.dataset.id));
    item.classList.toggle("chosen", item.dataset.id === here.node);
  }
  for (const item of svg.querySelectorAll("[data-ends]")) {
    const ends = JSON.parse(item.dataset.ends);
    item.classList.toggle("near", Boolean(shown) && ends.every((n) => near.has(n)));
  }
}

// ---- Pan and zoom.

function fitted(width, height) {
  const margin = 24, left = picture().bands.length ? 150 : 0;
  return {x: -left - margin, y: -margin, width: width + left + 2 * margin, height: height + 2 * margin};
}

function readable(all) {
  const most = {width: svg.clientWidth * 1.15, height: svg.clientHeight * 1.15}, chosen = picture().boxes[here.node];
  if (!most.height || all.height <= most.height && all.width <= most.width) return all;
  const middle = chosen ? chosen.x : all.x + all.width / 2;
  const x = all.width <= most.width ? all.x + (all.width - most.width) / 2 : Math.max(all.x, middle - most.width / 2);
  const lowest = Math.max(all.y, all.y + all.height - most.height);
  return {x, y: chosen ? Math.min(lowest, Math.max(all.y, chosen.y - most.height / 2)) : all.y, ...most};
}

function look() {
  svg.setAttribute("viewBox", `${frame.x} ${frame.y} ${frame.width} ${frame.height}`);
  for (const name of svg.querySelectorAll(".band text")) name.setAttribute("x", Math.max(-138, frame.x + 10));
}

const scale = () => Math.max(frame.width / svg.clientWidth, frame.height / svg.clientHeight);

function zoom(by, at) {
  const to = at || {x: frame.x + frame.width / 2, y: frame.y + frame.height / 2};
  frame = {x: to.x - (to.x - frame.x) / by, y: to.y - (to.y - frame.y) / by, width: frame.width / by, height: frame.height / by};
  look();
}

svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, point);
}, {passive: false});

svg.addEventListener("pointerdown", (event) => {
  if (event.target.closest(".node")) return;
  const start = {x: event.clientX, y: event.clientY, frame: {...frame}};
  svg.setPointerCapture(event.pointerId);
  svg.classList.add("dragged");
  const move = (now) => {
    frame = {...start.frame, x: start.frame.x - (now.clientX - start.x) * scale(), y: start.frame.y - (now.clientY - start.y) * scale()};
    look();
  };
  const end = (now) => {
    svg.classList.remove("dragged");
    svg.removeEventListener("pointermove", move);
    if (Math.hypot(now.clientX - start.x, now.clientY - start.y) < 4) go({node: ""});
  };
  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerup", end, {once: true});
});

for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => {
    if (button.dataset.zoom !== "fit") return zoom(Number(button.dataset.zoom));
    frame = fitted(picture().width, picture().height);
    look();
  });
}

// ---- The panel.

const link = (id, text) => element("button", {type: "button", class: "link", onclick: () => jump(id)}, text || nameOf(id));
const list = (ids) => element("ul", {}, ids.map((id) => element("li", {}, link(id), kindOf(id) === "dataset" ? ` (${graph().datasets[id].layer})` : "")));
const facts = (pairs) => element("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value.length !== 0)
  .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function section(title, ...children) {
  return [element("h3", {}, title), ...children];
}

function code(source) {
  return element("details", {}, element("summary", {}, `Source: ${source.file}:${source.line}`), element("pre", {tabindex: 0}, source.text));
}

function table(heads, rows) {
  return element("table", {}, element("thead", {}, element("tr", {}, heads.map((head) => element("th", {scope: "col"}, head)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell) => element("td", {}, cell))))));
}

function tell() {
  clear(panel);
  const id = here.node || (here.view in graph().flows ? here.view : "");
  if (!id) return panel.append(...tellAll());
  const tellers = {flow: tellFlow, task: tellTask, dataset: tellDataset};
  const why = whyStale(id);
  panel.append(element("p", {class: "kind"}, kindOf(id)), element("h2", {}, id in graph().datasets ? nameOf(id) : id),
    ...(why.length ? [element("div", {class: "warn"}, element("strong", {}, "Out of date"), element("ul", {}, why.map((reason) => element("li", {}, reason))))] : []),
    ...tellers[kindOf(id)](id));
  panel.scrollTop = 0;
}

function tellAll() {
  const days = game().as_of ? `as of ${game().as_of}` : "no data checked yet; windows as for 2025-01-01";
  const flows = Object.values(graph().flows);
  return [element("h2", {}, here.game), element("p", {}, game().description), element("p", {class: "quiet"}, days),
    ...section("Flows", table(["flow", "last run"], flows.map((flow) => [link(flow.id), lastRun(flow.id) ? when(lastRun(flow.id)) : "never"]))),
    ...section("Layers", element("ul", {}, Object.entries(content.layers).map(([layer, about]) => element("li", {}, element("code", {}, layer), ` ${about}`)))),
    element("p", {class: "quiet"}, "Click a box to learn more, drag to move, turn the wheel to zoom, Escape to go back. The address leads back to what is shown.")];
}

function tellFlow(id) {
  const flow = graph().flows[id];
  return [element("p", {}, flow.about),
    facts([["command", element("code", {}, `${flow.command} --game ${here.game}`)], ["deployment", element("code", {}, `${id}/${here.game}`)],
      ["last run", ran(id)]]),
    ...(here.view === id ? [] : [element("p", {}, element("button", {type: "button", onclick: () => go({view: id, node: ""})}, "Show its tasks"))]),
    ...(flow.parts.length ? section("Made of", list(flow.parts)) : []),
    ...section("Tasks", list(flow.tasks)), code(flow.source)];
}

function tellTask(id) {
  const task = graph().tasks[id];
  const rows = task.arguments.map((a) => [a.name, [element("code", {}, a.settings.length ? a.settings.join(", ") : a.origin)], folded(a.value)]);
  return [element("pre", {class: "doc"}, task.about),
    facts([["last run", ran(id)], ["flows", flowsOf(id).flatMap((flow, i) => [i ? ", " : "", link(flow.id)])],
      ["depends also on", task.uses.join(", ")]]),
    ...section("Reads", list(task.inputs)), ...section("Writes", list(task.outputs)),
    ...(rows.length ? section("Settings and other arguments", table(["parameter", "from", "now"], rows)) : []), code(task.source)];
}

function folded(value) {
  const text = value === null ? "–" : plain(value);
  return text.length < 60 ? text : element("details", {}, element("summary", {}, "value"), element("pre", {tabindex: 0}, JSON.stringify(value, null, 1)));
}

function tellDataset(id) {
  const node = graph().datasets[id], state = standing(id), file = state.files[0], schema = content.schemas[node.name];
  const scores = metrics(id);
  const told = Object.entries(state.facts).filter(([, value]) => plain(value).length < 160 && value !== null);
  return [element("p", {}, [schema ? schema.about : "", node.about].filter(Boolean).join(" ")),
    facts([["layer", `${node.layer}: ${content.layers[node.layer]}`], ["path", element("code", {}, file ? file.path : node.path)],
      ["written", file ? when(file.written) : "not there yet"], ["rows", state.rows === null ? "" : number(state.rows)],
      ["size", file ? `${number(file.size)} bytes` : ""], ["model", state.model], ["fingerprint", element("code", {}, state.fingerprint)],
      ["formats", state.beside.flatMap((path, i) => [i ? ", " : "", element("a", {href: encodeURI(`${game().data}/${path}`)}, path.split(".").pop())])]]),
    ...(scores ? section("Figures", ...figures(scores)) : []),
    ...(writers(id).length ? section("Written by", list(writers(id).map((task) => task.id))) : []),
    ...(readers(id).length ? section("Read by", list(readers(id).map((task) => task.id))) : []),
    ...columns(state, schema),
    ...(state.files.length > 1 ? section("Files", table(["path", "written"], state.files.map((f) => [f.path.split("/").pop(), when(f.written)]))) : []),
    ...(told.length ? section("It tells", facts(told.map(([name, value]) => [name, plain(value)]))) : [])];
}

function figures(scores) {
  const groups = Object.entries(scores).filter(([, group]) => group);
  const counts = [["n", "scored"], ["positives", "churned"], ["immature", "label not yet available"]];
  const write = {percent: (value) => `${(100 * value).toFixed(1)}%`, decimals: (value) => value.toFixed(3), ratio: (value) => value.toFixed(2)};
  const cell = (value, form) => (value === null || value === undefined ? "–" : form(value));
  const shown = [...counts.map(([key, name]) => [key, name, number]), ...content.metrics.map((metric) => [metric.key, metric.name, write[metric.format]])];
  return [table(["", ...groups.map(([name]) => name.replace("_", " "))], shown.map(([key, name, form]) => [name, ...groups.map(([, group]) => cell(group[key], form))]))];
}

function columns(state, schema) {
  const known = schema ? schema.columns : {}, shared = content.schemas.standard_features.columns;
  const names = [...new Set([...Object.keys(known), ...Object.keys(state.columns)])];
  if (!names.length) return [];
  const rows = names.map((name) => {
    const about = known[name] || shared[name] || {};
    return [name + (schema && schema.key.includes(name) ? " (key)" : ""), (schema && known[name] ? known[name].type : state.columns[name]) + (known[name] && known[name].null ? ", null" : ""), about.about || ""];
  });
  return section(`Columns (${names.length})`, table(["name", "type", "meaning"], rows));
}

// ---- Where we are: the address, the choices and the keys.

function jump(id) {
  if (id in picture().boxes || kindOf(id) === "flow") return go({node: id});
  const inside = Object.keys(game().pictures).find((view) => view !== OVERVIEW && id in game().pictures[view].boxes);
  return go({node: id, view: inside || here.view});
}

function go(change) {
  const next = {...here, ...change};
  const address = "#" + [next.game, next.view, next.node].filter(Boolean).map(encodeURIComponent).join("/");
  if (address === location.hash) return show(next);
  location.hash = address;
}

function read() {
  const [wanted, view, node] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const of = wanted in content.games ? wanted : here.game, known = content.games[of];
  const there = node && [known.graph.flows, known.graph.tasks, known.graph.datasets].some((part) => node in part);
  show({game: of, view: view in known.pictures ? view : OVERVIEW, node: there ? node : ""});
}

function show(next) {
  const redraw = next.game !== here.game || next.view !== here.view || !svg.childElementCount;
  here = next;
  if (redraw) { choices(); draw(); }
  else uncover(here.node);
  light(here.node);
  tell();
}

function uncover(id) {
  const box = picture().boxes[id];
  if (!box) return;
  const inside = (at, from, size) => at > from && at < from + size;
  if (inside(box.x, frame.x, frame.width) && inside(box.y, frame.y, frame.height)) return;
  frame = {...frame, x: box.x - frame.width / 2, y: box.y - frame.height / 2};
  look();
}

function options(select, values, chosen) {
  select.replaceChildren(...values.map(([value, text]) => element("option", {value}, text)));
  select.value = chosen;
}

function choices() {
  const games = Object.keys(content.games), stale = Object.keys(game().stale), button = document.getElementById("stale");
  options(pick.game, games.map((name) => [name, name]), here.game);
  options(pick.view, Object.keys(game().pictures).map((view) => [view, view]), here.view);
  options(pick.layer, [["", "all"], ...Object.keys(content.layers).map((layer) => [layer, layer])], pick.layer.value);
  const ids = [...Object.keys(graph().flows), ...Object.keys(graph().tasks), ...Object.keys(graph().datasets)];
  document.getElementById("names").replaceChildren(...ids.map((id) => element("option", {value: id})));
  button.hidden = !stale.length;
  button.textContent = `${stale.length} out of date`;
  button.onclick = () => jump(stale[(stale.indexOf(here.node) + 1) % stale.length]);
}

pick.game.addEventListener("change", () => go({game: pick.game.value}));
pick.view.addEventListener("change", () => go({view: pick.view.value, node: ""}));
pick.layer.addEventListener("change", () => light(here.node));
pick.find.addEventListener("change", () => {
  const text = pick.find.value.trim().toLowerCase();
  const ids = [...document.getElementById("names").children].map((option) => option.value);
  const found = ids.find((id) => id.toLowerCase() === text) || ids.find((id) => text && id.toLowerCase().includes(text));
  if (found) { jump(found); pick.find.value = ""; }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") go({node: ""});
  if (event.key === "/" && event.target === document.body) { event.preventDefault(); pick.find.focus(); }
});
window.addEventListener("hashchange", read);
read();
