/** A failure with the result that stands in its place. */
class SearchError extends Error {
  name = "SearchError";
  constructor(code, message, query, cause) {
    super(message, { cause });
    this.code = code;
    this.data = { status: "error", error: message, query };
  }
}

const text = (value) => (typeof value === "string" ? value.trim() : "");

/** Topics, and those of the groups among them. */
function* topics(list) {
  for (const topic of Array.isArray(list) ? list : []) {
    if (topic && typeof topic === "object") {
      if (text(topic.Text)) yield topic;
      yield* topics(topic.Topics);
    }
  }
}

function* found(answer, query) {
  const title = text(answer.Heading) || query;
  const url = text(answer.AbstractURL);
  const source = text(answer.AbstractSource) || "DuckDuckGo";
  for (const snippet of [text(answer.Answer), text(answer.AbstractText)]) {
    if (snippet) yield { type: "answer", title, snippet, url, source };
  }
  for (const topic of topics(answer.RelatedTopics)) {
    const snippet = text(topic.Text);
    yield { type: "related", title: snippet.split(" - ")[0], snippet, url: text(topic.FirstURL), source: "DuckDuckGo" };
  }
}

/** Where a person goes on. */
const elsewhere = (query) => ({
  type: "info",
  title: `Search results for: ${query}`,
  snippet: "There is no instant answer. The address leads to a full search.",
  url: `https://html.duckduckgo.com/html/?q=${encodeURIComponent(query)}`,
  source: "DuckDuckGo",
});

async function ask(query) {
  const url = new URL(process.env.SEARCH_URL ?? "https://api.duckduckgo.com");
  url.search = String(new URLSearchParams({ q: query, format: "json", no_html: "1", skip_disambig: "1" }));
  let response, body;
  try {
    response = await fetch(url, { headers: { accept: "application/json" } });
    body = await response.text();
  } catch (error) {
    const why = error?.cause?.message ?? error?.message ?? error;
    throw new SearchError("unreachable", `the search service gave no whole answer: ${why}`, query, error);
  }
  if (response.status === 429) {
    const after = response.headers.get("retry-after");
    const advice = after ? `; it says to wait ${after} seconds` : "";
    throw new SearchError("rate_limited", `the search service is asked too often (429)${advice}`, query);
  }
  if (!response.ok) throw new SearchError("service_error", `the search service answered ${response.status}`, query);
  try {
    const answer = JSON.parse(body);
    if (answer && typeof answer === "object" && !Array.isArray(answer)) return answer;
  } catch {
    // Said below.
  }
  throw new SearchError("malformed_answer", "the search service answered with something that is no JSON object", query);
}

export default async ({ query, max_results = 5 }) => {
  const all = [...found(await ask(query), query)];
  const results = (all.length ? all : [elsewhere(query)]).slice(0, max_results);
  return { status: "success", query, results, count: results.length };
};
