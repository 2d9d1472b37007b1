// Reads the OpenAPI document beside this page, shows it, and sends requests that a reader fills in.
// Text of the document and of responses is only ever set as text.
"use strict";

const METHODS = ["get", "put", "post", "patch", "delete"];
const JSON_TYPE = "application/json";
const OCTETS = "application/octet-stream";
const FORM = "multipart/form-data";
const SOCKET = "x-weft-websocket";
const DEPTH_MAX = 16;
const SHOWN_MESSAGES_MAX = 200;
const SHOWN_CHARACTERS_MAX = 200000;
const DEFINITIONS = "#/components/schemas/";

let api;

/** An element with properties and children; a string among the children becomes text. */
function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Paragraphs: the line breaks inside of one are those of its source. */
function prose(text, kind) {
  const joined = text && text.replace(/([^\n])\n(?![\n*-])/g, "$1 ");
  return joined ? element("p", { text: joined, class: kind }) : null;
}

// === schemas ===

function resolved(schema) {
  const name = schema && schema.$ref && nameOf(schema.$ref);
  return name ? api.components.schemas[name] || {} : schema || {};
}

function nameOf(reference) {
  const isDefinition = reference.startsWith(DEFINITIONS);
  return isDefinition ? reference.slice(DEFINITIONS.length) : reference;
}

function range(schema) {
  const { minimum, maximum } = schema;
  // Larger numbers have lost digits when the document was read.
  const isExact = (value) => value === undefined || Math.abs(value) <= Number.MAX_SAFE_INTEGER;
  if (schema.type !== "integer" || minimum === undefined) return "";
  if (isExact(minimum) && isExact(maximum) && maximum !== undefined) return ` ${minimum}…${maximum}`;
  return minimum === 0 ? " 0… (64 bits)" : " (64 bits)";
}

/** A schema as text: named types by their names, others in full. */
function typeText(schema, indent = "", depth = 0) {
  if (!schema || depth > DEPTH_MAX) return "…";
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.oneOf || schema.anyOf;
  const inner = indent + "  ";
  if (choices) {
    return choices.map((choice) => typeText(choice, indent, depth + 1)).join(` |\n${indent}`);
  }
  if (Array.isArray(schema.type)) return schema.type.join(" | ");
  if (schema.prefixItems) {
    return `[${schema.prefixItems.map((item) => typeText(item, inner, depth + 1)).join(", ")}]`;
  }
  if (schema.type === "array") return `list of ${typeText(schema.items, indent, depth + 1)}`;
  if (schema.type === "object" && schema.properties) {
    const required = schema.required || [];
    const lines = Object.entries(schema.properties).map(([key, value]) => {
      const mark = required.includes(key) ? "" : "?";
      const note = value.description ? `  — ${value.description.split("\n")[0]}` : "";
      return `${inner}${key}${mark}: ${typeText(value, inner, depth + 1)}${note}`;
    });
    return lines.length ? `{\n${lines.join("\n")}\n${indent}}` : "{}";
  }
  if (schema.type === "object") {
    return `map of ${typeText(schema.additionalProperties || {}, indent, depth + 1)}`;
  }
  const encoding = schema.contentEncoding ? ` (${schema.contentEncoding})` : "";
  return (schema.type || "any value") + range(schema) + encoding;
}

/** A value of a schema, to begin with. */
function example(schema, depth = 0) {
  const full = resolved(schema);
  if (depth > DEPTH_MAX) return null;
  for (const known of [full.default, full.const, full.enum && full.enum[0]]) {
    if (known !== undefined) return known;
  }
  const choices = full.oneOf || full.anyOf;
  if (choices) return example(choices[0], depth + 1);
  const type = Array.isArray(full.type) ? full.type[0] : full.type;
  if (full.prefixItems) return full.prefixItems.map((item) => example(item, depth + 1));
  if (type === "array") return [example(full.items, depth + 1)];
  if (type === "object") {
    const required = full.required || [];
    const entries = Object.entries(full.properties || {});
    // Flags have no required keys, and are shown all the same.
    const shown = entries.filter(([key]) => required.includes(key) || !required.length);
    return Object.fromEntries(shown.map(([key, value]) => [key, example(value, depth + 1)]));
  }
  if (type === "integer" || type === "number") return Math.max(full.minimum > 0 ? full.minimum : 0, 0);
  if (type === "boolean") return false;
  if (type === "null") return null;
  return full.maxLength === 1 ? "a" : "";
}

// === operations ===

function operations() {
  const found = [];
  for (const [path, item] of Object.entries(api.paths || {})) {
    for (const method of METHODS) {
      if (item[method]) found.push({ path, method, ...item[method] });
    }
  }
  return found;
}

