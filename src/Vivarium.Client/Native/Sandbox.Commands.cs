using System.Runtime.CompilerServices;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Client;

public sealed partial class Sandbox
{
    /// <summary>Runs a command to its end. Its bytes come from the sandbox's supervisor directly, so this survives a restart of the daemon.</summary>
    /// <param name="argv">Program and arguments; no shell is involved.</param>
    /// <param name="options">Directory, environment, user, time, input.</param>
    /// <param name="cancellationToken">Gives up and kills what the command has started.</param>
    /// <exception cref="VivariumException">not_found <c>command_not_found</c>; failed_precondition: the sandbox does not run. A command that fails is no error.</exception>
    public async Task<CommandResult> RunAsync(IReadOnlyList<string> argv, CommandOptions? options = null, CancellationToken cancellationToken = default)
    {
        using var stdout = new MemoryStream();
        using var stderr = new MemoryStream();
        await foreach (var piece in StreamAsync(argv, options, cancellationToken).ConfigureAwait(false))
        {
            if (piece.Result is { } result)
            {
                return result with { Stdout = stdout.ToArray(), Stderr = stderr.ToArray() };
            }

            (piece.IsError ? stderr : stdout).Write(piece.Data.Span);
        }

        throw new VivariumException(ErrorCode.Unavailable, "the connection ended before the command did", "Look at the sandbox's state.", "closed_early");
    }

    /// <summary>Runs a shell line, with <c>sh -c</c>.</summary>
    public Task<CommandResult> ShellAsync(string line, CommandOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(["sh", "-c", line], options, cancellationToken);

    /// <summary>Runs a command and gives its output while it comes; the last piece has its <see cref="CommandOutput.Result"/>. Leaving the enumeration kills what the command has started.</summary>
    public async IAsyncEnumerable<CommandOutput> StreamAsync(
        IReadOnlyList<string> argv, CommandOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        options ??= new CommandOptions();
        var request = new ExecRequest
        {
            Argv = argv,
            Cwd = options.WorkingDirectory,
            Env = options.Environment,
            User = options.User,
            TimeoutMs = (long?)options.Timeout?.TotalMilliseconds,
            Stdin = !options.Input.IsEmpty,
            KillOnDisconnect = true,
        };
        var exec = await ExecClient.StartAsync(await host.OpenPortAsync(Id, GuestPort.Exec, cancellationToken).ConfigureAwait(false), request, cancellationToken).ConfigureAwait(false);
        await using (exec.ConfigureAwait(false))
        {
            var input = request.Stdin ? FeedAsync(exec, options.Input, cancellationToken) : Task.CompletedTask;
            while (await exec.ReadAsync(cancellationToken).ConfigureAwait(false) is { } frame)
            {
                if (frame.Channel is ExecChannel.Stdout or ExecChannel.Stderr)
                {
                    yield return new CommandOutput { Data = frame.Payload.ToArray(), IsError = frame.Channel == ExecChannel.Stderr };
                }
            }

            await input.ConfigureAwait(false);
            yield return new CommandOutput { Result = CommandResult.Of(exec.Exit ?? throw new VivariumException(
                ErrorCode.Unavailable, "the connection ended before the command did", "Look at the sandbox's state.", "closed_early")) };
        }
    }

    private static async Task FeedAsync(ExecClient exec, ReadOnlyMemory<byte> input, CancellationToken cancellationToken)
    {
        try
        {
            using var source = new MemoryStream(input.ToArray(), writable: false);
            await exec.CopyInputAsync(source, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or VivariumException)
        {
            // A command need not read all of its input; how it ended says the rest.
        }
    }
}
