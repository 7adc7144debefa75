using Microsoft.Extensions.Logging;
using Vivarium.Host.Naming;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Operations;

/// <summary>All operations: those running and, for a while, those ended. Pruned when one is added, so that an idle daemon does nothing.</summary>
public sealed partial class OperationRegistry(TimeProvider time, ILogger<OperationRegistry> logger)
{
    private static readonly Func<ILogger, string, IDisposable?> Scope = LoggerMessage.DefineScope<string>("{OperationId}");

    /// <summary>Ended operations remembered.</summary>
    public const int Remembered = 256;

    /// <summary>How long an ended operation is remembered.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromHours(1);

    private const string IdKey = "vivarium.operation";

    private readonly Lock gate = new();
    private readonly Dictionary<string, Operation> operations = new(StringComparer.Ordinal);

    /// <summary>Hears of every operation that has ended. Must be quick and not throw.</summary>
    public Action<OperationInfo>? Ended { get; init; }

    /// <summary>A fresh operation id.</summary>
    public static string NewId() => "op-" + RandomText.Next(16);

    /// <summary>Starts work and returns at once.</summary>
    public Operation<T> Begin<T>(string kind, Func<Operation, CancellationToken, Task<T>> work)
    {
        var operation = new Operation<T>(kind, time);
        lock (gate)
        {
            Prune();
            operations.Add(operation.Id, operation);
        }

        operation.Result = Task.Run(() => RunAsync(operation, work));
        return operation;
    }

    /// <summary>Finds an operation.</summary>
    public Operation Get(string id)
    {
        lock (gate)
        {
            return operations.TryGetValue(id, out var operation)
                ? operation
                : throw new VivariumException(
                    ErrorCode.NotFound,
                    $"operation {NameRules.Quote(id)} is not known",
                    "Ended operations are remembered for an hour and not across restarts of the daemon.",
                    "no_such_operation");
        }
    }

    /// <summary>Running first, then newest first.</summary>
    public OperationList List()
    {
        Operation[] all;
        lock (gate)
        {
            all = [.. operations.Values];
        }

        return new OperationList
        {
            Operations = [.. all.Select(static o => o.Info).OrderBy(static i => i.Status != Operation.Running).ThenByDescending(static i => i.StartedUnixMs)],
        };
    }

    /// <summary>Cancels everything that runs and waits for it to undo, at most as long as the token allows.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Operation[] running;
        lock (gate)
        {
            running = [.. operations.Values.Where(static o => o.Info.Status == Operation.Running)];
        }

        foreach (var operation in running)
        {
            operation.Cancel();
        }

        await Task.WhenAll(running.Select(static o => o.Ended)).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> RunAsync<T>(Operation<T> operation, Func<Operation, CancellationToken, Task<T>> work)
    {
        using var scope = Scope(logger, operation.Id);
        try
        {
            var result = await work(operation, operation.Token).ConfigureAwait(false);
            End(operation, Operation.Succeeded, null);
            return result;
        }
        catch (Exception e) when (operation.Token.IsCancellationRequested)
        {
            // Cutting work short shows as whatever the cut part says: a stream that ended, a supervisor that went. The answer is what was asked for.
            if (e is not OperationCanceledException)
            {
                LogFailed(e, operation.Id, operation.Info.Kind);
            }

            var error = new VivariumException(ErrorCode.Canceled, $"{operation.Info.Kind} was canceled", null, "canceled", e);
            End(operation, Operation.Canceled, error.ToInfo(operation.Id));
            throw Mark(error, operation.Id);
        }
        catch (VivariumException e)
        {
            LogFailed(e, operation.Id, operation.Info.Kind);
            End(operation, e.Code == ErrorCode.Canceled ? Operation.Canceled : Operation.Failed, e.ToInfo(operation.Id));
            Mark(e, operation.Id);
            throw;
        }
        catch (Exception e)
        {
            LogFailed(e, operation.Id, operation.Info.Kind);
            var error = Internal(operation.Info.Kind, e);
            End(operation, Operation.Failed, error.ToInfo(operation.Id));
            throw Mark(error, operation.Id);
        }
    }

    private void End(Operation operation, string status, ErrorInfo? error)
    {
        operation.End(status, error);
        Ended?.Invoke(operation.Info);
    }

    /// <summary>The operation an exception came out of, when it came out of one.</summary>
    public static string? IdOf(Exception e) => e.Data[IdKey] as string;

    private static VivariumException Mark(VivariumException e, string id)
    {
        e.Data[IdKey] = id;
        return e;
    }

    /// <summary>What a caller sees of a defect or a system error nobody translated. That the machine ran out of something is no defect.</summary>
    public static VivariumException Internal(string what, Exception e) => e switch
    {
        IOException when e.Message.Contains("No space left on device", StringComparison.Ordinal) => new(
            ErrorCode.ResourceExhausted, $"{what} failed: the disk is full ({e.Message})", "Free space in the state and runtime directories, and try again.", "disk_full", e),
        IOException when e.Message.Contains("Too many open files", StringComparison.Ordinal) => new(
            ErrorCode.ResourceExhausted, $"{what} failed: the daemon has no file descriptors left", "Close connections, or raise its limit (LimitNOFILE), and try again.", "too_many_files", e),
        _ => new(ErrorCode.Internal, $"{what} failed: {e.Message}", "Look the operation id up in the daemon's log.", "internal", e),
    };

    private void Prune()
    {
        var oldest = time.GetUtcNow() - Memory;
        var ended = operations.Values.Where(static o => o.Info.EndedUnixMs is not null).OrderByDescending(static o => o.Info.EndedUnixMs).ToList();
        for (var i = 0; i < ended.Count; i++)
        {
            if (i >= Remembered - 1 || ended[i].Info.EndedUnixMs < oldest.ToUnixTimeMilliseconds())
            {
                operations.Remove(ended[i].Id);
            }
        }
    }

    [LoggerMessage(EventId = 1101, Level = LogLevel.Warning, Message = "operation {OperationId} ({Kind}) failed")]
    private partial void LogFailed(Exception exception, string operationId, string kind);
}
