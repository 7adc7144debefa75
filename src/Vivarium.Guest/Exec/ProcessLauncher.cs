using Vivarium.Guest.Processes;
using Vivarium.Linux;
using Vivarium.Linux.Processes;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Exec;

/// <summary>Turns an exec request into a process, or into the error that says why not.</summary>
internal sealed class ProcessLauncher(GuestContext context)
{
    private const int MaxTag = 256;
    private const string FallbackShell = "/bin/sh";


    private uint _lastMark;

    /// <summary>Starts it, its caller already attached. Errors carry the reasons listed at <see cref="ExecReply.Error"/>.</summary>
    public (ManagedProcess Process, OutputCursor Cursor) Start(ExecRequest request)
    {
        Check(request);
        var settings = context.Settings;
        var user = context.Users.Resolve(request.User ?? settings.DefaultUser);
        var (file, argv) = Command(request, user);
        var mark = Interlocked.Increment(ref _lastMark);
        var options = new SpawnOptions
        {
            FileName = file,
            Argv = argv,
            Env = ProcessEnvironment.Build(user, settings, request, mark),
            Cwd = WorkingDirectory(request, settings, user),
            NewSession = true,
            ControllingTerminal = request.Tty is not null,
            Uid = user.Uid,
            Gid = user.Gid,
            Groups = user.Groups,
            Limits = Limits(request.Limits, mark),
            OomScoreAdj = 0,
            CgroupDirectories = WorkCgroups.Directories,
            Umask = 0x12, // 022
        };

        // Attached before the first byte can come: else a fast process could push it out of the ring.
        var output = new OutputLog();
        var (cursor, _) = output.Attach(0, holdsBack: true);
        return (context.Processes.Start(request.Tag, onExited => Start(request, options, user, mark, output, onExited)), cursor);
    }

    private ManagedProcess Start(ExecRequest request, SpawnOptions options, UserIdentity user, uint mark, OutputLog output, Action<ManagedProcess> onExited)
    {
        var oomCount = context.Oom.Count();
        using var channels = StandardChannels.Open(request);
        ChildProcess child;
        try
        {
            child = Spawn(options with { Fds = channels.Mappings }, anyDirectory: request.Cwd is null && context.Settings.DefaultCwd is null);
        }
        catch (SpawnException e)
        {
            throw Explain(e, options, user);
        }

        var start = channels.Hand(new ProcessStart
        {
            Tag = request.Tag,
            Argv = options.Argv,
            User = user.Name,
            Cwd = options.Cwd!,
            Mark = mark,
            StartedUnixMs = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(),
            Timeout = request.TimeoutMs is { } ms ? TimeSpan.FromMilliseconds(ms) : null,
            Output = output,
            Pumps = [],
            OomCountAtStart = oomCount,
        }, child.Pid);
        return new ManagedProcess(start, child, context.Oom, onExited);
    }

    private static ChildProcess Spawn(SpawnOptions options, bool anyDirectory)
    {
        try
        {
            return ChildProcess.Start(options);
        }
        catch (SpawnException e) when (e is { Step: SpawnStep.Execute, Errno: Errno.ENOEXEC })
        {
            // A script without a first line that says what runs it: by old custom the shell does (execvp(3)).
            return ChildProcess.Start(options with { FileName = FallbackShell, Argv = [FallbackShell, Locate(options), .. options.Argv.Skip(1)] });
        }
        catch (SpawnException e) when (e.Step == SpawnStep.WorkingDirectory && anyDirectory)
        {
            // Nobody asked for the home directory, and this user may not enter it; a login would go on in the root too.
            return Spawn(options with { Cwd = "/" }, anyDirectory: false);
        }
    }

    /// <summary>The file a name without slash stands for in the new process's PATH.</summary>
    private static string Locate(SpawnOptions options)
    {
        if (options.FileName.Contains('/', StringComparison.Ordinal))
        {
            return options.FileName;
        }

        const string Variable = "PATH=";
        var path = options.Env.FirstOrDefault(static entry => entry.StartsWith(Variable, StringComparison.Ordinal))?[Variable.Length..] ?? SpawnOptions.DefaultPath;
        return path.Split(':').Select(directory => Path.Combine(directory, options.FileName)).FirstOrDefault(File.Exists) ?? options.FileName;
    }

    private static (string File, IReadOnlyList<string> Argv) Command(ExecRequest request, UserIdentity user)
    {
        if (request.Argv.Count > 0)
        {
            return (request.Argv[0], request.Argv);
        }

        // A login shell is told so by the dash before its name.
        var shell = File.Exists(user.Shell) ? user.Shell : FallbackShell;
        return (shell, ["-" + Path.GetFileName(shell)]);
    }

