// Navigation: the address, the choices in the header, and the keys.

const chosen = Object.fromEntries(["game", "view", "layer", "find"].map((id) => [id, byId(id)]));

/** Goes to a node: in the current view if it is there, or else in the first view that has it. */
function jump(id) {
  const {diagrams} = game();
  const has = (view) => id in diagrams[view].boxes;
  if (has(here.view) || kindOf(id) === "flow") return go({node: id});
  go({node: id, view: Object.keys(diagrams).find((view) => view !== OVERVIEW && has(view)) || here.view});
}

/** Changes game, view or node by way of the address, so that the browser can go back. */
function go(change) {
  const {game, view, node} = {...here, ...change};
  const address = "#" + [game, view, node].filter(Boolean).map(encodeURIComponent).join("/");
  if (address === location.hash) showAddress();
  else location.hash = address;
}

function showAddress() {
  const [wanted, view, node] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const name = wanted in content.games ? wanted : here.game;
  const {graph, diagrams} = content.games[name];
  const isKnown = node && [graph.flows, graph.tasks, graph.datasets].some((nodes) => node in nodes);
  const next = {game: name, view: view in diagrams ? view : OVERVIEW, node: isKnown ? node : ""};
  const isOther = next.game !== here.game || next.view !== here.view || !svg.childElementCount;
  here = next;
  if (isOther) {
    offerChoices();
    draw();
  }
  showNode(here.node);
  highlight(here.node);
  showDetails();
}

function offer(select, values, value) {
  select.replaceChildren(...values.map(([value, text]) => element("option", {value}, text)));
  select.value = value;
}

function offerChoices() {
  const pairs = (values) => Object.keys(values).map((value) => [value, value]);
  offer(chosen.game, pairs(content.games), here.game);
  offer(chosen.view, pairs(game().diagrams), here.view);
  offer(chosen.layer, [["", "all"], ...pairs(content.layers)], chosen.layer.value);
  byId("names").replaceChildren(...allIds().map((id) => element("option", {value: id})));
  const stale = Object.keys(game().stale), button = byId("stale");
  button.hidden = !stale.length;
  button.textContent = `${stale.length} out of date`;
  button.onclick = () => jump(stale[(stale.indexOf(here.node) + 1) % stale.length]);
}

function allIds() {
  const {flows, tasks, datasets} = graph();
  return [flows, tasks, datasets].flatMap(Object.keys);
}

function find() {
  const text = chosen.find.value.trim().toLowerCase(), ids = allIds();
  const id = ids.find((id) => id.toLowerCase() === text) ||
    ids.find((id) => text && id.toLowerCase().includes(text));
  if (!id) return;
  chosen.find.value = "";
  jump(id);
}

chosen.game.addEventListener("change", () => go({game: chosen.game.value}));
chosen.view.addEventListener("change", () => go({view: chosen.view.value, node: ""}));
chosen.layer.addEventListener("change", () => highlight(here.node));
chosen.find.addEventListener("change", find);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") go({node: ""});
  if (event.key === "/" && event.target !== chosen.find) {
    event.preventDefault();
    chosen.find.focus();
  }
});
window.addEventListener("hashchange", showAddress);
showAddress();
