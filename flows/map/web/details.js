// The panel: details of the chosen node, or of the game.

const panel = byId("panel");
const LONG = 60, LONGEST = 160;

const button = (attributes, text) => element("button", {type: "button", ...attributes}, text);
const titleOf = (id) => (kindOf(id) === "dataset" ? nameOf(id) : id);
const link = (id) => button({class: "link", onclick: () => jump(id)}, titleOf(id));
const layerOf = (id) => (kindOf(id) === "dataset" ? ` (${graph().datasets[id].layer})` : "");
const separated = (elements) => elements.flatMap((each, i) => [i ? ", " : "", each]);
/** A section with links to nodes; nothing if there are none. */
const linkSection = (title, ids) =>
  (ids.length ? section(title, items(ids.map((id) => [link(id), layerOf(id)]))) : []);
const source = ({file, line, text}) => foldable(`Source: ${file}:${line}`, text);

function showDetails() {
  const id = here.node || (here.view in graph().flows ? here.view : "");
  panel.replaceChildren(...(id ? nodeDetails(id) : gameDetails()));
  panel.scrollTop = 0;
}

function gameDetails() {
  const {description: about, as_of: day} = game();
  const flows = Object.keys(graph().flows).map((id) => [link(id), lastRun(id) || "never"]);
  const layers = Object.entries(content.layers).map(([layer, text]) => [code(layer), ` ${text}`]);
  return [element("h2", {}, here.game), element("p", {}, about),
    element("p", {class: "quiet"},
      day ? `as of ${day}` : `no data checked yet; windows are shown as of ${content.example_day}`),
    ...section("Flows", table(["flow", "last run"], flows)),
    ...section("Layers", items(layers)),
    element("p", {class: "quiet"}, "Click a box for its details, double-click a flow for its tasks. " +
      "Drag or scroll to move, press Ctrl and turn the wheel to zoom, press Escape to go back and / to find. " +
      "The page's address is a link to what it shows.")];
}

function nodeDetails(id) {
  const kind = kindOf(id), stale = staleReasons(id);
  const details = {flow: flowDetails, task: taskDetails, dataset: datasetDetails}[kind];
  const warning = element("div", {class: "warning"}, element("strong", {}, "Out of date"), items(stale));
  return [element("p", {class: "quiet"}, kind), element("h2", {}, titleOf(id)),
    stale.length ? warning : "", ...details(id)];
}

const lastRunText = (id) => (outputsOf(id).length ? lastRun(id) || "never" : "writes no dataset");

function flowDetails(id) {
  const flow = graph().flows[id];
  const open = button({onclick: () => go({view: id, node: ""})}, "Show its tasks");
  return [element("p", {}, flow.about),
    description([["command", code(`${flow.command} --game ${here.game}`)],
      ["deployment", code(`${id}/${here.game}`)], ["last run", lastRunText(id)]]),
    here.view === id ? "" : element("p", {}, open),
    ...linkSection("Calls", flow.parts), ...linkSection("Tasks", flow.tasks), source(flow.source)];
}

function taskDetails(id) {
  const task = graph().tasks[id];
  const flows = Object.values(graph().flows).filter((flow) => flow.tasks.includes(id));
  const settings = task.settings.map(({path, value}) => [code(path), settingValue(value)]);
  return [element("p", {class: "doc"}, task.about),
    description([["last run", lastRunText(id)], ["flows", separated(flows.map((flow) => link(flow.id)))],
      ["also depends on", task.uses.join(", ")]]),
    ...linkSection("Reads", task.inputs), ...linkSection("Writes", task.outputs),
    ...(settings.length ? section("Settings", table(["setting", "present value"], settings)) : []),
    source(task.source), ...task.functions.map(source)];
}

function settingValue(value) {
  const text = value === null ? "null" : asText(value);
  return text.length < LONG ? text : foldable("show", JSON.stringify(value, null, 1));
}

function datasetDetails(id) {
  const node = graph().datasets[id], state = stateOf(id), file = state.files[0];
  const schema = game().schemas[node.name], metrics = metricsOf(id);
  const others = state.other_formats.map((path) =>
    element("a", {href: encodeURI(`${game().data}/${path}`)}, path.split(".").pop()));
  const facts = Object.entries(state.facts)
    .filter(([, value]) => value !== null && asText(value).length < LONGEST);
  const files = state.files.map((each) => [each.path.split("/").pop(), asDate(each.written)]);
  return [element("p", {}, [schema ? schema.about : "", node.about].filter(Boolean).join(" ")),
    description([["layer", `${node.layer}: ${content.layers[node.layer]}`],
      ["path", code(file ? file.path : node.path)],
      ["written", file ? asDate(file.written) : "not yet"],
      ["rows", state.rows === null ? "" : asCount(state.rows)],
      ["size", file ? `${asCount(file.size)} bytes` : ""], ["model", state.model],
      ["fingerprint", file ? code(state.fingerprint) : ""], ["other formats", separated(others)]]),
    ...(metrics ? section("Metrics", metricsTable(metrics)) : []),
    ...linkSection("Written by", tasksWith("outputs", id)),
    ...linkSection("Read by", tasksWith("inputs", id)),
    ...columns(state, schema),
    ...(files.length > 1 ? section("Files", table(["name", "written"], files)) : []),
    ...(facts.length ? section("Recorded in the file",
      description(facts.map(([name, value]) => [name, asText(value)]))) : [])];
}

function metricsTable(metrics) {
  const groups = Object.entries(metrics).filter(([, group]) => group);
  const rows = content.metrics.map(({key, name, format}) => [name, ...groups.map(([, group]) =>
    (group[key] === null || group[key] === undefined ? "–" : FORMATS[format](group[key])))]);
  return table(["", ...groups.map(([name]) => content.groups[name] || name)], rows);
}

function columns(state, schema) {
  const declared = schema ? schema.columns : {}, features = game().schemas.standard_features.columns;
  const names = [...new Set([...Object.keys(declared), ...Object.keys(state.columns)])];
  const rows = names.map((name) => {
    const own = declared[name], {about} = own || features[name] || {about: ""};
    const type = own ? `${own.type}${own.null ? ", may be null" : ""}` : state.columns[name];
    return [name + (schema && schema.key.includes(name) ? " (key)" : ""), type, about];
  });
  return names.length ? section(`Columns (${names.length})`, table(["name", "type", "meaning"], rows)) : [];
}
