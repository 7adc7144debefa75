// checks.mjs URL TOKEN: drives the session service with the Connect project's own client; prints a line for each check that held.
import assert from "node:assert/strict";
import { Code, ConnectError, createPromiseClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { SandboxService } from "./service.mjs";

const [url, token] = process.argv.slice(2);
const seen = {};

function connect(bearer) {
  const interceptor = (next) => async (request) => {
    if (bearer) request.header.set("authorization", `Bearer ${bearer}`);
    request.header.set("x-api-version", "v1");
    const answer = await next(request);
    seen.version = answer.header.get("x-api-version");
    return answer;
  };
  return createPromiseClient(SandboxService, createConnectTransport({ baseUrl: url, httpVersion: "1.1", useBinaryFormat: false, interceptors: [interceptor] }));
}

async function check(name, body) {
  await body();
  console.log(`ok ${name}`);
}

async function refused(code, call) {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof ConnectError, String(error));
    assert.equal(Code[error.code], Code[code], error.message);
    return error;
  }
  assert.fail(`expected ${Code[code]}`);
}

async function collect(stream) {
  const messages = [];
  for await (const message of stream) messages.push(message);
  return messages;
}

const client = connect(token);
const id = "node-client";
const tool = (call, command) => ({ SessionID: id, ToolName: "bash", ToolCallID: call, Params: { cmd: command } });

await check("unary", async () => {
  const made = await client.createSession({ SessionID: id, BaseSnapshot: "tiny", Labels: { from: "node" } });
  assert.equal(made.Session.State, "active");
  assert.equal(made.ServerCapabilities.Snapshots, true);
  assert.equal(seen.version, "v1");
  assert.equal((await client.getSession({ SessionID: id })).Session.Labels.from, "node");
  assert.equal((await client.executeTool(tool("u1", "echo grüße"))).Content.trim(), "grüße");
});

await check("streaming", async () => {
  const messages = await collect(client.executeToolStream(tool("s1", "for i in 1 2 3; do echo line $i; sleep 0.1; done; echo bad >&2")));
  const last = messages.pop();
  assert.equal(last.Response.ExitCode, 0);
  assert.ok(messages.length > 0 && messages.every((m) => m.Progress));
  assert.match(messages.filter((m) => !m.Progress.IsError).map((m) => m.Progress.Content).join(""), /line 1[^]*line 2[^]*line 3/);
  assert.match(messages.filter((m) => m.Progress.IsError).map((m) => m.Progress.Content).join(""), /bad/);
});

await check("turns", async () => {
  await client.executeTool(tool("t1", "echo kept >/note"));
  assert.deepEqual((await client.turnComplete({ SessionID: id })).TurnNumber, 1);
  await client.executeTool(tool("t2", "rm /note"));
  await client.rollbackSession({ SessionID: id, SnapshotID: "turn-0001" });
  assert.equal((await client.executeTool(tool("t3", "cat /note"))).Content.trim(), "kept");
});

await check("processes", async () => {
  const { ProcessID } = await client.launchProcess({ SessionID: id, Binary: "sh", Args: ["-c", "echo started; exit 4"] });
  let status;
  do status = await client.getProcessStatus({ SessionID: id, ProcessID });
  while (status.Status !== "exited");
  assert.equal(status.ExitCode, 4);
  assert.equal((await client.getProcessLogs({ SessionID: id, ProcessID, Wait: 2e9 })).Entries[0].Content, "started\n");
});

await check("errors", async () => {
  const missing = await refused(Code.NotFound, () => client.getSession({ SessionID: "nobody" }));
  assert.equal(missing.details[0].type, "google.rpc.ErrorInfo");
  assert.equal(missing.details[0].debug.reason, "no_such_session");
  await refused(Code.AlreadyExists, () => client.createSession({ SessionID: id }));
  await refused(Code.InvalidArgument, () => client.createSession({ SessionID: "../escape" }));
  await refused(Code.InvalidArgument, () => client.executeTool(tool("", "true")));
  await refused(Code.FailedPrecondition, () => client.resumeSession({ SessionID: id }));
  await refused(Code.NotFound, () => client.rollbackSession({ SessionID: id, SnapshotID: "trun-0001" }));
  await refused(Code.Unauthenticated, () => connect(null).listSessions({}));
  await refused(Code.Unauthenticated, () => connect("not-the-token-at-all").listSessions({}));
  await refused(Code.ResourceExhausted, () => client.createSnapshot({ SessionID: id, Message: "x".repeat(17 << 20) }));
  const inStream = await refused(Code.InvalidArgument, () => collect(client.executeToolStream({ SessionID: id, ToolName: "no_such_tool", ToolCallID: "e1", Params: {} })));
  assert.equal(inStream.details[0].debug.reason, "unknown_tool");
  await refused(Code.Unauthenticated, () => collect(connect(null).executeToolStream(tool("e2", "true"))));
});

await check("deadlines", async () => {
  await refused(Code.DeadlineExceeded, () => client.executeTool(tool("d1", "sleep 1; echo done >>/slow"), { timeoutMs: 200 }));
  await refused(Code.DeadlineExceeded, () => collect(client.executeToolStream(tool("d1", "sleep 1; echo done >>/slow"), { timeoutMs: 200 })));
  const answer = await client.executeTool(tool("d1", "sleep 1; echo done >>/slow"));
  assert.equal(answer.Repeated, true);
  assert.equal((await client.executeTool(tool("d2", "cat /slow"))).Content.trim(), "done");
});

await check("leaving", async () => {
  const abort = new AbortController();
  await refused(Code.Canceled, async () => {
    for await (const message of client.executeToolStream(tool("l1", "echo up; sleep 1; echo down"), { signal: abort.signal })) {
      if (message.Progress) abort.abort();
    }
  });
  const messages = await collect(client.executeToolStream(tool("l1", "echo up; sleep 1; echo down")));
  assert.match(messages.at(-1).Response.Content, /up\ndown/);
  assert.equal(messages.at(-1).Response.Repeated, true);
});

await check("end", async () => {
  await client.destroySession({ SessionID: id });
  await client.destroySession({ SessionID: id });
  await refused(Code.NotFound, () => client.getSession({ SessionID: id }));
});
