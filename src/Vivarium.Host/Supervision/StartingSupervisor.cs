using System.Runtime.InteropServices;
using Vivarium.Linux.IO;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Cgroups;

namespace Vivarium.Host.Supervision;

/// <summary>
/// A supervisor that has been started and waits for the word to go, so that its program loads while the volume is made. Disposed without the word, it ends without a trace.
/// </summary>
internal sealed class StartingSupervisor : IAsyncDisposable
{
    private readonly FileStream go;
    private readonly MigrationLock? cheap;

    private StartingSupervisor(ChildProcess process, PollableFd ready, FileStream go, MigrationLock? cheap)
    {
        Process = process;
        Ready = ready;
        this.go = go;
        this.cheap = cheap;
    }

    /// <summary>The process.</summary>
    public ChildProcess Process { get; }

    /// <summary>What it says: <c>ready</c>, or why not.</summary>
    public Stream Ready { get; }

    /// <summary>Starts one.</summary>
    /// <param name="start">Given the two ends that become its standard input and output.</param>
    public static StartingSupervisor Begin(Func<SafeHandle, SafeHandle, ChildProcess> start)
    {
        // The engine will join its cgroups in a moment.
        var cheap = MigrationLock.KeepCheap(CgroupHierarchies.Current);
        var (said, saying) = Pipe.Create();
        var (hearing, go) = Pipe.Create();
        using (saying)
        using (hearing)
        {
            try
            {
                return new StartingSupervisor(start(hearing, saying), PollableFd.Take(said), new FileStream(go, FileAccess.Write, bufferSize: 0), cheap);
            }
            catch
            {
                said.Dispose();
                go.Dispose();
                cheap?.Dispose();
                throw;
            }
        }
    }

    /// <summary>Its specification is written: it may begin. When it has ended meanwhile, <see cref="Ready"/> says so.</summary>
    public void Go()
    {
        try
        {
            go.Write("go\n"u8);
        }
        catch (IOException)
        {
            // It has ended: its end is what the reader of its words sees.
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await go.DisposeAsync().ConfigureAwait(false);
        await Ready.DisposeAsync().ConfigureAwait(false);
        cheap?.Dispose();
    }
}
