// `fetch` over `wasi:http`. Which servers a request may reach is the host's business; added where a program names it.
import * as handler from "host:http/outgoing-handler@0.2.11";
import * as types from "host:http/types@0.2.11";
import "./abort.js";
import { TextDecoder, TextEncoder } from "./globals.js";
import { building, ready } from "./loop.js";
import { Stream } from "./stream.js";
import "./url.js";

const encoder = new TextEncoder();

export class Headers {
  #fields = new Map();
  constructor(init = []) {
    const pairs = typeof init?.[Symbol.iterator] === "function" ? init : Object.entries(init ?? {});
    for (const [name, value] of pairs) this.append(name, value);
  }
  append(name, value) {
    name = String(name).toLowerCase();
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) throw new TypeError(`"${name}" is not a header's name`);
    this.#fields.set(name, [...(this.#fields.get(name) ?? []), String(value).trim()]);
  }
  set(name, value) {
    this.delete(name);
    this.append(name, value);
  }
  get(name) {
    return this.#fields.get(String(name).toLowerCase())?.join(", ") ?? null;
  }
  getSetCookie() {
    return this.#fields.get("set-cookie") ?? [];
  }
  has(name) {
    return this.#fields.has(String(name).toLowerCase());
  }
  delete(name) {
    this.#fields.delete(String(name).toLowerCase());
  }
  forEach(each, self) {
    for (const [name, value] of this) each.call(self, value, name, this);
  }
  *entries() {
    for (const name of [...this.#fields.keys()].sort()) yield [name, this.get(name)];
  }
  *keys() {
    for (const [name] of this.entries()) yield name;
  }
  *values() {
    for (const [, value] of this.entries()) yield value;
  }
  [Symbol.iterator]() {
    return this.entries();
  }
}

/** The bytes of a body that is there whole, and the type that it brings. */
function bytesOf(body) {
  if (body instanceof URLSearchParams) {
    return [encoder.encode(String(body)), "application/x-www-form-urlencoded;charset=UTF-8"];
  }
  if (body instanceof ArrayBuffer) return [new Uint8Array(body)];
  if (ArrayBuffer.isView(body)) return [new Uint8Array(body.buffer, body.byteOffset, body.byteLength)];
  return [encoder.encode(String(body)), "text/plain;charset=UTF-8"];
}

class Body {
  headers;
  body = null;
  constructor(body, headers) {
    this.headers = new Headers(headers);
    if (body === undefined || body === null) return;
    if (body instanceof Stream) {
      this.body = body;
      return;
    }
    const [bytes, type] = bytesOf(body);
    this.body = Stream.of(bytes);
    if (type && !this.headers.has("content-type")) this.headers.set("content-type", type);
  }
  get bodyUsed() {
    return this.body?.used ?? false;
  }
  async bytes() {
    if (this.bodyUsed) throw new TypeError("Body is unusable: Body has already been read");
    return this.body ? this.body.collect() : new Uint8Array();
  }
  async arrayBuffer() {
    const bytes = await this.bytes();
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  }
  async text() {
    return new TextDecoder().decode(await this.bytes());
  }
  async json() {
    return JSON.parse(await this.text());
  }
}

export class Request extends Body {
  constructor(input, init = {}) {
    const from = input instanceof Request ? input : {};
    const body = init.body ?? from.body;
    super(body, init.headers ?? from.headers);
    this.url = String(new URL(from.url ?? input));
    const method = String(init.method ?? from.method ?? "GET");
    this.method = /^(get|head|post|put|delete|options)$/i.test(method) ? method.toUpperCase() : method;
    if (this.body && (this.method === "GET" || this.method === "HEAD")) {
      throw new TypeError("Request with GET/HEAD method cannot have body.");
    }
    this.redirect = init.redirect ?? from.redirect ?? "follow";
    this.signal = init.signal ?? from.signal ?? null;
  }
  clone() {
    return new Request(this.url, { ...this, body: this.body?.fork() });
  }
}

export class Response extends Body {
  constructor(body, init = {}) {
    super(body, init.headers);
    this.status = init.status ?? 200;
    this.statusText = init.statusText ?? "";
    this.ok = this.status >= 200 && this.status < 300;
    this.type = "default";
    this.url = "";
    this.redirected = false;
  }
  static json(data, init) {
    const response = new Response(JSON.stringify(data), init);
    if (!init?.headers || !new Headers(init.headers).has("content-type")) {
      response.headers.set("content-type", "application/json");
    }
    return response;
  }
  static error() {
    return Object.assign(new Response(null, { status: 0 }), { type: "error" });
  }
  clone() {
    return Object.assign(new Response(this.body?.fork(), this), { url: this.url, redirected: this.redirected });
  }
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/** The host's own word for what went wrong. */
function failed(thrown) {
  const code = thrown?.payload ?? thrown;
  const word = typeof code?.tag === "string" ? code.tag : String(thrown);
  const detail = typeof code?.val === "string" ? `: ${code.val}` : "";
  return new TypeError("fetch failed", { cause: Object.assign(new Error(word + detail), { code: word }) });
}

function outgoing(url, method, headers) {
  const fields = new types.Fields();
  for (const [name, value] of headers) {
    try {
      fields.append(name, encoder.encode(value));
    } catch (error) {
      // Headers about the connection are the host's, and browsers say nothing about them either.
      if (error?.payload?.tag !== "forbidden") throw new TypeError(`the header ${name} cannot be sent`);
    }
  }
  const request = new types.OutgoingRequest(fields);
  const known = METHODS.includes(method);
  request.setMethod(known ? { tag: method.toLowerCase() } : { tag: "other", val: method });
  request.setScheme({ tag: url.protocol === "https:" ? "HTTPS" : "HTTP" });
  request.setAuthority(url.host);
  request.setPathWithQuery(url.pathname + url.search);
  return request;
}

/** One request and its answer, no redirects. */
async function send(url, method, headers, bytes) {
  const request = outgoing(url, method, headers);
  const body = request.body();
  let future;
  try {
    future = handler.handle(request, null);
    const stream = body.write();
    for (let at = 0; at < bytes.length; at += 4096) stream.blockingWriteAndFlush(bytes.subarray(at, at + 4096));
    stream[Symbol.dispose]();
    types.OutgoingBody.finish(body, null);
  } catch (error) {
    // A server that answers before it has read everything says why in its answer.
    if (!future) throw failed(error);
  }
  await ready(future.subscribe());
  const answer = future.get()?.val;
  future[Symbol.dispose]();
  if (answer?.tag !== "ok") throw failed(answer?.val);
  return answer.val;
}

function received(incoming, url) {
  const fields = incoming.headers();
  const decoder = new TextDecoder();
  const headers = fields.entries().map(([name, value]) => [name, decoder.decode(value)]);
  fields[Symbol.dispose]();
  const status = incoming.status();
  const body = incoming.consume();
  const stream = body.stream();
  const close = () => {
    for (const resource of [stream, body, incoming]) resource[Symbol.dispose]();
  };
  const pull = async () => {
    for (;;) {
      let bytes;
      try {
        bytes = stream.read(65536);
      } catch (error) {
        close();
        if (error?.payload?.tag === "closed") return null;
        throw new TypeError("terminated", { cause: error });
      }
      if (bytes.length) return Uint8Array.from(bytes);
      await ready(stream.subscribe());
    }
  };
  return Object.assign(new Response(new Stream(pull, close), { status, headers }), { url: url.href, type: "basic" });
}

async function follow(request) {
  let url = new URL(request.url);
  let { method } = request;
  let bytes = await request.bytes();
  const headers = new Headers(request.headers);
  if (!headers.has("accept")) headers.set("accept", "*/*");
  for (let hops = 0; ; hops++) {
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw new TypeError("fetch failed", { cause: new Error(`unknown scheme ${url.protocol}`) });
    }
    const length = bytes.length || method === "POST" || method === "PUT";
    const sent = length ? [...headers, ["content-length", String(bytes.length)]] : headers;
    const response = received(await send(url, method, sent, bytes), url);
    const location = [301, 302, 303, 307, 308].includes(response.status) && response.headers.get("location");
    if (!location || request.redirect === "manual") return Object.assign(response, { redirected: hops > 0 });
    if (request.redirect === "error" || hops === 20) {
      throw new TypeError("fetch failed", { cause: new Error(hops ? "redirect count exceeded" : "unexpected redirect") });
    }
    await response.body.cancel();
    const next = new URL(location, url);
    if (next.origin !== url.origin) for (const secret of ["authorization", "cookie"]) headers.delete(secret);
    url = next;
    if (response.status === 303 ? method !== "HEAD" : response.status < 303 && method === "POST") {
      [method, bytes] = ["GET", new Uint8Array()];
      headers.delete("content-type");
    }
  }
}

export async function fetch(input, init) {
  const request = new Request(input, init);
  const { signal } = request;
  signal?.throwIfAborted();
  if (building()) throw new Error("there is no network while the tool is built: call `fetch` in a function");
  if (!signal) return follow(request);
  const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  return Promise.race([follow(request), aborted]);
}
Object.assign(globalThis, { fetch, Headers, Request, Response });
