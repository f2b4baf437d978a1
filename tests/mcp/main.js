// What the tools of the MCP conformance suite do. Its names are fixed, and so is most of what they answer. One source for
// all of them, so that it is built and compiled once: each manifest says by a variable which of them it is.

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";
const wav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";
const image = { type: "image", data: png, mimeType: "image/png" };

const text = (text) => ({ content: [{ type: "text", text }] });

const resource = (uri, mimeType, text) => ({ type: "resource", resource: { uri, mimeType, text } });

const user = (...contents) => ({ messages: contents.map((content) => ({ role: "user", content })) });

/** A question to the person at the client. */
const ask = (message, properties) => ({
  method: "elicitation/create",
  params: { message, requestedSchema: { type: "object", properties, required: Object.keys(properties) } },
});

/** A question to the person that need not be answered in full. */
const offer = (message, properties) => ({
  method: "elicitation/create",
  params: { message, requestedSchema: { type: "object", properties } },
});

/** A question to the client's model. */
const sample = (text) => ({
  method: "sampling/createMessage",
  params: { messages: [{ role: "user", content: { type: "text", text } }], maxTokens: 100 },
});

const roots = { method: "roots/list", params: {} };

const name = { name: { type: "string" } };

const said = (what, { action, content }) => text(`${what}: action=${action}, content=${JSON.stringify(content)}`);

/** Asks for a confirmation and remembers that it did. */
const confirm = ({ $mcp }) => {
  if ($mcp.requestState?.stage === "confirm" && $mcp.inputResponses?.confirm) return text("Confirmed: state-ok");
  const inputRequests = { confirm: ask("Please confirm", { ok: { type: "boolean" } }) };
  return { inputRequests, requestState: { stage: "confirm" } };
};

const everything = { user_name: ask("What is your name?", name), greeting: sample("Generate a greeting"), client_roots: roots };

const titled = (what) =>
  ["First", "Second", "Third"].map((nth, index) => ({ const: `value${index + 1}`, title: `${nth} ${what}` }));
const options = ["option1", "option2", "option3"];

