"use strict";
// Creates elements. Text is always inserted as text, never as markup.

const byId = (id) => document.getElementById(id);
const SVG = byId("diagram").namespaceURI;

function fill(created, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) created.addEventListener(name.slice(2), value);
    else created.setAttribute(name, value);
  }
  const shown = children.flat().filter((child) => ![null, undefined, ""].includes(child));
  created.append(...shown);
  return created;
}

const element = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children);
const shape = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

const code = (text) => element("code", {}, text);
const items = (contents) => element("ul", {}, contents.map((content) => element("li", {}, content)));
const section = (title, ...children) => [element("h3", {}, title), ...children];
const foldable = (summary, text) =>
  element("details", {}, element("summary", {}, summary), element("pre", {tabindex: 0}, text));

function table(heads, rows) {
  const head = heads.map((name) => element("th", {scope: "col"}, name));
  const body = rows.map((row) => element("tr", {}, row.map((cell) => element("td", {}, cell))));
  return element("table", {},
    element("thead", {}, element("tr", {}, head)), element("tbody", {}, body));
}

/** A list of terms and values, without those that have no value. */
function description(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value.length !== 0);
  return element("dl", {},
    known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

const asDate = (seconds) => new Date(seconds * 1000).toLocaleString("sv").slice(0, 16);
const asCount = (value) => value.toLocaleString("en");
const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const FORMATS = {
  percent: (value) => `${(100 * value).toFixed(1)}%`,
  decimals: (value) => value.toFixed(3),
  ratio: (value) => value.toFixed(2),
  count: asCount,
};
