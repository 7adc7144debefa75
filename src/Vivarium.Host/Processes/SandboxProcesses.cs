using System.Collections.Concurrent;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Supervision;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Processes;

/// <summary>
/// Launched processes: started in the background under an id of their own, logged, and known until some time after their end, whichever way that comes: by itself, with the
/// sandbox, by a rollback, while no daemon runs.
/// </summary>
internal sealed class SandboxProcesses(HostServices host, SandboxAccess access)
{
    private readonly ConcurrentDictionary<SandboxId, ProcessBook> books = new();
    private readonly ConcurrentDictionary<SupervisorLink, bool> watched = new();
    private readonly ExposedPorts ports = new(host, access.Workflows);
    private volatile bool stopping;

    /// <summary>From now on the end of a connection is the daemon's, not the sandbox's.</summary>
    public void Stop() => stopping = true;

    /// <summary>Starts one.</summary>
    public async Task<ProcessInfo> LaunchAsync(LaunchProcessParams p, CancellationToken cancellationToken)
    {
        var request = LaunchRequest.Of(p);
        var (sandbox, link) = await access.GetRunningAsync(p.Ref, "starting a process in", cancellationToken).ConfigureAwait(false);
        var book = Book(sandbox);
        var process = new LaunchedProcess
        {
            Id = LaunchedProcess.NewId(),
            Tag = request.Tag,
            Argv = request.Argv,
            User = request.User,
            Cwd = request.Cwd,
            Tty = request.Tty is not null,
            Status = ProcessStatus.Starting,
            StartedUnixMs = host.Now,
            BootId = sandbox.Record.BootId,
            ExposedPort = p.ExposedPort is > 0 and var port ? port : null,
        };
        Watch(sandbox, link, book);
        book.Prune(host.Config.Processes.Keep, host.Now - (long)host.Config.Processes.KeepFor.TotalMilliseconds);
        book.Add(process);

        // Seen through once begun: a process nobody knows of would be worse than one nobody waited for.
        await Task.Run(() => StartAsync(sandbox, link, book, process, request), CancellationToken.None).WaitAsync(cancellationToken).ConfigureAwait(false);
        return book.Find(process.Id)!.Describe(null);
    }

    /// <summary>What the guest knows, with what is known here; ends of earlier boots too.</summary>
    public async Task<ProcessList> ListAsync(string reference, CancellationToken cancellationToken)
    {
        var (sandbox, link) = await access.GetRunningAsync(reference, "listing the processes of", cancellationToken).ConfigureAwait(false);
        var inside = (await link.ProcessesAsync(cancellationToken).ConfigureAwait(false)).Processes;
        var book = await ReconciledAsync(sandbox, link, inside).ConfigureAwait(false);
        book.Prune(host.Config.Processes.Keep, host.Now - (long)host.Config.Processes.KeepFor.TotalMilliseconds);
        var launched = book.All();
        var boot = sandbox.Record.BootId;
        var byPid = launched.Where(l => l.Pid > 0 && l.BootId == boot).ToLookup(static l => l.Pid);
        var shown = inside.Select(g => (Guest: g, Launched: byPid[g.Pid].FirstOrDefault(l => IsSame(l, g)))).ToArray();
        var known = shown.Select(static s => s.Launched?.Id).ToHashSet();
        return new ProcessList
        {
            Processes =
            [
                .. shown.Select(static s => s.Launched is null ? Plain(s.Guest) : s.Launched.Describe(s.Guest)),
                .. launched.Where(l => !known.Contains(l.Id)).Select(static l => l.Describe(null)),
            ],
        };
    }

    /// <summary>One by its id, whatever state the sandbox is in.</summary>
    public async Task<ProcessInfo> StatusAsync(ProcessParams p, CancellationToken cancellationToken) =>
        (await FindAsync(p.Ref, p.Id, cancellationToken).ConfigureAwait(false)).Process.Describe(null);

