// console.mjs URL MODULES CHROMIUM SCREENSHOTS: goes through the console as a person does, by keyboard where one would.
import { strict as assert } from "node:assert";
import { createRequire } from "node:module";
import { join } from "node:path";

const [url, modules, executablePath, screenshots] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: "light" });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    // A browser reports every answer that is no success as an error; those are what is tested.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
  });
  page.on("request", (request) => {
    const to = request.url();
    if (!to.startsWith(url) && !to.startsWith("data:")) wrong.push(`a request went elsewhere: ${to}`);
  });
  const shot = (name) => page.screenshot({ path: join(screenshots, `${name}.png`) });
  const text = (locator) => page.locator(locator).first().innerText();

  await page.goto(url);
  await page.getByText("live", { exact: true }).waitFor();
  await page.getByRole("link", { name: /calculator/ }).waitFor();
  await shot("tools");

  // Search and open a tool, by keyboard.
  await page.keyboard.press("/");
  await page.keyboard.type("calc");
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "calculator" }).waitFor();
  await page.getByText("Computes, and nothing else").waitFor();

  // Run it.
  await page.locator("#field-expression").fill("sqrt(16) + 3^2");
  await page.keyboard.press("Control+Enter");
  await page.locator(".badge.success").waitFor();
  assert.match(await text("pre[aria-label=Result]"), /13/);
  await page.getByText("start of the sandbox").waitFor();
  await shot("result");

  // What is missing is said at the field, and nothing is sent.
  await page.locator("#field-expression").fill("1 +");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.locator(".callout").waitFor();
  await shot("tool-error");

  // A call that is denied says what would allow it.
  await page.goto(`${url}#/tools/reaches`);
  await page.getByText("May send requests to https://example.com.").waitFor();
  await page.locator("#field-authority").fill("elsewhere.invalid");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.locator(".badge", { hasText: "denied" }).waitFor();
  await shot("denied");

  // A long call is cancelled. It was compiled before, so that it is the tool that is stopped.
  await page.request.post(`${url}/v1/tools/spins/calls`, { data: { limits: { timeout_ms: 50 } } });
  await page.goto(`${url}#/tools/spins`);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.locator(".badge.running").waitFor();
  await shot("running");
  await page.keyboard.press("Escape");
  await page.locator(".badge.cancelled").waitFor();
  await shot("cancelled");

  // All of it is among the executions.
  await page.keyboard.press("2");
  await page.locator("tbody tr").first().waitFor();
  const rows = await page.locator("tbody tr").allInnerTexts();
  for (const word of ["success", "tool_error", "denied", "cancelled"]) assert.ok(rows.some((row) => row.includes(word)), `${word}: ${rows}`);
  await page.locator("tbody tr", { hasText: "denied" }).click();
  await page.getByText("What it wanted to reach").waitFor();
  await shot("executions");

  // A build is followed.
  await page.keyboard.press("3");
  await page.locator("#build-tool").selectOption("answers");
  await page.locator("#build-force").check();
  await page.getByRole("button", { name: "Build", exact: true }).click();
  await page.locator("section .badge.success").waitFor();
  await shot("builds");

  // Figures, in the dark.
  await page.keyboard.press("4");
  await page.getByText("Not successful").waitFor();
  await page.getByRole("button", { name: "Light or dark" }).click();
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
  await shot("system-dark");
  await page.goto(`${url}#/tools/calculator`);
  await page.locator("#field-expression").waitFor();
  await shot("tool-dark");
  await page.setViewportSize({ width: 420, height: 800 });
  await shot("tool-narrow");
  assert.deepEqual(wrong, []);
} finally {
  await browser.close();
}
