// What an agent does with the tools, through the official TypeScript client. The same arguments as client.py.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// The packages are beside their lock file, not beside this one.
const [transport, argument] = process.argv.slice(2);
const given = JSON.parse(argument);
const require = createRequire(pathToFileURL(join(given.node_modules, "x.js")));
const sdk = (path) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/client/${path}.js`)));
const { Client } = await sdk("index");
const { StdioClientTransport } = await sdk("stdio");
const { StreamableHTTPClientTransport } = await sdk("streamableHttp");

const TASK = "Ask when they open on Saturday, for Jordan Lee.";
const client = new Client({ name: "tests", version: "1" });

const run = async (tool, args, options) => {
  const result = await client.callTool({ name: tool, arguments: args }, undefined, { timeout: 130_000, ...options });
  assert.equal(result.content.length, 1);
  return result;
};
const use = async (tool, args = {}, options) => {
  const result = await run(tool, args, options);
  assert.ok(!result.isError, `${tool}: ${result.content[0].text}`);
  return JSON.parse(result.content[0].text);
};
const refused = async (tool, args) => {
  const result = await run(tool, args);
  assert.ok(result.isError, `${tool}: ${result.content[0].text}`);
  return result.content[0].text;
};

async function aCallThatIsWaitedFor() {
  const told = [];
  const onprogress = (progress) => told.push(progress);
  const call = await use("place_call_and_wait", { to: given.hangs_up, task: TASK }, { onprogress });
  assert.equal(call.lifecycle, "finalized");
  assert.equal(call.outcome, "answered");
  assert.ok(told.length > 0 && told.every(({ message }) => message.includes(call.call_id)), JSON.stringify(told));
  const { transcript } = await use("get_call_transcript", { call_id: call.call_id });
  assert.ok(transcript.length > 0);
}

async function aQuestion() {
  // What is left out may be written as null.
  const wish = { to: given.asks, task: TASK, ask_owner_seconds: 120, greeting: null, bridge_number: null };
  const asked = await use("place_call_and_wait", wish);
  assert.ok(asked.still_running && asked.pending_question.question.includes("date of birth"), JSON.stringify(asked));
  const call = { call_id: asked.call_id };
  const answer = "The date of birth is the fifth of May 1980.";
  await use("answer_call", { ...call, answer });
  while (!(await use("get_call_transcript", call)).transcript.some(({ text }) => text === answer)) {
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await use("hangup_call", call);
  const over = await use("wait_for_call", call);
  assert.equal(over.lifecycle, "finalized");
}

async function hangingUp() {
  const { call_id } = await use("place_call", { to: given.rings, task: TASK });
  const gone = await use("hangup_call", { call_id });
  assert.equal(gone.success, true);
  const over = await use("wait_for_call", { call_id });
  assert.equal(over.outcome, "cancelled");
}

const server =
  transport === "stdio"
    ? new StdioClientTransport({
        command: given.program,
        args: ["mcp"],
        env: { HOME: given.home, CLAWCALL_BASE_URL: given.url, CLAWCALL_API_KEY: given.key },
      })
    : new StreamableHTTPClientTransport(new URL("/mcp", given.url), {
        requestInit: { headers: { "X-Api-Key": given.key } },
      });
await client.connect(server);
assert.equal(client.getServerVersion().name, "offhook");
const { tools } = await client.listTools();
assert.ok(["place_call", "get_call", "hangup_call", "answer_call"].every((name) => tools.some((t) => t.name === name)));
const { contents } = await client.readResource({ uri: "clawcall://guide/outbound" });
assert.ok(contents[0].text.startsWith("# "));

await Promise.all([aCallThatIsWaitedFor(), aQuestion(), hangingUp()]);

assert.match(await refused("place_call", { to: "+1415", task: TASK }), /\(invalid_phone\)\nLook the number up/);
assert.match(await refused("get_recording", { call_id: "nothing" }), /\(recording_not_available\)/);
assert.match(await refused("get_campaign", {}), /needs campaign_id/);
await client.close();
console.log("ok");
