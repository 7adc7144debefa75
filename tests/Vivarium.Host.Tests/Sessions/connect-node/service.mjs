// The session service as a client written by hand would describe it: JSON messages without a schema.
import { MethodKind } from "@bufbuild/protobuf";

class JsonMessage {
  constructor(values) {
    Object.assign(this, values);
  }

  static fromJsonString(text) {
    return new JsonMessage(JSON.parse(text));
  }

  toJsonString() {
    return JSON.stringify(this);
  }
}

const unary = [
  "CreateSession", "GetSession", "ListSessions", "PauseSession", "ResumeSession", "DestroySession", "ExecuteTool",
  "LaunchProcess", "KillProcess", "GetProcessStatus", "ListProcesses", "GetProcessLogs", "TurnComplete", "CreateSnapshot", "RollbackSession", "ListSnapshots", "HealthCheck", "Capabilities",
];
const method = (name, kind) => [name[0].toLowerCase() + name.slice(1), { name, kind, I: JsonMessage, O: JsonMessage }];

export const SandboxService = {
  typeName: "rpc.v1.SandboxService",
  methods: Object.fromEntries([
    ...unary.map((name) => method(name, MethodKind.Unary)),
    method("ExecuteToolStream", MethodKind.ServerStreaming),
  ]),
};