function parameterList(operation) {
  const parameters = operation.parameters || [];
  if (!parameters.length) return null;
  const list = element("dl");
  for (const parameter of parameters) {
    const need = parameter.required ? "required" : "optional";
    list.append(
      element("dt", {}, element("code", { text: parameter.name }), ` in ${parameter.in}, ${need}`),
      element("dd", {}, element("code", { text: typeText(parameter.schema) }), prose(parameter.description)),
    );
  }
  return element("div", {}, element("h3", { text: "Parameters" }), list);
}

function contentText(content) {
  const types = Object.keys(content || {});
  const schema = types.map((type) => content[type].schema).find(Boolean);
  return schema ? typeText(schema) : types.join(", ");
}

function bodyText(operation) {
  if (!operation.requestBody) return null;
  const text = contentText(operation.requestBody.content);
  return element("div", {}, element("h3", { text: "Body" }), element("pre", { text, tabindex: 0 }));
}

function response(status, answer) {
  const full = answer.$ref ? api.components.responses[answer.$ref.split("/").pop()] || {} : answer;
  const text = contentText(full.content);
  const kind = status < "300" ? "good" : status < "400" ? "" : "bad";
  return [
    element("dt", {}, element("span", { class: kind, text: status })),
    element(
      "dd",
      {},
      prose(full.description),
      text ? element("details", {}, element("summary", { text: "Content" }), element("pre", { text, tabindex: 0 })) : null,
    ),
  ];
}

function responseList(operation) {
  const list = element("dl");
  const responses = Object.entries(operation.responses || {});
  for (const [status, answer] of responses) list.append(...response(status, answer));
  return element("div", {}, element("h3", { text: "Responses" }), list);
}

// === requests ===

function input(parameter, id) {
  const full = resolved(parameter.schema);
  const choices = full.enum || (full.type === "boolean" ? [true, false] : null);
  if (choices) {
    const select = element("select", { id });
    if (!parameter.required) select.append(element("option", { value: "", text: "" }));
    for (const choice of choices) select.append(element("option", { value: choice, text: String(choice) }));
    if (full.default !== undefined) select.value = String(full.default);
    return select;
  }
  const isList = full.type === "array";
  return element("input", {
    id,
    type: "text",
    required: parameter.required,
    autocomplete: "off",
    spellcheck: "false",
    placeholder: isList ? "values, separated by commas" : null,
    value: full.default === undefined ? null : String(full.default),
  });
}

