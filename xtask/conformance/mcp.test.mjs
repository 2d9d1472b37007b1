// Calls of tools by the client of the Model Context Protocol's own SDK, which checks each result
// against the schema of the tool. The host is at WEFT_URL.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

// The validator of the SDK warns of each format that it does not know, such as `uint64`.
console.warn = () => {};

/** Connects, runs `use`, and closes the connection. */
async function connected(use) {
  const client = new Client({ name: "weft-conformance", version: "1.0.0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${process.env.WEFT_URL}/values/mcp`)));
  try {
    // Results are checked for tools that were listed.
    const { tools } = await client.listTools();
    return await use(client, tools);
  } finally {
    await client.close();
  }
}

test("each function is a tool with schemas", () =>
  connected((_client, tools) => {
    const names = tools.map((tool) => tool.name);
    assert(names.includes("echo-order") && names.includes("nothing"), names.join());
    for (const tool of tools) assert.equal(tool.inputSchema.type, "object", tool.name);
  }));

test("a call has a structured result that its schema describes", () =>
  connected(async (client) => {
    const calls = [
      ["echo-u8", { value: 7 }, { result: 7 }],
      ["echo-maybe-text", {}, { result: null }],
      ["echo-shape", { value: { tag: "named", val: ["a", 1] } }, { result: { tag: "named", val: ["a", 1] } }],
      ["echo-point", { value: { x: 0.5, y: "NaN", label: "p" } }, { x: 0.5, y: "NaN", label: "p" }],
      ["echo-bytes", { value: "AAEC" }, { result: "AAEC" }],
    ];
    for (const [name, given, expected] of calls) {
      const result = await client.callTool({ name, arguments: given });
      assert(!result.isError, JSON.stringify(result));
      assert.deepEqual(result.structuredContent, expected, name);
      assert.equal(result.content[0].type, "text", name);
    }
  }));

test("wrong arguments and an error of the function are results with `isError`", () =>
  connected(async (client) => {
    const wrong = await client.callTool({ name: "echo-point", arguments: { value: { x: "no" } } });
    assert(wrong.isError);
    assert.match(wrong.content[0].text, /\/value\/x/);
    const failed = await client.callTool({ name: "echo-outcome-err", arguments: { value: { tag: "err", val: 3 } } });
    assert(failed.isError);
    assert.match(failed.content[0].text, /"value":3/);
  }));

test("an unknown tool is an error of the protocol", () =>
  connected((client) => assert.rejects(client.callTool({ name: "nope", arguments: {} }), /nope/)));
