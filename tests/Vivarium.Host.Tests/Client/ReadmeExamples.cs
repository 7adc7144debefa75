using Vivarium.Client;
using Vivarium.Wire.Host;
using Vivarium.Wire.Sessions;

namespace Vivarium.Host.Tests.Client;

/// <summary>The examples of src/Vivarium.Client/README.md, word for word but for where things are: a test compares the two.</summary>
internal sealed class ReadmeExamples(TextWriter Console, string socket, string address, string token)
{
    public async Task NativeAsync()
    {
        // begin: native
        await using var vivarium = await VivariumClient.ConnectAsync(socket);
        var sandbox = await vivarium.CreateAsync(new CreateParams { Template = "tiny" });

        await sandbox.WriteTextAsync("/work/todo", "buy milk\n");
        await sandbox.CompleteTurnAsync("write the list");

        var result = await sandbox.ShellAsync("echo 'call Bob' >>/work/todo; wc -l </work/todo");
        Console.WriteLine($"exit {result.ExitCode}, {result.StdoutText.Trim()} lines");

        await sandbox.RollBackAsync("turn-0001");
        Console.WriteLine(await sandbox.ReadTextAsync("/work/todo"));

        var forks = await sandbox.ForkAsync(count: 2);
        foreach (var fork in forks)
        {
            await fork.DestroyAsync();
        }

        await sandbox.DestroyAsync();

        // end
    }

    public async Task SessionsAsync()
    {
        // begin: sessions
        using var sessions = new SessionClient(new Uri(address), new SessionClientOptions { Token = token });
        var made = await sessions.CreateSessionAsync(new CreateSessionRequest { SessionId = "task-1", BaseSnapshot = "tiny" });

        var call = new ExecuteToolRequest
        {
            SessionId = "task-1",
            ToolName = "bash",
            ToolCallId = "call-1",
            Params = ToolArguments.Of(("command", "echo one; sleep 0.2; echo two")),
        };
        await foreach (var message in sessions.ExecuteToolStreamAsync(call))
        {
            Console.Write(message.Progress?.Content);
            if (message.Response is { } answer)
            {
                Console.WriteLine($"exit {answer.ExitCode}");
            }
        }

        var turn = await sessions.TurnCompleteAsync(new TurnCompleteRequest { SessionId = "task-1" });
        Console.WriteLine(turn.SnapshotId);
        await sessions.DestroySessionAsync(made.Session.Id);

        // end
    }
}