const fixtures = {
  // Content.
  test_simple_text: () => "This is a simple text response for testing.",
  test_image_content: () => ({ content: [image] }),
  test_audio_content: () => ({ content: [{ type: "audio", data: wav, mimeType: "audio/wav" }] }),
  test_embedded_resource: () => ({
    content: [resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")],
  }),
  test_multiple_content_types: () => ({
    content: [
      { type: "text", text: "Multiple content types test:" },
      image,
      resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
  }),
  test_error_handling: () => {
    throw new Error("This tool intentionally returns an error for testing");
  },

  // Questions, under their names of 2025.
  test_sampling: ({ prompt, $mcp }) => {
    const answer = $mcp.inputResponses?.answer;
    return answer ? text(`LLM response: ${answer.content.text}`) : { inputRequests: { answer: sample(prompt) } };
  },
  test_elicitation: ({ message, $mcp }) => {
    const answer = $mcp.inputResponses?.person;
    if (answer) return said("User response", answer);
    const username = { type: "string", description: "User's response" };
    const email = { type: "string", description: "User's email address" };
    return { inputRequests: { person: ask(message, { username, email }) } };
  },
  test_elicitation_sep1034_defaults: ({ $mcp }) => {
    const answer = $mcp.inputResponses?.values;
    if (answer) return said("Elicitation completed", answer);
    const properties = {
      name: { type: "string", description: "User's name", default: "John Doe" },
      age: { type: "integer", description: "User's age", default: 30 },
      score: { type: "number", description: "User's score", default: 95.5 },
      status: { type: "string", description: "User's status", enum: ["active", "inactive", "pending"], default: "active" },
      verified: { type: "boolean", description: "Whether user is verified", default: true },
    };
    return { inputRequests: { values: offer("Please provide values (all have defaults)", properties) } };
  },
  test_elicitation_sep1330_enums: ({ $mcp }) => {
    const answer = $mcp.inputResponses?.choices;
    if (answer) return said("Elicitation completed", answer);
    const properties = {
      untitledSingle: { type: "string", enum: options },
      titledSingle: { type: "string", oneOf: titled("Option") },
      legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
      untitledMulti: { type: "array", items: { type: "string", enum: options } },
      titledMulti: { type: "array", items: { anyOf: titled("Choice") } },
    };
    return { inputRequests: { choices: offer("Test enum schema improvements", properties) } };
  },

  // Questions, under their names of 2026.
  test_input_required_result_elicitation: ({ $mcp }) => {
    const answer = $mcp.inputResponses?.user_name?.content?.name;
    if (typeof answer === "string") return text(`Hello, ${answer}!`);
    return { inputRequests: { user_name: ask("What is your name?", name) } };
  },
  test_input_required_result_sampling: ({ $mcp }) => {
    const answer = $mcp.inputResponses?.capital_question?.content?.text;
    if (answer) return text(`Sampling response: ${answer}`);
    return { inputRequests: { capital_question: sample("What is the capital of France?") } };
  },
  test_input_required_result_list_roots: ({ $mcp }) => {
    const answer = $mcp.inputResponses?.client_roots?.roots;
    if (answer) return text(`Client roots: ${answer.map((root) => root.uri).join(", ")}`);
    return { inputRequests: { client_roots: roots } };
  },
  test_input_required_result_request_state: confirm,
  test_input_required_result_tampered_state: confirm,
  test_input_required_result_multiple_inputs: ({ $mcp }) => {
    const answered = Object.keys(everything).every((key) => $mcp.inputResponses?.[key]);
    if (answered && $mcp.requestState) return text("All inputs received");
    return { inputRequests: everything, requestState: { stage: "gather" } };
  },
  test_input_required_result_multi_round: ({ $mcp }) => {
    const { round = 0 } = $mcp.requestState ?? {};
    if (round === 0) {
      const inputRequests = { step1: ask("Step 1: What is your name?", name) };
      return { inputRequests, requestState: { round: 1 } };
    }
    if (round === 1) {
      const name = $mcp.inputResponses?.step1?.content?.name;
      const inputRequests = { step2: ask("Step 2: What is your favorite color?", { color: { type: "string" } }) };
      return { inputRequests, requestState: { round: 2, name } };
    }
    return text(`${$mcp.requestState.name} likes ${$mcp.inputResponses?.step2?.content?.color}.`);
  },
  test_input_required_result_capabilities: ({ $mcp }) => {
    if ($mcp.inputResponses) return text("Capability-aware flow complete");
    const { elicitation, sampling, roots } = $mcp.clientCapabilities;
    const possible = { user_name: elicitation, greeting: sampling, client_roots: roots };
    const inputRequests = {};
    for (const key of Object.keys(everything)) if (possible[key]) inputRequests[key] = everything[key];
    return Object.keys(inputRequests).length > 0 ? { inputRequests } : text("The client can do nothing of it");
  },
  test_missing_capability: ({ $mcp }) =>
    $mcp.inputResponses ? text("The client had a model") : { inputRequests: { greeting: sample("Generate a greeting") } },
  test_streaming_elicitation: ({ $mcp }) => {
    const value = $mcp.inputResponses?.value?.content?.value;
    return value ? text(value) : { inputRequests: { value: ask("Provide a value", { value: { type: "string" } }) } };
  },

  // Resources.
  static_text: () => "This is the content of the static text resource.",
  static_binary: () => ({ contents: [{ uri: "test://static-binary", mimeType: "image/png", blob: png }] }),
  template_data: ({ id }) => ({ id, templateTest: true, data: `Data for ID: ${id}` }),
  watched_resource: () => "Nothing has changed yet.",

  // Prompts.
  test_simple_prompt: () => "This is a simple prompt for testing.",
  test_prompt_with_arguments: ({ arg1, arg2 }) => `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`,
  test_prompt_with_embedded_resource: ({ resourceUri }) =>
    user(
      resource(resourceUri, "text/plain", "Embedded resource content for testing."),
      { type: "text", text: "Please process the embedded resource above." },
    ),
  test_prompt_with_image: () => user(image, { type: "text", text: "Please analyze the image above." }),
  test_prompt_with_choices: ({ style }) => `Write in a ${style} style.`,
  test_input_required_result_prompt: ({ $mcp }) => {
    const answer = $mcp.inputResponses?.user_context?.content;
    if (answer) return user({ type: "text", text: `Prompt with elicited context: ${answer.context}` });
    return { inputRequests: { user_context: ask("What context should the prompt use?", { context: { type: "string" } }) } };
  },
};

export default (input) => fixtures[process.env.FIXTURE](input);