    /// <summary>Waits for its end.</summary>
    public async Task<ProcessInfo> WaitAsync(ProcessParams p, CancellationToken cancellationToken)
    {
        if (p.WaitMs is < 0 or > 600_000)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"waiting for a process: wait_ms is {p.WaitMs}", "Give 0 to 600000 milliseconds.", "bad_params");
        }

        var (book, process) = await FindAsync(p.Ref, p.Id, cancellationToken).ConfigureAwait(false);
        try
        {
            await book.EndedAsync(process.Id).WaitAsync(p.WaitMs is { } ms ? TimeSpan.FromMilliseconds(ms) : Timeout.InfiniteTimeSpan, host.Time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // It still runs, which the answer says.
        }

        return (book.Find(process.Id) ?? process).Describe(null);
    }

    /// <summary>Signals one, or its tree.</summary>
    public async Task KillAsync(KillParams p, bool treeByDefault, CancellationToken cancellationToken)
    {
        const int DefaultSignal = 15;
        var signal = p.Signal is null or 0 ? DefaultSignal : p.Signal.Value;
        if (signal is < 1 or > 64 || p.Pid < 0 || (p.Pid > 0 ? 1 : 0) + (string.IsNullOrEmpty(p.Tag) ? 0 : 1) + (p.Id is null ? 0 : 1) == 0)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "killing a process: give an id, a pid above 0 or a tag, and a signal from 1 to 64", "viv ps shows the processes.", "bad_params");
        }

        var kill = new KillProcessPayload { Pid = p.Pid, Tag = p.Tag, Signal = signal, Tree = p.Tree ?? treeByDefault };
        if (p.Id is not null)
        {
            var (_, process) = await FindAsync(p.Ref, p.Id, cancellationToken).ConfigureAwait(false);
            if (process.HasEnded)
            {
                return;
            }

            kill = process.Pid > 0 ? kill with { Pid = process.Pid, Tag = null } : throw new VivariumException(
                ErrorCode.FailedPrecondition, $"killing process {process.Id}: it is only just starting", "Try again.", "starting");
        }

        var (_, link) = await access.GetRunningAsync(p.Ref, "killing a process of", cancellationToken).ConfigureAwait(false);
        try
        {
            await link.KillProcessAsync(kill, cancellationToken).ConfigureAwait(false);
        }
        catch (VivariumException e) when (p.Id is not null && e.Reason == "no_such_process")
        {
            // It ended a moment ago.
        }
    }

    /// <summary>The launched process of an id, or of a pid of the sandbox as it runs now.</summary>
    public async Task<(ProcessBook Book, LaunchedProcess Process)> FindAsync(string reference, string id, CancellationToken cancellationToken)
    {
        var sandbox = await access.GetAsync(reference, cancellationToken).ConfigureAwait(false);
        var book = Book(sandbox);
        if (sandbox.Link is { IsOver: false } link && book.Find(id) is { HasEnded: false })
        {
            Watch(sandbox, link, book);
        }

        return book.Find(id) is { } process ? (book, process) : throw new VivariumException(
            ErrorCode.NotFound, $"sandbox {sandbox.Record.Name} has no process {NameRules.Quote(id)}", "viv ps -a lists them; ends are forgotten after a time.", "no_such_process");
    }

    /// <summary>The launched process that has this pid, if any.</summary>
    public LaunchedProcess? OfPid(Sandbox sandbox, int pid) => books.TryGetValue(sandbox.Record.Id, out _) || File.Exists(host.Paths.ProcessBook(sandbox.Record.Id))
        ? Book(sandbox).All().Where(l => l.Pid == pid).OrderByDescending(static l => l.StartedUnixMs).FirstOrDefault()
        : null;

    /// <summary>After a start of the daemon: what became of those it knew. Ports of those that ended are taken back.</summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        // Books of sandboxes that went while nobody had them open.
        foreach (var file in Directory.Exists(host.Paths.Processes) ? Directory.EnumerateFiles(host.Paths.Processes) : [])
        {
            if (!SandboxId.TryParse(Path.GetFileNameWithoutExtension(file), out var id) || host.Catalog.Find(id.Value) is null)
            {
                File.Delete(file);
            }
        }

        foreach (var sandbox in host.Catalog.All().Where(s => File.Exists(host.Paths.ProcessBook(s.Record.Id))))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var book = Book(sandbox);
            if (sandbox.Link is not { IsOver: false } link)
            {
                await SandboxOverAsync(sandbox, book, null).ConfigureAwait(false);
                continue;
            }

            Watch(sandbox, link, book);
            try
            {
                var inside = (await link.ProcessesAsync(cancellationToken).ConfigureAwait(false)).Processes;
                FindStarting(sandbox, book, inside);
                await ReconciledAsync(sandbox, link, inside).ConfigureAwait(false);
            }
            catch (VivariumException)
            {
                // It does not answer now; the next list looks again.
            }
        }
    }

    /// <summary>Those the last daemon was just starting: either the guest has them, under their id, or they never came to be.</summary>
    private void FindStarting(Sandbox sandbox, ProcessBook book, IReadOnlyList<GuestProcess> inside)
    {
        foreach (var process in book.All().Where(static p => p.Status == ProcessStatus.Starting))
        {
            if (inside.FirstOrDefault(g => IsSame(process, g)) is { } guest && process.BootId == sandbox.Record.BootId)
            {
                book.Change(process.Id, p => p with { Pid = guest.Pid, Status = ProcessStatus.Running });
            }
            else
            {
                End(sandbox, book, process.Id, null, new ErrorInfo { Code = ErrorCodes.ToText(ErrorCode.Unavailable), Reason = "daemon_ended", Message = "the daemon ended while it was being started" });
            }
        }
    }

    private static ProcessInfo Plain(GuestProcess g) => new()
    {
        Pid = g.Pid,
        Tag = g.Tag,
        Argv = g.Argv,
        User = g.User,
        Cwd = g.Cwd,
        Tty = g.Tty,
        Status = g.Status,
        StartedUnixMs = g.StartedUnixMs,
        Exit = g.Exit,
        TreeSize = g.TreeSize,
        Attached = g.Attached,
    };

    private static bool IsSame(LaunchedProcess launched, GuestProcess guest) => guest.Tag == (launched.Tag ?? launched.Id);

    private ProcessBook Book(Sandbox sandbox)
    {
        var id = sandbox.Record.Id;
        return books.GetOrAdd(id, _ =>
        {
            var book = ProcessBook.Open(host.Paths.ProcessBook(id), host.Paths.SandboxLogs(id));
            sandbox.Gone.ContinueWith(
                _ =>
                {
                    book.Close();
                    books.TryRemove(id, out var _);
                },
                CancellationToken.None,
                TaskContinuationOptions.None,
                TaskScheduler.Default);
            return book;
        });
    }

    private async Task StartAsync(Sandbox sandbox, SupervisorLink link, ProcessBook book, LaunchedProcess process, ExecRequest request)
    {
        try
        {
            if (process.ExposedPort is { } port)
            {
                await ports.PublishAsync(sandbox, book, process.Id, port).ConfigureAwait(false);
            }

            // As with tools: a pause that begins now waits for this, and one that has begun keeps it out.
            using (var place = sandbox.Tools.TryEnter())
            {
                (_, link) = await access.GetRunningAsync(sandbox.Record.Id.Value, "starting a process in", CancellationToken.None).ConfigureAwait(false);
                if (place is null)
                {
                    throw GateRules.LaunchDoor.Busy(sandbox.Record, GateRules.Pause);
                }

                var reply = await link.LaunchAsync(request with { Tag = request.Tag ?? process.Id }, CancellationToken.None).ConfigureAwait(false);
                book.Change(process.Id, p => p with { Pid = reply.Pid, BootId = sandbox.Record.BootId, Status = p.HasEnded ? p.Status : ProcessStatus.Running });
            }

            // One that ended at once may have been reported before its pid was known here.
            await ReconciledAsync(sandbox, link, (await link.ProcessesAsync(CancellationToken.None).ConfigureAwait(false)).Processes).ConfigureAwait(false);
        }
        catch (VivariumException) when (book.Find(process.Id) is { Pid: > 0 })
        {
            // It was started; that it could not be asked about is no failure of the launch.
        }
        catch (Exception e)
        {
            var why = (e as VivariumException ?? new VivariumException(ErrorCode.Internal, e.Message)).ToInfo();
            End(sandbox, book, process.Id, null, why);
            throw;
        }
    }

    /// <summary>Takes over what the guest says of ends.</summary>
    private Task<ProcessBook> ReconciledAsync(Sandbox sandbox, SupervisorLink link, IReadOnlyList<GuestProcess> inside)
    {
        var book = Book(sandbox);
        Watch(sandbox, link, book);
        var byPid = inside.ToLookup(static g => g.Pid);
        foreach (var process in book.All().Where(static p => p is { HasEnded: false, Pid: > 0 }))
        {
            if (process.BootId != sandbox.Record.BootId)
            {
                End(sandbox, book, process.Id, null, Lost(sandbox, process));
            }
            else if (byPid[process.Pid].FirstOrDefault(g => IsSame(process, g)) is not { } guest)
            {
                End(sandbox, book, process.Id, null, new ErrorInfo { Code = ErrorCodes.ToText(ErrorCode.NotFound), Reason = "unknown_end", Message = "it ended, and how is no longer known" });
            }
            else if (guest.Status == ProcessStatus.Exited)
            {
                End(sandbox, book, process.Id, guest.Exit, null);
            }
        }

        return Task.FromResult(book);
    }

    private void Watch(Sandbox sandbox, SupervisorLink link, ProcessBook book)
    {
        if (!watched.TryAdd(link, true))
        {
            return;
        }

        link.OnProcessExited((pid, exit) => _ = Task.Run(() =>
        {
            foreach (var process in book.All().Where(p => p.Pid == pid && !p.HasEnded && p.BootId == sandbox.Record.BootId))
            {
                End(sandbox, book, process.Id, exit, exit is null ? Lost(sandbox, process) : null);
            }
        }));
        link.WhenOver(() =>
        {
            watched.TryRemove(link, out _);
            if (!stopping)
            {
                _ = Task.Run(() => SandboxOverAsync(sandbox, book, link));
            }
        });
    }

    /// <summary>
    /// The sandbox's supervisor is over, and its processes with it; unless they were saved with their memory, then they are looked for when they are back.
    /// </summary>
    private async Task SandboxOverAsync(Sandbox sandbox, ProcessBook book, SupervisorLink? link)
    {
        while (!stopping && (IsChanging(sandbox, link) || sandbox.Record is { State: SandboxState.Paused, OnDisk: true, Memory: not null }))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), host.Time).ConfigureAwait(false);
        }

        if (stopping)
        {
            return;
        }

        try
        {
            if (sandbox.Link is { IsOver: false } next && next != link)
            {
                await ReconciledAsync(sandbox, next, (await next.ProcessesAsync(CancellationToken.None).ConfigureAwait(false)).Processes).ConfigureAwait(false);
                return;
            }
        }
        catch (VivariumException)
        {
            // Over again; then they have ended for good.
        }

        foreach (var process in book.All().Where(static p => !p.HasEnded))
        {
            End(sandbox, book, process.Id, null, Lost(sandbox, process));
        }
    }

    private static bool IsChanging(Sandbox sandbox, SupervisorLink? link) =>
        (link is not null && sandbox.Link == link)
        || sandbox.Record.State is SandboxState.Pausing or SandboxState.Resuming or SandboxState.Stopping or SandboxState.Starting or SandboxState.RollingBack or SandboxState.Destroying;

    private void End(Sandbox sandbox, ProcessBook book, string id, ExecControl? exit, ErrorInfo? why)
    {
        book.Change(id, p => p.HasEnded ? null : p with { Status = ProcessStatus.Exited, EndedUnixMs = host.Now, Exit = exit, Error = why });
        if (book.Find(id) is { Published: not null })
        {
            _ = Task.Run(() => ports.TakeBackAsync(sandbox, book, id));
        }
    }

    private static ErrorInfo Lost(Sandbox sandbox, LaunchedProcess process)
    {
        var record = sandbox.Record;
        var rolledBack = record.Rollback is not null || record.Lineage?.RolledBackUnixMs >= process.StartedUnixMs;
        return new ErrorInfo
        {
            Code = ErrorCodes.ToText(ErrorCode.FailedPrecondition),
            Reason = rolledBack ? "rolled_back" : "sandbox_ended",
            Message = rolledBack ? "the sandbox was rolled back, which ended it" : "the sandbox it ran in was stopped or started anew",
        };
    }
}