/** The parts of a form, files after texts. A stream is the last one, which the description names. */
function formInput({ content, description }, id) {
  const { schema, encoding = {} } = content[FORM];
  const last = (/^`([^`]+)`/.exec(description || "") || [])[1];
  const place = ({ name, isFile }) => Number(isFile) + Number(name === last);
  const field = element("div", { id });
  const parts = Object.entries(schema.properties).map(([name, type]) => {
    const isFile = type.contentMediaType === OCTETS;
    const isJson = (encoding[name] || {}).contentType === JSON_TYPE;
    const isList = !isJson && resolved(type).type === "array";
    const isRequired = schema.required.includes(name);
    const part = element("input", { id: `${id}-${name}`, type: isFile ? "file" : "text", autocomplete: "off" });
    const note = [isJson && "JSON", isList && "separated by commas", isRequired || "optional"].filter((it) => typeof it === "string");
    field.append(element("label", { for: part.id, text: [name, ...note].join(", ") }), part);
    const texts = () => (part.value || isRequired ? (isList ? part.value.split(",") : [part.value]) : []);
    const files = () => (isRequired || part.files.length ? [part.files[0] || new Blob()] : []);
    const json = (text) => (isJson ? new Blob([text], { type: JSON_TYPE }) : text);
    return { name, isFile, values: () => (isFile ? files() : texts().map(json)) };
  });
  parts.sort((left, right) => place(left) - place(right));
  const read = () => {
    const form = new FormData();
    for (const { name, values } of parts) values().forEach((value) => form.append(name, value));
    return form;
  };
  return { type: FORM, field, read };
}

function bodyInput(operation, id) {
  const content = operation.requestBody && operation.requestBody.content;
  if (!content) return null;
  if (content[JSON_TYPE]) {
    const text = element("textarea", { id, spellcheck: "false" });
    text.value = JSON.stringify(example(content[JSON_TYPE].schema), null, 2);
    return { type: JSON_TYPE, field: text, read: () => text.value };
  }
  if (content[FORM] && !content[OCTETS]) return formInput(operation.requestBody, id);
  const file = element("input", { id, type: "file" });
  const type = content[OCTETS] ? OCTETS : Object.keys(content)[0];
  return { type, field: file, read: () => file.files[0] || new Blob() };
}

function requestOf(operation, fields, body) {
  let path = operation.path;
  const query = new URLSearchParams();
  const headers = new Headers();
  for (const { parameter, field } of fields) {
    const { value } = field;
    if (parameter.in === "path") {
      const isRest = (parameter.description || "").includes("further segments");
      const segments = isRest ? value.split("/") : [value];
      path = path.replace(`{${parameter.name}}`, () => segments.map(encodeURIComponent).join("/"));
    } else if (value !== "") {
      const isList = parameter.in === "query" && resolved(parameter.schema).type === "array";
      const values = isList ? value.split(",").map((item) => item.trim()) : [value];
      for (const item of values) {
        if (parameter.in === "query") query.append(parameter.name, item);
        else headers.append(parameter.name, item);
      }
    }
  }
  const base = api.servers && api.servers[0] ? api.servers[0].url : "";
  const search = query.size || query.toString() ? `?${query}` : "";
  const accepted = Object.entries(operation.responses || {}).some(
    ([status, answer]) => status < "300" && answer.content && answer.content[JSON_TYPE],
  );
  if (accepted) headers.set("accept", JSON_TYPE);
  // The browser adds the boundary of a form.
  if (body && body.type !== FORM) headers.set("content-type", body.type);
  const options = { method: operation.method.toUpperCase(), headers, cache: "no-store" };
  if (body) options.body = body.read();
  return [base.replace(/\/$/, "") + path + search, options];
}

/** JSON with line breaks. Works on the text, because numbers would lose digits as values. */
function pretty(text) {
  let [out, indent, isInside] = ["", "", false];
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    if (isInside) {
      out += c;
      if (c === "\\") out += text[++at];
      else if (c === '"') isInside = false;
    } else if (c === "{" || c === "[") {
      const isEmpty = "}]".includes(text[at + 1]);
      if (isEmpty) out += c + text[++at];
      else out += `${c}\n${(indent += "  ")}`;
    } else if (c === "}" || c === "]") {
      indent = indent.slice(2);
      out += `\n${indent}${c}`;
    } else if (c === ",") out += `,\n${indent}`;
    else if (c === ":") out += ": ";
    else {
      out += c;
      isInside = c === '"';
    }
  }
  return out;
}

async function shownBody(answer) {
  const type = answer.headers.get("content-type") || "";
  if (type.startsWith(OCTETS)) return `${(await answer.arrayBuffer()).byteLength} bytes`;
  const text = await answer.text();
  const shown = /[/+]json\b/.test(type) ? pretty(text) : text;
  const isLong = shown.length > SHOWN_CHARACTERS_MAX;
  return isLong ? `${shown.slice(0, SHOWN_CHARACTERS_MAX)}\n… (cut)` : shown;
}

async function send(operation, fields, body, output) {
  const [address, options] = requestOf(operation, fields, body);
  const start = performance.now();
  output.replaceChildren(element("p", { text: "Sending…" }));
  try {
    const answer = await fetch(address, options);
    const text = await shownBody(answer);
    const duration = Math.round(performance.now() - start);
    const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const kind = answer.ok ? "good" : "bad";
    output.replaceChildren(
      element("p", {}, element("code", { text: `${options.method} ${address}` })),
      element("p", {}, element("strong", { class: kind, text: `${answer.status} ${answer.statusText}` }), ` in ${duration} ms`),
      element("details", {}, element("summary", { text: "Headers" }), element("pre", { text: headers, tabindex: 0 })),
      text ? element("pre", { text, tabindex: 0, "aria-label": "Body of the response" }) : element("p", { class: "quiet", text: "No body." }),
    );
  } catch (error) {
    output.replaceChildren(element("p", { class: "bad", text: `No response: ${error.message}` }));
  }
}

// === sockets ===

/** The address of a socket: a WebSocket has no headers of its own. */
function socketAddress(operation, fields) {
  const [address] = requestOf(operation, fields.filter(({ parameter }) => parameter.in !== "header"), null);
  const url = new URL(address, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** The controls of a socket: a field for a message, and the messages of both sides. */
function socketControls(operation, fields, form) {
  const isText = operation[SOCKET].messages === "text";
  const id = `${operation.operationId}-message`;
  const message = element("input", { id, type: isText ? "text" : "file", autocomplete: "off" });
  const connect = element("button", { type: "button", text: "Connect" });
  const list = element("ol", { "aria-live": "polite", "aria-label": "Messages" });
  let socket = null;
  const note = (kind, text) => {
    list.append(element("li", { class: kind, text: text.slice(0, SHOWN_CHARACTERS_MAX) }));
    if (list.children.length > SHOWN_MESSAGES_MAX) list.firstElementChild.remove();
  };
  connect.addEventListener("click", () => {
    if (socket) return socket.close(1000);
    if (!form.reportValidity()) return undefined;
    const made = new WebSocket(socketAddress(operation, fields));
    socket = made;
    made.binaryType = "arraybuffer";
    connect.textContent = "Close";
    made.onopen = () => note("good", "open");
    made.onmessage = ({ data }) => note("", `← ${isText ? data : `${data.byteLength} bytes`}`);
    made.onclose = ({ code, reason }) => {
      note(code === 1000 ? "quiet" : "bad", `closed with ${code}${reason ? `: ${reason}` : ""}`);
      socket = null;
      connect.textContent = "Connect";
    };
    return undefined;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!socket || socket.readyState !== WebSocket.OPEN) return note("bad", "not open: connect first");
    const sent = isText ? message.value : message.files[0];
    if (sent === undefined) return note("bad", "choose a file");
    socket.send(sent);
    return note("quiet", `→ ${isText ? sent : `${sent.size} bytes`}`);
  });
  form.append(connect, element("label", { for: id, text: `Message (${isText ? "text" : "binary"})` }), message);
  form.append(element("button", { type: "submit", text: "Send" }), list);
}

function requestForm(operation) {
  const form = element("form", { "aria-label": `Try ${operation.operationId}` }, element("h3", { text: "Try" }));
  const fields = (operation.parameters || []).map((parameter, index) => {
    const id = `${operation.operationId}-${index}`;
    const field = input(parameter, id);
    const need = parameter.required ? "" : ", optional";
    form.append(element("label", { for: id, text: `${parameter.name} (${parameter.in}${need})` }), field);
    return { parameter, field };
  });
  if (operation[SOCKET]) {
    socketControls(operation, fields, form);
    return form;
  }
  const bodyId = `${operation.operationId}-body`;
  const body = bodyInput(operation, bodyId);
  if (body) form.append(element("label", { for: bodyId, text: `Body (${body.type})` }), body.field);
  const button = element("button", { type: "submit", text: "Send" });
  const output = element("div", { "aria-live": "polite" });
  form.append(button, output);
  let isSending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isSending) return;
    isSending = true;
    // Not `disabled`: the button would lose the focus of the keyboard.
    button.setAttribute("aria-disabled", "true");
    await send(operation, fields, body, output);
    button.removeAttribute("aria-disabled");
    isSending = false;
  });
  return form;
}

function article(operation) {
  const details = element(
    "details",
    { id: operation.operationId },
    element(
      "summary",
      {},
      element("span", { class: "method", text: operation.method.toUpperCase() }),
      element("span", { class: "path", text: operation.path }),
      element("span", { class: "summary", text: operation.summary || operation.operationId }),
    ),
    element(
      "div",
      { class: "inside" },
      prose(operation.description),
      parameterList(operation),
      bodyText(operation),
      operation[SOCKET] ? element("p", { text: `A WebSocket of ${operation[SOCKET].messages} messages.` }) : null,
      responseList(operation),
      requestForm(operation),
    ),
  );
  return element("article", {}, details);
}

// === page ===

function showTypes() {
  const types = Object.entries((api.components && api.components.schemas) || {});
  const section = document.getElementById("types");
  for (const [name, schema] of types) {
    const inside = element("div", { class: "inside" }, prose(schema.description), element("pre", { text: typeText(schema), tabindex: 0 }));
    section.append(element("article", {}, element("details", {}, element("summary", {}, element("code", { text: name })), inside)));
  }
  section.hidden = !types.length;
}

/** Opens the operation of the address. */
function openTarget() {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id && document.getElementById(id);
  if (target && target.tagName === "DETAILS") target.open = true;
}

function show() {
  const all = operations();
  document.title = api.info.title;
  document.getElementById("title").textContent = api.info.title;
  document.getElementById("about").textContent = `Version ${api.info.version}`;
  document.getElementById("prose").append(prose(api.info.description) || "");
  const list = element("ul");
  for (const operation of all) {
    const link = element("a", { href: `#${encodeURIComponent(operation.operationId)}` });
    link.append(element("span", { class: "method", text: operation.method.toUpperCase() }), operation.path);
    list.append(element("li", {}, link));
  }
  document.getElementById("contents").append(list);
  document.getElementById("operations").append(...all.map(article));
  showTypes();
  document.getElementById("state").remove();
  addEventListener("hashchange", openTarget);
  openTarget();
}

async function load() {
  try {
    const answer = await fetch("openapi.json");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    api = await answer.json();
    show();
  } catch (error) {
    const state = document.getElementById("state");
    const target = state || document.getElementById("about");
    target.className = "bad";
    target.textContent = `The document could not be shown: ${error.message}`;
  }
}

load();
