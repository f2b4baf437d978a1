// The console: plain JavaScript over the routes below /v1. Text from tools only ever becomes text nodes.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const view = $("#view");
const store = {
  get: (key) => { try { return sessionStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { sessionStorage.setItem(key, value); } catch { /* private windows */ } },
};
let token = store.get("token");

/** An element: h("a.link", {href: "#"}, "text", child). */
function h(what, ...rest) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const part of rest.flat(3)) {
    if (part === null || part === undefined || part === false) continue;
    if (part instanceof Node) element.append(part);
    else if (typeof part === "object") for (const [key, value] of Object.entries(part)) set(element, key, value);
    else element.append(String(part));
  }
  return element;
}
function set(element, key, value) {
  if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
  else if (value === true) element.setAttribute(key, "");
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
}
const show = (...parts) => view.replaceChildren(...parts.flat().filter(Boolean));

// --- the server ---------------------------------------------------------------------------------------------------
class Problem extends Error {
  constructor(status, body) { super(body.detail || `HTTP ${status}`); this.status = status; this.body = body; }
}
async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  let body = options.body;
  if (body !== undefined) { headers["content-type"] = "application/json"; body = JSON.stringify(body); }
  const response = await fetch(path, { ...options, headers, body });
  if (response.status === 401) { await login(token ? "That token is not known." : ""); return ask(path, options); }
  if (options.raw && response.ok) return response;
  const text = await response.text();
  const parsed = text ? JSON.parse(text) : {};
  if (!response.ok) throw new Problem(response.status, parsed);
  return parsed;
}
let asking = null;
function login(problem) {
  asking ??= new Promise((resolve) => {
    const dialog = $("#login");
    $("#login-problem").textContent = problem;
    dialog.addEventListener("close", () => {
      token = $("#token").value.trim();
      store.set("token", token);
      asking = null;
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}
/** Server-sent events of a response. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      buffer += value;
      let end;
      while ((end = buffer.indexOf("\n\n")) >= 0) {
        const block = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        let name = "message", data = "";
        for (const line of block.split("\n")) {
          if (line.startsWith("event:")) name = line.slice(6).trim();
          else if (line.startsWith("data:")) data += line.slice(5).trim();
        }
        if (data) yield { name, data: JSON.parse(data) };
      }
    }
  } finally { reader.cancel().catch(() => {}); }
}

// --- words --------------------------------------------------------------------------------------------------------
const number = new Intl.NumberFormat("en");
const bytes = (value) => value < 1024 ? `${value} B` : value < 1 << 20 ? `${(value / 1024).toFixed(1)} KiB`
  : value < 1 << 30 ? `${(value / (1 << 20)).toFixed(1)} MiB` : `${(value / (1 << 30)).toFixed(2)} GiB`;
const time = (us) => us < 1000 ? `${us} µs` : us < 1e6 ? `${(us / 1e3).toFixed(us < 1e4 ? 2 : 1)} ms` : `${(us / 1e6).toFixed(2)} s`;
const count = (value) => value < 1e4 ? number.format(value) : value < 1e6 ? `${(value / 1e3).toFixed(1)} k`
  : value < 1e9 ? `${(value / 1e6).toFixed(1)} M` : `${(value / 1e9).toFixed(2)} G`;
const clock = (text) => new Date(text).toLocaleTimeString([], { hour12: false });
const badge = (status, word) => h(`span.badge.${status}`, word || status);
const empty = (title, text) => h("div.empty", h("strong", title), h("span", text));
const pretty = (value) => typeof value === "string" ? value : JSON.stringify(value, null, 2);

function meter(label, value, most, words) {
  const part = most ? Math.min(1, value / most) : 0;
  const fill = h(`div.fill${part >= 1 ? ".full" : part > .8 ? ".high" : ""}`);
  fill.style.width = value ? `max(2px, ${part * 100}%)` : "0";
  return h("div.meter", h("div", h("span.soft", label), h("span.mono", words)),
    h("div.track", { role: "meter", "aria-label": label, "aria-valuenow": value, "aria-valuemin": 0, "aria-valuemax": most }, fill));
}
function timing(usage) {
  const start = Math.min(usage.instantiate_us, usage.wall_us), run = usage.wall_us - start;
  const bar = (cls, us) => {
    const fill = h(`div.fill.${cls}`, { title: time(us) });
    fill.style.width = `${usage.wall_us ? us / usage.wall_us * 100 : 0}%`;
    return fill;
  };
  return h("div.timing", h("div.track", bar("start", start), bar("run", run)),
    h("div.legend", h("span", h("i.start"), `start of the sandbox ${time(start)}`), h("span", h("i"), `the tool itself ${time(run)}`),
      h("span", `together ${time(usage.wall_us)}`)));
}
const meters = (usage, limits) => h("div.meters",
  meter("Time", usage.wall_us, limits?.timeout_ms * 1000, limits ? `${time(usage.wall_us)} of ${time(limits.timeout_ms * 1000)}` : time(usage.wall_us)),
  meter("Memory", usage.memory_peak_bytes, limits?.memory_bytes, limits ? `${bytes(usage.memory_peak_bytes)} of ${bytes(limits.memory_bytes)}` : bytes(usage.memory_peak_bytes)),
  meter("Fuel", usage.fuel, limits?.fuel, limits ? `${count(usage.fuel)} of ${count(limits.fuel)}` : count(usage.fuel)));

// --- tools --------------------------------------------------------------------------------------------------------
let running = null; // what the tool view runs: {abort, id}
async function tools(name) {
  const { tools: all } = await ask("/v1/tools");
  const search = h("input", { type: "search", placeholder: "Search tools", "aria-label": "Search tools", value: tools.search || "", oninput: draw });
  const list = h("ul.list", { "aria-label": "Tools" });
  const main = h("div.stack");
  function draw() {
    tools.search = search.value;
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((tool) => words.every((word) => `${tool.name} ${tool.summary || ""} ${tool.tags.join(" ")}`.toLowerCase().includes(word)));
    list.replaceChildren(...found.map((tool) => h("li", h("a", { href: `#/tools/${encodeURIComponent(tool.name)}`, "aria-current": tool.name === name ? "page" : null },
      h("strong", tool.name), h("small", tool.error ? "the manifest is not valid" : tool.summary || "")))));
    if (!found.length) list.replaceChildren(h("li", empty("No tool", "None fits the search.")));
  }
  draw();
  show(h("div.split", h("div.side", h("div.search", search, h("kbd", "/")), list), main));
  if (!name) { main.append(h("div.panel", empty(`${all.length} tool${all.length === 1 ? "" : "s"}`, "Choose one to see what it takes and may do, and to run it."))); return; }
  const listed = all.find((tool) => tool.name === name);
  if (listed?.error) { main.append(h("div.panel.stack", h("div.head", h("h2", name)), h("div.callout", h("strong", "The manifest is not valid"), h("pre", listed.error)))); return; }
  await tool(name, main);
}

async function tool(name, main) {
  const tool = await ask(`/v1/tools/${encodeURIComponent(name)}`);
  const form = schemaForm(tool.input_schema);
  const output = h("div.stack", { "aria-live": "polite" });
  const run = h("button.primary", { type: "submit" }, "Run");
  const cancel = h("button.danger", { type: "button", disabled: true, onclick: () => stop() }, "Cancel");
  const element = h("form.panel.stack", { onsubmit: (event) => { event.preventDefault(); start(); } },
    h("h3", "Input"), form.element, h("div.actions", run, cancel, h("span.faint", h("kbd", "Ctrl"), " ", h("kbd", "Enter"), " runs, ", h("kbd", "Esc"), " cancels"),
      tool.examples.length ? h("span.actions", ...tool.examples.slice(0, 3).map((example, at) => h("button.quiet", { type: "button", title: example.description || "", onclick: () => form.set(example.input) }, `Example ${at + 1}`))) : null));
  main.replaceChildren(
    h("div.panel.stack", h("div.head", h("h2", tool.name), h("span.tag", tool.source)), h("p.soft", tool.description || tool.summary),
      tool.tags.length ? h("div.tags", ...tool.tags.map((tag) => h("span.tag", tag))) : null, permits(tool)),
    element, output);

  async function stop() {
    const at = running;
    if (!at) return;
    cancel.disabled = true;
    if (at.id) await ask(`/v1/executions/${at.id}/cancel`, { method: "POST" }).catch(() => at.abort.abort());
    else at.abort.abort();
  }
  async function start() {
    const input = form.value();
    if (input === undefined || running) return;
    const log = h("div.log", { role: "log", "aria-label": "Log" });
    const state = h("span", badge("pending"));
    const bar = h("div.track"), fill = h("div.fill");
    bar.append(fill); bar.hidden = true;
    const result = h("div.stack");
    output.replaceChildren(h("div.panel.stack", h("div.head", h("h3", "Result"), state), bar, log, result));
    log.hidden = true;
    output.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    const line = (level, text) => { log.hidden = false; log.append(h(`div.${level}`, h("span.level", level), text)); log.scrollTop = log.scrollHeight; };
    running = { abort: new AbortController(), id: null };
    run.disabled = true; cancel.disabled = false;
    try {
      const response = await ask(`/v1/tools/${encodeURIComponent(name)}/calls?stream=true`, { method: "POST", body: { input }, raw: true, signal: running.abort.signal });
      for await (const { name: event, data } of events(response)) {
        if (event === "begin") { running.id = data.execution_id; state.replaceChildren(badge("running"), " ", h("a.mono", { href: `#/executions/${data.execution_id}` }, data.execution_id)); }
        else if (event === "step") line("build", data.message);
        else if (event === "log") line(data.level, data.message);
        else if (event === "progress") {
          if (data.total) { bar.hidden = false; fill.style.width = `${Math.min(100, data.done / data.total * 100)}%`; }
          if (data.message) line("progress", data.message);
        } else if (event === "end") {
          bar.hidden = true;
          if (data.problem) { state.replaceChildren(badge("failed", data.problem.code)); result.replaceChildren(problem(data.problem)); }
          else finished(data.execution, state, result, tool.limits);
          output.scrollIntoView({ block: "nearest" });
        }
      }
    } catch (error) {
      state.replaceChildren(badge("failed"));
      result.replaceChildren(problem(error.body || { detail: error.message }));
    } finally { running = null; run.disabled = false; cancel.disabled = true; }
  }
  tool.start = start; tool.stop = stop; current = tool;
}
let current = null;

function permits(tool) {
  const limits = tool.limits;
  const items = tool.permits.map((permit) => h("li", h(`span.${permit.granted ? "yes" : "no"}`, { "aria-hidden": "true" }, permit.granted ? "✓" : "✕"),
    h("span", permit.words, " ", h("span.faint", permit.because), permit.allow ? h("pre", permit.allow) : null)));
  if (!items.length) items.push(h("li", h("span.yes", "✓"), h("span", "Computes, and nothing else: no network, no files, no variables, no secrets, no state.")));
  return h("div.stack", h("h3", "What it may do"), h("ul.permits", items),
    h("p.faint", `Each call: at most ${time(limits.timeout_ms * 1000)}, ${bytes(limits.memory_bytes)} of memory, ${count(limits.fuel)} of fuel, ${bytes(limits.output_bytes)} of output.`));
}
function problem(body) {
  return h("div.callout", { role: "alert" }, h("strong", body.code || "Failed"), h("span", body.detail || body.message || ""), body.hint ? h("pre", body.hint) : null);
}
function finished(execution, state, result, limits) {
  state.replaceChildren(badge(execution.status, execution.ending), " ", h("a.mono", { href: `#/executions/${execution.execution_id}` }, execution.execution_id));
  result.replaceChildren(...details(execution, limits));
}
function details(execution, limits) {
  const parts = [];
  if (execution.error) parts.push(problem({ code: execution.error.code, detail: execution.error.message, hint: execution.error.hint }));
  if (execution.result !== null && execution.result !== undefined) parts.push(h("pre", { "aria-label": "Result" }, pretty(execution.result)));
  if (execution.stdout) parts.push(h("h3", "Standard output"), h("pre", execution.stdout));
  if (execution.stderr) parts.push(h("h3", "Standard error"), h("pre", execution.stderr));
  if (execution.usage.wall_us) parts.push(timing(execution.usage), meters(execution.usage, limits));
  if (execution.decisions?.length) parts.push(h("h3", "What it wanted to reach"), h("ul.permits", ...execution.decisions.map((one) => h("li",
    h(`span.${one.allowed ? "yes" : "no"}`, one.allowed ? "✓" : "✕"), h("span", `${one.capability} ${one.target}`, " ", h("span.faint", one.rule || one.reason || ""))))));
  return parts;
}

/** A form for a JSON Schema of an object; what it cannot show as fields is JSON text. */
function schemaForm(schema) {
  const fields = Object.entries(schema.properties || {}).map(([name, of]) => field(name, of, (schema.required || []).includes(name)));
  const whole = fields.length ? null : field("input", { type: "object", description: "The input as JSON." }, false);
  const element = h("div.stack", ...(whole ? [whole.element] : fields.map((one) => one.element)));
  return {
    element,
    value() {
      if (whole) { const value = whole.value(); return value === undefined && whole.failed ? undefined : value ?? {}; }
      const input = {};
      let failed = null;
      for (const one of fields) {
        const value = one.value();
        if (one.failed) failed ??= one;
        if (value !== undefined) input[one.name] = value;
      }
      if (failed) { failed.focus(); return undefined; }
      return input;
    },
    set(input) { if (whole) whole.set(input); else for (const one of fields) one.set(input[one.name]); },
  };
}
function field(name, of, required) {
  const kind = Array.isArray(of.type) ? of.type.find((type) => type !== "null") : of.type;
  const id = `field-${name}`;
  const common = { id, name, "aria-describedby": `${id}-about` };
  const initial = of.default !== undefined ? of.default : undefined;
  let control;
  if (of.enum) control = h("select", common, required ? null : h("option", { value: "" }, "—"), ...of.enum.map((value) => h("option", { value: JSON.stringify(value) }, String(value))));
  else if (kind === "boolean") control = h("input", { ...common, type: "checkbox" });
  else if (kind === "integer" || kind === "number") control = h("input", { ...common, type: "number", step: kind === "integer" ? 1 : "any", min: of.minimum, max: of.maximum });
  else if (kind === "object" || kind === "array") control = h("textarea", { ...common, placeholder: kind === "array" ? "[]" : "{}", spellcheck: "false" });
  else control = h("input", { ...common, type: "text", placeholder: of.examples?.[0] ?? "", autocomplete: "off", spellcheck: "false" });
  const wrong = h("small.problem", { role: "alert" });
  const one = {
    name, failed: false, focus: () => control.focus(),
    element: h("label.field", { for: id }, h("span", h("span.name", name), required ? h("span.need", { title: "required" }, "*") : null, h("span.faint", of.enum ? "one of" : kind || "text")),
      control, h("small", { id: `${id}-about` }, of.description || ""), wrong),
    value() {
      one.failed = false; wrong.textContent = ""; control.removeAttribute("aria-invalid");
      if (kind === "boolean" && !of.enum) return control.checked;
      const text = control.value;
      if (text === "" && !(kind === "string" && required)) return required && kind !== "string" ? fail("is needed") : undefined;
      if (of.enum) return JSON.parse(text);
      if (kind === "integer" || kind === "number") return Number.isFinite(Number(text)) ? Number(text) : fail("is no number");
      if (kind === "object" || kind === "array") { try { return JSON.parse(text); } catch { return fail("is no JSON"); } }
      return text;
    },
    set(value) {
      if (kind === "boolean" && !of.enum) control.checked = Boolean(value);
      else if (value === undefined) control.value = "";
      else control.value = of.enum ? JSON.stringify(value) : typeof value === "string" ? value : JSON.stringify(value, null, kind === "object" || kind === "array" ? 2 : 0);
    },
  };
  function fail(why) { one.failed = true; wrong.textContent = `${name} ${why}`; control.setAttribute("aria-invalid", "true"); return undefined; }
  if (initial !== undefined) one.set(initial);
  return one;
}

// --- executions ---------------------------------------------------------------------------------------------------
const wanted = { tool: "", status: "", session_id: "" };
async function executions(id) {
  const body = h("tbody");
  const more = h("button", { onclick: () => load(more.next) }, "Older");
  const detail = h("div.stack");
  const input = (name, label) => h("input", { type: "search", placeholder: label, "aria-label": label, value: wanted[name], onchange: (event) => { wanted[name] = event.target.value.trim(); load(); } });
  const status = h("select", { "aria-label": "Status", onchange: (event) => { wanted.status = event.target.value; load(); } },
    ...["", "pending", "running", "success", "failed", "timeout", "cancelled", "interrupted"].map((word) => h("option", { value: word, selected: word === wanted.status }, word || "any status")));
  show(h("div.stack", h("div.panel.stack", h("div.filters", input("tool", "Tool"), status, input("session_id", "Session"), h("button", { onclick: () => load() }, "Refresh")),
    h("div.scroll", h("table", h("thead", h("tr", h("th", "Began"), h("th", "Status"), h("th", "Tool"), h("th.num", "Time"), h("th.num", "Memory"), h("th.num", "Fuel"), h("th", "User"))), body)), more), detail));
  async function load(before) {
    const query = new URLSearchParams({ limit: "50" });
    for (const [key, value] of Object.entries(wanted)) if (value) query.set(key, value);
    if (before) query.set("before", before);
    const page = await ask(`/v1/executions?${query}`);
    const rows = page.executions.map((one) => h("tr", { tabindex: 0, "data-id": one.execution_id, "aria-selected": one.execution_id === id ? "true" : "false",
      onclick: () => { location.hash = `#/executions/${one.execution_id}`; }, onkeydown: (event) => { if (event.key === "Enter") location.hash = `#/executions/${one.execution_id}`; } },
      h("td.mono", clock(one.started_at)), h("td", badge(one.status, one.ending || one.status)), h("td.grow.mono", { title: one.tool }, one.tool),
      h("td.num", one.ending ? time(one.usage.wall_us) : "…"), h("td.num", one.ending ? bytes(one.usage.memory_peak_bytes) : "…"), h("td.num", one.ending ? count(one.usage.fuel) : "…"), h("td", one.user || "")));
    if (before) body.append(...rows); else body.replaceChildren(...rows);
    if (!body.children.length) body.replaceChildren(h("tr", h("td", { colspan: 7 }, empty("Nothing yet", "Calls appear here as they are made."))));
    more.next = page.next; more.hidden = !page.next;
  }
  refresh = () => load();
  await load();
  if (id) await execution(id, detail);
}
async function execution(id, detail) {
  const one = await ask(`/v1/executions/${id}`);
  const over = one.ending !== null;
  const limits = await ask(`/v1/tools/${encodeURIComponent(one.tool)}`).then((tool) => tool.limits, () => null);
  const fact = (term, value) => value ? [h("dt", term), h("dd.mono", value)] : [];
  detail.replaceChildren(h("div.panel.stack",
    h("div.head", h("h2", one.execution_id), badge(one.status, one.ending || one.status),
      over ? null : h("button.danger", { onclick: async (event) => { event.target.disabled = true; await ask(`/v1/executions/${id}/cancel`, { method: "POST" }); } }, "Cancel")),
    ...details(one, limits),
    one.log.length ? h("div.log", ...one.log.map((line) => h(`div.${line.level}`, h("span.level", line.level), line.message))) : null,
    h("dl.facts", fact("Tool", one.tool), fact("Began", one.started_at), fact("Session", one.session_id), fact("User", one.user),
      fact("Component", one.component), fact("Contract", one.contract), fact("Backend", one.backend), fact("Engine", one.engine), fact("Ready", one.cached ? "yes, nothing was built or compiled" : "no, it was built or compiled first"))));
}

// --- builds -------------------------------------------------------------------------------------------------------
async function builds(id) {
  const { tools: all } = await ask("/v1/tools");
  const choice = h("select", { "aria-label": "Tool to build", id: "build-tool" }, ...all.filter((tool) => !tool.error).map((tool) => h("option", { value: tool.name }, tool.name)));
  const force = h("input", { type: "checkbox", id: "build-force" });
  const wrong = h("p.problem", { role: "alert" });
  const list = h("div.stack");
  show(h("div.stack", h("form.panel.stack", { onsubmit: start }, h("h3", "Build a tool"),
    h("div.actions", h("div", choice), h("label.actions", force, "even what is there already"), h("button.primary", "Build")), wrong), list));
  async function start(event) {
    event.preventDefault(); wrong.textContent = "";
    try { const build = await ask("/v1/builds", { method: "POST", body: { tool: choice.value, force: force.checked } }); location.hash = `#/builds/${build.build_id}`; await load(); }
    catch (error) { wrong.textContent = error.message; }
  }
  async function load() {
    const { builds: known } = await ask("/v1/builds");
    list.replaceChildren(...known.map(draw));
    if (!known.length) list.replaceChildren(h("div.panel", empty("No builds", "A tool is built on its first call, or here.")));
  }
  const draw = (build) => h("section.panel.stack", { id: build.build_id, "aria-label": `Build of ${build.tool}`, "aria-current": build.build_id === id ? "true" : null },
    h("div.head", h("h2", build.tool), badge(build.status), h("span.faint", clock(build.started_at), build.ended_at ? ` – ${clock(build.ended_at)}` : ""), build.built === false ? h("span.faint", "was there already") : null),
    build.lines.length ? h("div.log", ...build.lines.map((line) => h("div", line))) : null,
    build.error ? h("div.callout", h("pre", build.error)) : null, build.component ? h("span.faint.mono", build.component) : null);
  refresh = load; refresh.on = "builds";
  await load();
}

// --- system -------------------------------------------------------------------------------------------------------
async function system() {
  async function load() {
    const now = await ask("/v1/system");
    const figure = (label, value) => h("div.panel.figure", h("span.soft", label), h("b", value));
    const up = now.uptime_seconds, hours = Math.floor(up / 3600), minutes = Math.floor(up / 60) % 60;
    show(h("div.stack", h("div.figures", figure("Calls", number.format(now.calls)), figure("Not successful", number.format(now.failed)),
      figure("Memory", now.resident_bytes ? bytes(now.resident_bytes) : "–"), figure("Up", hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${up} s`)),
    h("div.panel.stack", h("h3", "Queue"), h("div.meters", meter("Running", now.queue.running, now.queue.running_max, `${now.queue.running} of ${number.format(now.queue.running_max)}`),
      meter("Waiting", now.queue.waiting, now.queue.waiting_max, `${now.queue.waiting} of ${number.format(now.queue.waiting_max)}`)), now.queue.draining ? h("p.problem", "The server is about to end and takes no more calls.") : null),
    h("div.panel", h("dl.facts", h("dt", "Version"), h("dd", now.version), h("dt", "Engine"), h("dd", now.engine), h("dt", "Compiled code"), h("dd", bytes(now.compiled_bytes)),
      h("dt", "You are"), h("dd", `${now.user || "anybody on this machine"}, good for ${now.scopes.join(", ") || "nothing"}`), h("dt", "Routes"), h("dd", h("a", { href: "/openapi.json" }, "/openapi.json"))))));
  }
  await load();
  timer = setInterval(() => load().catch(() => {}), 2000);
}

// --- the page -----------------------------------------------------------------------------------------------------
let refresh = null, timer = null;
const views = { tools, executions, builds, system };
async function route() {
  const [, name = "tools", id] = location.hash.split("/");
  clearInterval(timer); refresh = null; current = null;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.title = `${name in views ? name : "tools"} · cortex-wasm`;
  try { await (views[name] || tools)(id && decodeURIComponent(id)); }
  catch (error) { show(h("div.panel", problem(error.body || { code: "Failed", detail: error.message }))); }
}
addEventListener("hashchange", route);

addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && current) { event.preventDefault(); current.start(); return; }
  if (event.key === "Escape") { if (running && current) current.stop(); else if (typing) typing.blur(); return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  const tabs = Object.keys(views);
  if (event.key >= "1" && event.key <= String(tabs.length)) location.hash = `#/${tabs[event.key - 1]}`;
  else if (event.key === "/") { const search = $("input[type=search]"); if (search) { event.preventDefault(); search.focus(); search.select(); } }
  else if (event.key === "?") $("#help").showModal();
  else if (event.key === "j" || event.key === "k") {
    const items = [...document.querySelectorAll(".list a, tbody tr[tabindex]")];
    const at = items.indexOf(document.activeElement);
    items[Math.max(0, Math.min(items.length - 1, at + (event.key === "j" ? 1 : -1)))]?.focus();
  }
});

const root = document.documentElement;
function theme(name) { root.dataset.theme = name; store.set("theme", name); }
theme(store.get("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
$("#theme").addEventListener("click", () => theme(root.dataset.theme === "dark" ? "light" : "dark"));

/** Follows what happens, for ever; views that show it are drawn anew, at most some times a second. */
let due = null;
function soon() { due ??= setTimeout(() => { due = null; refresh?.()?.catch(() => {}); }, 250); }
async function follow() {
  const dot = $("#dot"), words = $("#connection");
  for (let pause = 500; ; pause = Math.min(pause * 2, 10_000)) {
    try {
      const response = await ask("/v1/events", { raw: true });
      dot.className = "dot on"; words.textContent = "live"; pause = 500;
      for await (const { name, data } of events(response)) {
        if (name === "reloaded") { words.textContent = data.error ? `${data.tool}: the new version does not work` : `${data.tool} reloaded`; setTimeout(() => { words.textContent = "live"; }, 4000); }
        if (name === "builds" ? refresh?.on === "builds" : refresh?.on !== "builds") soon();
      }
    } catch { /* tried again */ }
    dot.className = "dot off"; words.textContent = "not connected";
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
route();
follow();
