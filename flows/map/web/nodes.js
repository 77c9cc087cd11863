// The state of the page, and facts about the nodes of the selected game.

const content = JSON.parse(byId("content").textContent);
const OVERVIEW = "overview";
let here = {game: Object.keys(content.games)[0], view: OVERVIEW, node: ""};

const game = () => content.games[here.game];
const graph = () => game().graph;
const diagram = () => game().diagrams[here.view];
const stateOf = (id) => game().states[id];
const nameOf = (id) => (graph().tasks[id] || graph().datasets[id] || {name: id}).name;
/** The tasks that have a dataset among their `inputs` or `outputs`. */
const tasksWith = (role, id) =>
  Object.keys(graph().tasks).filter((task) => graph().tasks[task][role].includes(id));

function kindOf(id) {
  if (id in graph().flows) return "flow";
  return id in graph().tasks ? "task" : "dataset";
}

/** The datasets that a flow or task writes. */
function outputsOf(id) {
  if (kindOf(id) === "task") return graph().tasks[id].outputs;
  return graph().flows[id].tasks.flatMap((task) => graph().tasks[task].outputs);
}

function lastRun(id) {
  const files = outputsOf(id).map((dataset) => stateOf(dataset).files[0]).filter(Boolean);
  return files.length ? asDate(Math.max(...files.map((file) => file.written))) : "";
}

function exists(id) {
  if (kindOf(id) === "dataset") return stateOf(id).files.length > 0;
  return lastRun(id) !== "" || !outputsOf(id).length;
}

function staleReasons(id) {
  const stale = game().stale;
  if (kindOf(id) === "dataset") return stale[id] || [];
  return outputsOf(id).filter((dataset) => dataset in stale)
    .map((dataset) => `${nameOf(dataset)}: ${stale[dataset].join("; ")}`);
}

/** The metrics that a model or report holds, by group; null if it holds none. */
function metricsOf(id) {
  const {facts} = stateOf(id);
  if (facts.metrics) return facts.metrics.validation || Object.values(facts.metrics)[0];
  if (facts.validation) return facts.validation;
  if (!facts.general || facts.general.n === undefined) return null;
  return {general: facts.general, new_characters: facts.new_characters};
}

/** The second line in a node's box. */
function subtitle(id) {
  const kind = kindOf(id);
  if (kind === "flow") return lastRun(id) || "not run yet";
  if (kind === "task") return nameOf(id) === id ? "" : id.slice(nameOf(id).length + 1);
  const state = stateOf(id), metrics = metricsOf(id);
  if (!state.files.length) return "not written yet";
  if (metrics && metrics.general && metrics.general.roc_auc !== null) {
    return `ROC AUC ${FORMATS.decimals(metrics.general.roc_auc)}`;
  }
  return state.rows === null ? asDate(state.files[0].written) : `${asCount(state.rows)} rows`;
}