    private static string WorkingDirectory(ExecRequest request, GuestSettings settings, UserIdentity user)
    {
        var wanted = request.Cwd ?? settings.DefaultCwd;
        if (wanted is null)
        {
            return Directory.Exists(user.Home) ? user.Home : "/";
        }

        if (!wanted.StartsWith('/') || wanted.Contains('\0', StringComparison.Ordinal))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"working directory '{wanted.Replace('\0', ' ')}' is not an absolute path");
        }

        return Directory.Exists(wanted)
            ? wanted
            : throw new VivariumException(
                ErrorCode.NotFound,
                File.Exists(wanted) ? $"working directory '{wanted}' is not a directory" : $"working directory '{wanted}' does not exist",
                "Create it first, or name another with --cwd.",
                "no_such_directory");
    }

    private static List<ResourceLimit> Limits(ExecLimits? limits, uint mark)
    {
        var list = new List<ResourceLimit>(ProcessMark.Limits(mark));
        Add(LimitKind.OpenFiles, limits?.Files);
        Add(LimitKind.Cpu, limits?.CpuSeconds);
        Add(LimitKind.AddressSpace, limits?.AddressSpaceBytes);
        Add(LimitKind.FileSize, limits?.FileSizeBytes);
        return list;

        void Add(LimitKind kind, long? value)
        {
            if (value is { } number)
            {
                list.Add(new ResourceLimit(kind, (ulong)number, (ulong)number));
            }
        }
    }

    private static void Check(ExecRequest request)
    {
        if (request.Argv.Any(static argument => argument is null || argument.Contains('\0', StringComparison.Ordinal)))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "an argument is missing or contains a NUL character");
        }

        if (request.Argv is ["", ..])
        {
            throw new VivariumException(ErrorCode.NotFound, "command '' not found", reason: "command_not_found");
        }

        if (request.Tag is { Length: 0 or > MaxTag })
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"a tag has 1 to {MaxTag} characters");
        }

        if (request.Tty is { } tty && (tty.Cols is < 1 or > ushort.MaxValue || tty.Rows is < 1 or > ushort.MaxValue))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"a terminal of {tty.Cols} columns and {tty.Rows} rows is not possible; both are 1 to 65535");
        }

        if (request.TimeoutMs is <= 0 or > uint.MaxValue - 1)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"timeout_ms is {request.TimeoutMs}; it must be above 0 and below 50 days");
        }

        if (request.Limits is { } limits && (limits.Files < 3 || limits.CpuSeconds < 1 || limits.AddressSpaceBytes < 1 || limits.FileSizeBytes < 0))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "a limit is too small: files at least 3, cpu_seconds and address_space_bytes at least 1");
        }
    }

    private static VivariumException Explain(SpawnException e, SpawnOptions options, UserIdentity user) => e switch
    {
        { Step: SpawnStep.Execute, NotFound: true } when IsThere(options) => new VivariumException(
            ErrorCode.FailedPrecondition, $"'{options.FileName}' cannot be executed: the interpreter or loader it names does not exist", reason: "not_executable", inner: e),
        { Step: SpawnStep.Execute, NotFound: true } => new VivariumException(
            ErrorCode.NotFound, $"command '{options.FileName}' not found", "Check the spelling and the PATH of the sandbox.", "command_not_found", e),
        { Step: SpawnStep.Execute, Errno: Errno.E2BIG } => new VivariumException(
            ErrorCode.InvalidArgument, $"arguments and environment of '{options.FileName}' are too long for the kernel", inner: e),
        { Step: SpawnStep.Execute, Errno: Errno.ENOMEM or Errno.EAGAIN } => new VivariumException(
            ErrorCode.ResourceExhausted, $"'{options.FileName}' cannot be started: {Errno.Describe(e.Errno)}", inner: e),
        { Step: SpawnStep.Execute } => new VivariumException(
            ErrorCode.PermissionDenied, $"'{options.FileName}' cannot be executed by {user.Name}: {Errno.Describe(e.Errno)}", reason: "not_executable", inner: e),
        { Step: SpawnStep.WorkingDirectory } => new VivariumException(
            ErrorCode.PermissionDenied, $"{user.Name} cannot enter working directory '{options.Cwd}': {Errno.Describe(e.Errno)}", reason: "no_such_directory", inner: e),
        { Step: SpawnStep.Fork } => new VivariumException(
            ErrorCode.ResourceExhausted, $"no process can be started now: {Errno.Describe(e.Errno)}", "The sandbox may have reached its process or memory limit.", inner: e),
        _ => new VivariumException(ErrorCode.Internal, e.Message, inner: e),
    };

    private static bool IsThere(SpawnOptions options) =>
        options.FileName.Contains('/', StringComparison.Ordinal) && File.Exists(Path.Combine(options.Cwd ?? "/", options.FileName));
}
